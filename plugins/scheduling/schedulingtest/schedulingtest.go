// Package schedulingtest is the conformance suite of scheduling.Driver. A driver that passes it may serve Hopyard.
//
// The programs that it launches are small shell scripts, given as the arguments of /bin/sh: what a driver must not do is
// to run one itself.
package schedulingtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/scheduling"
)

const (
	patience = 2 * time.Minute // for what must happen in the end
	grace    = 2 * time.Second // for programs that do not end when they are asked
)

// World is one empty place of the driver under test, on this host: the suite looks at the files and processes of the
// programs that it launches.
type World struct {
	// Open opens a driver on the place. The suite closes every driver itself, and opens another to stand for a restart.
	Open func(tb testing.TB) scheduling.Driver
	// Workload is what a bare program needs beside ID, Argv, Env and Dir: its Kind above all, which must pass the
	// program neither input nor arguments.
	Workload scheduling.Workload
	// Env are the variables that the driver gives to every program, besides those of its Workload.
	Env []string
}

// Run runs the suite. It calls setup once per case, for a World that no other case touches.
func Run(t *testing.T, setup func(tb testing.TB) World) {
	for _, c := range slices.Concat(launchCases, lifeCases, stopCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			h := &host{World: w, t: t, Driver: w.Open(t), dir: t.TempDir()}
			t.Cleanup(func() { // after all that was launched has been stopped
				if err := h.Driver.Close(); err != nil {
					t.Errorf("Close() = %v", err)
				}
			})
			c.run(t, h)
		})
	}
}

type testCase struct {
	name string
	run  func(t *testing.T, h *host)
}

// host is a driver whose calls must succeed, and a folder in which its programs work.
type host struct {
	World
	scheduling.Driver
	t   *testing.T
	dir string
}

// program makes a workload of a script. The script's folder is h.dir, its arguments follow.
func (h *host) program(id, script string, args ...string) scheduling.Workload {
	w := h.Workload
	w.ID = id
	w.Argv = append([]string{"/bin/sh", "-c", script, "sh"}, args...)
	w.Env = []string{"PATH=/usr/bin:/bin"}
	w.Dir = h.dir
	return w
}

func (h *host) launch(w scheduling.Workload) scheduling.Handle {
	h.t.Helper()
	handle, err := h.Launch(h.t.Context(), w)
	if err != nil {
		h.t.Fatalf("Launch(%s) = %v", w.ID, err)
	}
	h.t.Cleanup(func() {
		if err := h.Stop(context.Background(), handle, 0); err != nil {
			h.t.Errorf("Stop(%s) = %v", w.ID, err)
		}
	})
	return handle
}

// start launches a script and waits until it has written the file "up".
func (h *host) start(id, script string) scheduling.Handle {
	h.t.Helper()
	handle := h.launch(h.program(id, script))
	h.eventually("program is up", func() bool { return h.exists("up") })
	return handle
}

// restart closes the driver and opens another. The handle goes through storage meanwhile.
func (h *host) restart(handle *scheduling.Handle) {
	h.t.Helper()
	stored, err := json.Marshal(handle)
	if err != nil {
		h.t.Fatal(err)
	}
	for range 2 {
		if err := h.Driver.Close(); err != nil {
			h.t.Fatalf("Close() = %v", err)
		}
	}
	h.Driver = h.Open(h.t)
	*handle = scheduling.Handle{}
	if err := json.Unmarshal(stored, handle); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) inspect(handle scheduling.Handle) scheduling.Status {
	h.t.Helper()
	s, err := h.Inspect(h.t.Context(), handle)
	if err != nil {
		h.t.Fatalf("Inspect(%s) = %v", handle.ID, err)
	}
	return s
}

func (h *host) wait(handle scheduling.Handle) scheduling.Status {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	s, err := h.Wait(ctx, handle)
	if err != nil {
		h.t.Fatalf("Wait(%s) = %v", handle.ID, err)
	}
	if s.Phase != scheduling.PhaseEnded || s.Reason == "" || s.Ended.IsZero() || s.Ended.Before(s.Started) {
		h.t.Errorf("Wait(%s) = %+v, want ended after it started, with a reason", handle.ID, s)
	}
	return s
}

func (h *host) signal(handle scheduling.Handle, s scheduling.Signal) {
	h.t.Helper()
	if err := h.Signal(h.t.Context(), handle, s); err != nil {
		h.t.Fatalf("Signal(%s, %s) = %v", handle.ID, s, err)
	}
}

func (h *host) stop(handle scheduling.Handle, grace time.Duration) {
	h.t.Helper()
	if err := h.Stop(h.t.Context(), handle, grace); err != nil {
		h.t.Fatalf("Stop(%s) = %v", handle.ID, err)
	}
}

func (h *host) read(name string) string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

func (h *host) exists(name string) bool {
	_, err := os.Stat(filepath.Join(h.dir, name))
	return err == nil
}

func (h *host) eventually(what string, ok func() bool) {
	h.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			h.t.Fatalf("%s: still not after %s", what, patience)
		}
	}
}

// processes are the living ones of the ids that programs wrote to the files, one a line.
func (h *host) processes(files ...string) (alive []string) {
	h.t.Helper()
	for _, file := range files {
		for pid := range strings.FieldsSeq(h.read(file)) {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
			if err != nil {
				continue
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			if !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X") {
				alive = append(alive, file+" "+pid)
			}
		}
	}
	return alive
}

func same(a, b scheduling.Handle) bool { return reflect.DeepEqual(a, b) }
