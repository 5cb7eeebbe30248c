package schedulingtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/scheduling"
)

// forever is a program that reports itself and goes on until it is ended.
const forever = `echo $$ > pid; : > up; exec sleep 1000`

var lifeCases = []testCase{
	{"running program is seen running", func(t *testing.T, h *host) {
		before := time.Now()
		s := h.inspect(h.start("life", forever))
		if s.Phase != scheduling.PhaseRunning || s.Started.Before(before.Add(-time.Second)) || s.Started.After(time.Now()) {
			t.Errorf("Inspect() = %+v, want running since %v", s, before)
		}
	}},
	{"exit code and reason are told", func(t *testing.T, h *host) {
		for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "kill -15 $$": 143} {
			handle := h.launch(h.program(strings.ReplaceAll(script, " ", "_"), script))
			if got := h.wait(handle).ExitCode; got != want {
				t.Errorf("exit code of %q = %d, want %d", script, got, want)
			}
			if got := h.inspect(handle); got.Phase != scheduling.PhaseEnded || got.ExitCode != want {
				t.Errorf("Inspect() after %q = %+v, want ended with %d", script, got, want)
			}
		}
	}},
	{"driver finds its workload again after a restart", func(t *testing.T, h *host) {
		handle := h.start("again", forever)
		began := h.inspect(handle).Started
		h.restart(&handle)
		if err := h.Recover(t.Context(), handle); err != nil {
			t.Fatalf("Recover() = %v", err)
		}
		s := h.inspect(handle)
		if alive := h.processes("pid"); s.Phase != scheduling.PhaseRunning || len(alive) != 1 {
			t.Errorf("Inspect() after a restart = %+v, processes %q, want the same program running", s, alive)
		}
		if moved := s.Started.Sub(began).Abs(); moved > time.Second {
			t.Errorf("start moved by %s with a restart", moved)
		}
		h.signal(handle, scheduling.SignalKill)
		if code := h.wait(handle).ExitCode; code != 137 {
			t.Errorf("exit code = %d, want 137", code)
		}
	}},
	{"handle of ID and driver alone finds the workload", func(t *testing.T, h *host) {
		handle := h.start("bare", forever)
		bare := scheduling.Handle{ID: handle.ID, Driver: handle.Driver}
		h.restart(&bare)
		if err := h.Recover(t.Context(), bare); err != nil {
			t.Fatalf("Recover() = %v", err)
		}
		if s := h.inspect(bare); s.Phase != scheduling.PhaseRunning {
			t.Errorf("Inspect() = %+v, want running", s)
		}
		h.stop(bare, 0)
		if alive := h.processes("pid"); len(alive) != 0 {
			t.Errorf("processes %q live on", alive)
		}
	}},
	{"end that nobody saw is told after a restart", func(t *testing.T, h *host) {
		handle := h.start("unseen", `: > up; while [ ! -e go ]; do sleep 0.01; done; exit 5`)
		h.restart(&handle)
		h.signalByFile("go")
		h.eventually("ended", func() bool { return h.inspect(handle).Phase == scheduling.PhaseEnded })
		h.restart(&handle)
		if err := h.Recover(t.Context(), handle); err != nil {
			t.Errorf("Recover() of what has ended = %v", err)
		}
		if code := h.wait(handle).ExitCode; code != 5 {
			t.Errorf("exit code = %d, want 5", code)
		}
	}},
	{"wait ends with its context", func(t *testing.T, h *host) {
		handle := h.start("waited", forever)
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
		if s, err := h.Wait(ctx, handle); !errors.Is(err, cause) {
			t.Errorf("Wait() = %+v, %v, want the cause", s, err)
		}
		if alive := h.processes("pid"); len(alive) != 1 {
			t.Error("the program did not outlive the wait")
		}
	}},
	{"interrupt reaches the program", func(t *testing.T, h *host) {
		handle := h.start("interrupt", `trap 'exit 42' INT; : > up; while :; do sleep 0.02; done`)
		h.signal(handle, scheduling.SignalInterrupt)
		if code := h.wait(handle).ExitCode; code != 42 {
			t.Errorf("exit code = %d, want 42", code)
		}
	}},
	{"terminate and kill reach the program", func(t *testing.T, h *host) {
		handle := h.start("signals", `trap 'echo no > refused' TERM; : > up; while :; do sleep 0.02; done`)
		h.signal(handle, scheduling.SignalTerminate)
		h.eventually("refused", func() bool { return h.exists("refused") })
		h.signal(handle, scheduling.SignalKill)
		if code := h.wait(handle).ExitCode; code != 137 {
			t.Errorf("exit code = %d, want 137", code)
		}
		if err := h.Signal(t.Context(), handle, scheduling.SignalKill); !errors.Is(err, scheduling.ErrNotFound) {
			t.Errorf("Signal() after the end = %v, want ErrNotFound", err)
		}
	}},
	{"logs are the end of what was written to standard error", func(t *testing.T, h *host) {
		handle := h.launch(h.program("logs", `
			i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done; printf 'the end' >&2`))
		h.wait(handle)
		for _, size := range []int{7, 100, 5000} {
			b, err := h.Logs(t.Context(), handle, size)
			if err != nil || len(b) != size || !strings.HasSuffix(string(b), "the end") {
				t.Errorf("Logs(max %d) = %d bytes …%q, %v", size, len(b), b[max(0, len(b)-20):], err)
			}
		}
		h.restart(&handle)
		if b, err := h.Logs(t.Context(), handle, 1<<20); err != nil || !strings.Contains(string(b), "line 1999\nthe end") {
			t.Errorf("Logs() after a restart = %d bytes, %v", len(b), err)
		}
	}},
	{"unknown handles are not found", func(t *testing.T, h *host) {
		handle := h.start("known", forever)
		unknown := scheduling.Handle{ID: "unknown", Driver: handle.Driver}
		_, inspect := h.Inspect(t.Context(), unknown)
		for what, err := range map[string]error{
			"Inspect": inspect,
			"Recover": h.Recover(t.Context(), unknown),
			"Signal":  h.Signal(t.Context(), unknown, scheduling.SignalKill),
		} {
			if !errors.Is(err, scheduling.ErrNotFound) {
				t.Errorf("%s(unknown) = %v, want ErrNotFound", what, err)
			}
		}
		foreign := handle
		foreign.Driver = "another driver"
		if err := h.Recover(t.Context(), foreign); err == nil {
			t.Error("Recover() takes a handle of another driver")
		}
		if alive := h.processes("pid"); len(alive) != 1 {
			t.Error("the known program was touched")
		}
	}},
}
