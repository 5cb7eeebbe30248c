package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report gathers the figures of a run.
type report struct {
	Time     time.Time `json:"time"`
	Machine  string    `json:"machine"`
	Warnings []string  `json:"warnings,omitempty"`
	Rows     []row     `json:"rows"`

	current string // case
}

// row is one figure, beside a peer's where there is one.
type row struct {
	Case string  `json:"case"`
	What string  `json:"what"`
	Unit string  `json:"unit,omitempty"`
	Ours float64 `json:"ours"`
	// Peer is who is compared, Theirs its figure, and Times how many times better ours is.
	Peer   string  `json:"peer,omitempty"`
	Theirs float64 `json:"theirs,omitempty"`
	Times  float64 `json:"times,omitempty"`
	Goal   string  `json:"goal,omitempty"`
	Met    *bool   `json:"met,omitempty"` // absent where there is no goal
	Note   string  `json:"note,omitempty"`
}

// begin starts a case.
func (r *report) begin(name string) {
	if r.Time.IsZero() {
		r.Time, r.Machine = time.Now().UTC().Truncate(time.Second), machine()
	}
	r.current = name
	progress("case %s, load average %.1f on %d processors", name, load(), runtime.NumCPU())
	if load() > float64(runtime.NumCPU())/2 {
		r.warn("the machine was busy when case %q began (load average %.1f): trust ratios, counts and minima, not times", name, load())
	}
}

func (r *report) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	progress("warning: "+format, args...)
}

// fail notes that a case could not be measured to its end.
func (r *report) fail(err error) {
	met := false
	r.add(row{What: "the case broke off", Met: &met, Note: err.Error()})
}

func (r *report) add(x row) {
	x.Case = r.current
	r.Rows = append(r.Rows, x)
	progress("  %s", strings.ReplaceAll(x.line(), "\t", "  "))
}

// figure notes a figure without a goal.
func (r *report) figure(what string, value float64, unit string) {
	r.add(row{What: what, Ours: value, Unit: unit})
}

// atMost notes a figure that may be at most so large.
func (r *report) atMost(what string, value float64, unit string, goal float64) {
	met := value <= goal
	r.add(row{What: what, Ours: value, Unit: unit, Goal: "≤ " + number(goal) + " " + unit, Met: &met})
}

// beside compares a figure with a peer's. times is how many times better ours is, 0 where
// that makes no sense; a goal of 0 means none.
func (r *report) beside(what string, ours, theirs float64, unit, peer string, times, goal float64) {
	x := row{What: what, Ours: ours, Theirs: theirs, Unit: unit, Peer: peer, Times: times}
	if goal > 0 {
		met := times >= goal
		x.Goal, x.Met = "≥ "+number(goal)+" ×", &met
	}
	r.add(x)
}

// within compares a figure with a peer's that it may exceed by a factor.
func (r *report) within(what string, ours, theirs float64, unit, peer string, factor float64) {
	met := ours <= factor*theirs
	goal := "≤ " + number(factor) + " × theirs"
	r.add(row{What: what, Ours: ours, Theirs: theirs, Unit: unit, Peer: peer, Times: theirs / ours, Goal: goal, Met: &met})
}

func (x *row) line() string {
	values := number(x.Ours) + " " + x.Unit
	peer, times, met := "", "", ""
	if x.Peer != "" {
		peer = number(x.Theirs) + " " + x.Unit + " " + x.Peer
	}
	if x.Times > 0 {
		times = number(x.Times) + " ×"
	}
	if x.Met != nil {
		met = "no"
		if *x.Met {
			met = "yes"
		}
	}
	if x.Note != "" {
		met = strings.TrimSpace(met + " " + x.Note)
	}
	return strings.Join([]string{x.Case, x.What, values, peer, times, x.Goal, met}, "\t")
}

// number writes three digits that mean something, and whole numbers whole.
func number(v float64) string {
	switch a := max(v, -v); {
	case v == float64(int64(v)):
		return fmt.Sprintf("%d", int64(v))
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// finish prints the table and writes the figures as JSON into the folder, if one is named.
func (r *report) finish(w io.Writer, folder string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\twhat\thopyard\tpeer\ttimes\tgoal\tmet")
	for i := range r.Rows {
		fmt.Fprintln(t, r.Rows[i].line())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\n%s\n", r.Machine, strings.Join(r.Warnings, "\n"))
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, r.Time.Format("20060102-150405")+".json"), append(text, '\n'), 0o644)
}

// machine says what the figures were taken on.
func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(release)), runtime.Version())
}

// samples are measurements of one thing.
type samples []float64

// at is the value that the share q of the samples does not exceed; 0.5 is the median.
func (s samples) at(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
