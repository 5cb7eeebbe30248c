package schedulingtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/scheduling"
)

// stopLate stops what a case launched without the host's help.
func (h *host) stopLate(handle scheduling.Handle) {
	if err := h.Stop(context.Background(), handle, 0); err != nil {
		h.t.Errorf("Stop(%s) = %v", handle.ID, err)
	}
}

// signalByFile makes the file that a program waits for.
func (h *host) signalByFile(name string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), nil, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// gone checks that nothing is known of a workload that was stopped, and that stopping it again is no error.
func (h *host) gone(handle scheduling.Handle) {
	h.t.Helper()
	if _, err := h.Inspect(h.t.Context(), handle); !errors.Is(err, scheduling.ErrNotFound) {
		h.t.Errorf("Inspect() after Stop = %v, want ErrNotFound", err)
	}
	if err := h.Recover(h.t.Context(), handle); !errors.Is(err, scheduling.ErrNotFound) {
		h.t.Errorf("Recover() after Stop = %v, want ErrNotFound", err)
	}
	h.stop(handle, grace)
}

var stopCases = []testCase{
	{"stop lets the program end by itself", func(t *testing.T, h *host) {
		handle := h.start("kind", `trap ': > saved; exit 0' TERM; : > up; while :; do sleep 0.02; done`)
		began := time.Now()
		h.stop(handle, 10*time.Minute)
		if took := time.Since(began); took > patience {
			t.Errorf("Stop() took %s although the program ended at once", took)
		}
		if !h.exists("saved") {
			t.Error("the program was not asked before it was killed")
		}
		h.gone(handle)
	}},
	{"stop ends a program that ignores it, with all its descendants", func(t *testing.T, h *host) {
		handle := h.start("stubborn", `
			trap '' TERM INT HUP
			echo $$ >> pids
			sh -c 'echo $$ >> pids; while :; do sleep 0.05; done' &
			setsid sh -c 'echo $$ >> pids; sh -c "echo \$\$ >> pids; : > up; while :; do sleep 0.05; done" & while :; do sleep 0.05; done' &
			while :; do sleep 0.05; done`)
		h.eventually("all are up", func() bool { return len(h.processes("pids")) == 4 })
		began := time.Now()
		h.stop(handle, grace)
		if took := time.Since(began); took > grace+patience/2 {
			t.Errorf("Stop() took %s with %s of grace", took, grace)
		}
		h.eventually("all are gone", func() bool { return len(h.processes("pids")) == 0 })
		h.gone(handle)
	}},
	{"stop clears away what a dead program left running", func(t *testing.T, h *host) {
		handle := h.start("leaver", `setsid sh -c 'echo $$ > pid; : > up; exec sleep 1000' & while [ ! -e up ]; do sleep 0.01; done; exit 3`)
		if code := h.wait(handle).ExitCode; code != 3 {
			t.Errorf("exit code = %d, want 3", code)
		}
		h.stop(handle, grace)
		h.eventually("all are gone", func() bool { return len(h.processes("pid")) == 0 })
		h.gone(handle)
	}},
	{"stop after a restart ends the program", func(t *testing.T, h *host) {
		handle := h.start("later", forever)
		h.restart(&handle)
		h.stop(handle, 0)
		h.eventually("all are gone", func() bool { return len(h.processes("pid")) == 0 })
		h.gone(handle)
	}},
	{"concurrent stops all succeed", func(t *testing.T, h *host) {
		handle := h.start("crowd", forever)
		errs := make(chan error)
		for range 4 {
			go func() { errs <- h.Stop(t.Context(), handle, grace) }()
		}
		for range 4 {
			if err := <-errs; err != nil {
				t.Errorf("Stop() = %v", err)
			}
		}
		h.gone(handle)
	}},
	{"stop lets the ID be used again", func(t *testing.T, h *host) {
		h.stop(h.start("phoenix", forever), 0)
		if code := h.wait(h.launch(h.program("phoenix", `exit 9`))).ExitCode; code != 9 {
			t.Errorf("exit code = %d, want 9", code)
		}
	}},
	{"close leaves the programs running", func(t *testing.T, h *host) {
		handle := h.start("survivor", forever)
		h.restart(&handle)
		if alive := h.processes("pid"); len(alive) != 1 {
			t.Error("the program died with its driver")
		}
	}},
}
