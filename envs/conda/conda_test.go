package conda_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/tools/toolstest"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// newDriver makes a driver with a cache of its own.
func newDriver(tb testing.TB, change ...func(*conda.Config)) *conda.Driver {
	tb.Helper()
	c := conda.Config{Tools: toolstest.Tools(tb), CacheDir: filepath.Join(tb.TempDir(), "cache")}
	for _, f := range change {
		f(&c)
	}
	d := conda.New(c)
	tb.Cleanup(func() { _ = d.Close() })
	return d
}

// local is the address of the channel of this machine.
func local(tb testing.TB) string { return "file://" + testchannel.Dir(tb) }

// wants is a request for dependencies.
func wants(tb testing.TB, channel string, dependencies ...string) driver.Request {
	tb.Helper()
	text := "dependencies:\n"
	for _, d := range dependencies {
		text += "  - " + d + "\n"
	}
	return wantsText(tb, channel, text)
}

func wantsText(tb testing.TB, channel, text string) driver.Request {
	tb.Helper()
	s, err := spec.Parse([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return driver.Request{Spec: s, Channels: []string{channel}}
}

func solve(tb testing.TB, d driver.Driver, req driver.Request) *lock.Lock {
	tb.Helper()
	l, err := d.Solve(tb.Context(), req, func(driver.Event) {})
	if err != nil {
		tb.Fatalf("Solve = %v\n%s", err, driver.FailureOf(err).Tree)
	}
	return l
}

// failure is why a solve or an installation did not work.
func failure(tb testing.TB, err error, cause driver.Cause) *driver.Failure {
	tb.Helper()
	var f *driver.Failure
	if !errors.As(err, &f) {
		tb.Fatalf("got %v, want a failure with the cause %s", err, cause)
	}
	if f.Cause != cause {
		tb.Fatalf("failed with cause %s (%s\n%s), want %s", f.Cause, f.Message, f.Tree, cause)
	}
	return f
}

func versions(l *lock.Lock) map[string]string {
	got := map[string]string{}
	for _, p := range l.Packages {
		got[p.Name] = p.Version
	}
	return got
}

// heard collects events.
type heard struct {
	mu     sync.Mutex
	events []driver.Event
}

func (h *heard) sink(e driver.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// last is the last progress of a phase.
func (h *heard) last(phase driver.Phase) driver.Event {
	var last driver.Event
	for _, e := range h.events {
		if e.Type == driver.TypeProgress && e.Phase == phase {
			last = e
		}
	}
	return last
}

func (h *heard) logs() string {
	var lines []string
	for _, e := range h.events {
		if e.Type == driver.TypeLog {
			lines = append(lines, e.Text)
		}
	}
	return strings.Join(lines, "\n")
}
