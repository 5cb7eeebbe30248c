// Package doctor finds out what this host can and cannot do for Hopyard, and says how to mend it.
//
// Every check looks for itself and tries what it speaks of where that is harmless: bubblewrap is started, not only found.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Status says how well something stands.
type Status string

// The statuses. A warning leaves something weaker or slower; what is missing makes a feature impossible.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Missing Status = "missing"
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Found  string `json:"found"`           // what is there
	Means  string `json:"means,omitempty"` // what follows from it
	Mend   string `json:"mend,omitempty"`  // what to do, where it is not well
	// Needed says that Hopyard cannot run kernels without it.
	Needed bool `json:"needed"`
}

// Report is the result of all checks, in the order in which people read them.
type Report struct {
	Version string  `json:"version"`
	Checks  []Check `json:"checks"`
}

// Config says what to look at.
type Config struct {
	Version string
	Data    string // the data directory; it need not exist
	// First are checks by those who know more than the host: they stand at the head of the report.
	First []func(context.Context) Check
}

// Run does all checks, several at a time. It changes nothing on the host.
func Run(ctx context.Context, c Config) Report {
	checks := append([]func(context.Context) Check{}, c.First...)
	checks = append(checks,
		func(context.Context) Check { return kernelUser() },
		userNamespaces,
		bubblewrap,
		func(context.Context) Check { return cgroups(cgroupRoot) },
		func(context.Context) Check { return disk(c.Data) },
		func(context.Context) Check { return files() },
		func(context.Context) Check { return sockets(c.Data) },
		java,
		func(context.Context) Check { return engine("Spark", "SPARK_HOME", "spark-submit") },
		func(context.Context) Check { return engine("Flink", "FLINK_HOME", "flink") },
		func(context.Context) Check { return engine("YARN", "HADOOP_HOME", "yarn") },
		node,
	)
	report := Report{Version: c.Version, Checks: make([]Check, len(checks))}
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { report.Checks[i] = check(ctx) })
	}
	wg.Wait()
	return report
}

// Healthy says whether nothing that Hopyard needs is missing.
func (r Report) Healthy() bool {
	return !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Needed && c.Status == Missing })
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Write writes the report for people: a line for each check, and below it what it means and how to mend it.
func (r Report) Write(w io.Writer) error {
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Name))
	}
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", c.Status, width, c.Name, c.Found)
		for _, line := range []string{c.Means, prefixed("mend: ", c.Mend)} {
			if line != "" {
				fmt.Fprintf(&b, "%*s%s\n", 7+2+width+2, "", line)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
