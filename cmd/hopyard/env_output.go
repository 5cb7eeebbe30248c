package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/apiclient"
	"golang.org/x/sys/unix"
)

// told turns an error that carries a failure into one whose words have all of it: the conflict, near names, the place in the file.
func told(err error) error {
	refused, ok := errors.AsType[*apiclient.Error](err)
	if !ok || refused.Failure == nil {
		return err
	}
	var f driver.Failure
	if json.Unmarshal(refused.Failure, &f) != nil || f.Message == "" { // null, or of another version
		return err
	}
	return failedError{&f}
}

// failedError is a failure in the words of a terminal.
type failedError struct{ failure *driver.Failure }

// Error has several lines where there is more to say than a sentence.
func (e failedError) Error() string { return explain(e.failure) }

// explain writes a failure for people.
func explain(f *driver.Failure) string {
	var b strings.Builder
	if f.Line > 0 && !strings.Contains(f.Message, fmt.Sprintf("line %d", f.Line)) {
		fmt.Fprintf(&b, "line %d, column %d: ", f.Line, f.Column)
	}
	b.WriteString(f.Message)
	if f.Rule != "" && !strings.Contains(f.Message, f.Rule) {
		fmt.Fprintf(&b, " (rule %s)", f.Rule)
	}
	if len(f.Near) > 0 {
		fmt.Fprintf(&b, "\n  did you mean: %s", strings.Join(f.Near, ", "))
	}
	for line := range strings.Lines(f.Tree) {
		b.WriteString("\n  " + strings.TrimRight(line, "\n"))
	}
	return b.String()
}

// writeJSON prints the API's answer, indented.
func writeJSON(w io.Writer, raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

// writeAsJSON prints a value as JSON: a list that came in pages.
func writeAsJSON(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeJSON(w, raw)
}

// table writes rows in columns; the first is the head.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return t.Flush()
}

// size writes a number of bytes in powers of 1000, three digits at most, as the console does (ui/src/text/size.ts).
func size(n int64) string {
	const unit, most = 1000, 999.5 // of a unit would be written with four digits
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, names := float64(n)/unit, "kMGTP"
	for value >= most && len(names) > 1 {
		value, names = value/unit, names[1:]
	}
	if value >= 9.95 {
		return fmt.Sprintf("%.0f %cB", value, names[0])
	}
	return fmt.Sprintf("%.1f %cB", value, names[0])
}

// moment writes a time in the zone of whoever reads.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// writeDiff prints what a change does, package by package, with sizes.
func writeDiff(w io.Writer, d lock.Diff) error {
	var rows [][]string
	row := func(sign string, c lock.Change) {
		was, is := c.Old, c.New
		if c.Direction == "build" {
			was, is = c.Old+" "+c.OldBuild, c.New+" "+c.NewBuild
		}
		version := is
		switch {
		case is == "":
			version = was
		case was != "":
			version = was + " -> " + is
		}
		bytes := ""
		if c.Bytes > 0 {
			bytes = size(c.Bytes)
		}
		rows = append(rows, []string{sign, c.Name, version, c.From, bytes})
	}
	for _, c := range d.Added {
		row("+", c)
	}
	for _, c := range d.Removed {
		row("-", c)
	}
	for _, c := range d.Changed {
		row("~", c)
	}
	if len(rows) > 0 {
		if err := table(w, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d added, %d removed, %d changed, %d unchanged; %s of new packages\n",
		len(d.Added), len(d.Removed), len(d.Changed), d.Unchanged, size(d.Bytes))
	return err
}

// columnsOf is how many columns a terminal has; 0 for what is none.
func columnsOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	window, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return max(int(window.Col), 40)
}
