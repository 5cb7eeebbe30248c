package schedulingtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/plugins/scheduling"
)

var launchCases = []testCase{
	{"driver says who it is", func(t *testing.T, h *host) {
		if info, err := h.Info(t.Context()); err != nil || info.Name == "" {
			t.Errorf("Info() = %+v, %v, want a name", info, err)
		}
	}},
	{"arguments reach the program as they are", func(t *testing.T, h *host) {
		args := []string{"a b", "$HOME", "`id`", "*", "; exit 3", "'", "", "é\n"}
		h.wait(h.launch(h.program("args", `for a in "$@"; do printf '<%s>' "$a"; done > args`, args...)))
		if got, want := h.read("args"), "<"+strings.Join(args, "><")+">"; got != want {
			t.Errorf("arguments = %q, want %q", got, want)
		}
	}},
	{"environment is what was given and no more", func(t *testing.T, h *host) {
		w := h.program("env", `/usr/bin/tr '\0' '\n' < /proc/$$/environ > env`)
		w.Env = []string{"ONE=1", "TWO=two words=x", "EMPTY=", "HOME=/nowhere"}
		h.wait(h.launch(w))
		got := strings.Split(strings.TrimSuffix(h.read("env"), "\n"), "\n")
		want := slices.Concat(w.Env, h.Env)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("environment = %q, want %q", got, want)
		}
	}},
	{"program works in its folder", func(t *testing.T, h *host) {
		h.wait(h.launch(h.program("dir", `/bin/pwd -P > here`)))
		if !h.exists("here") {
			t.Error("program wrote elsewhere")
		}
	}},
	{"launching what runs gives the same handle and no second program", func(t *testing.T, h *host) {
		const script = `echo $$ >> pids; : > up; exec sleep 1000`
		first := h.start("twice", script)
		if second := h.launch(h.program("twice", script)); !same(first, second) {
			t.Errorf("second Launch() = %+v, want %+v", second, first)
		}
		h.restart(&first)
		if third := h.launch(h.program("twice", script)); !same(first, third) {
			t.Errorf("Launch() after a restart = %+v, want %+v", third, first)
		}
		if alive := h.processes("pids"); len(alive) != 1 {
			t.Errorf("programs = %q, want one", alive)
		}
	}},
	{"what runs for another project is not given away", func(t *testing.T, h *host) {
		mine := h.start("mine", `: > up; exec sleep 1000`)
		theirs := h.program("mine", `: > up; exec sleep 1000`)
		theirs.Project += "-other"
		if got, err := h.Launch(t.Context(), theirs); !errors.Is(err, scheduling.ErrDenied) {
			t.Errorf("Launch() = %+v, %v, want ErrDenied", got, err)
		}
		if s, err := h.Inspect(t.Context(), mine); err != nil || s.Phase != scheduling.PhaseRunning {
			t.Errorf("Inspect() = %+v, %v, want it running still", s, err)
		}
	}},
	{"concurrent launches of one ID start one program", func(t *testing.T, h *host) {
		const script = `echo $$ >> pids; : > up; exec sleep 1000`
		const callers = 6
		handles := make(chan scheduling.Handle, callers)
		for range callers {
			go func() {
				// A caller may be told that another is at it; it then tries again, as after any other error.
				for t.Context().Err() == nil {
					if handle, err := h.Launch(t.Context(), h.program("race", script)); err == nil {
						handles <- handle
						return
					}
				}
			}()
		}
		first := <-handles
		t.Cleanup(func() { h.stopLate(first) })
		for range callers - 1 {
			if other := <-handles; !same(first, other) {
				t.Errorf("Launch() = %+v, want %+v", other, first)
			}
		}
		h.eventually("program is up", func() bool { return h.exists("up") })
		if alive := h.processes("pids"); len(alive) != 1 {
			t.Errorf("programs = %q, want one", alive)
		}
	}},
	{"workloads live next to each other", func(t *testing.T, h *host) {
		one, two := h.launch(h.program("one", `exit 1`)), h.launch(h.program("two", `exit 2`))
		if a, b := h.wait(one).ExitCode, h.wait(two).ExitCode; a != 1 || b != 2 {
			t.Errorf("exit codes = %d, %d, want 1, 2", a, b)
		}
	}},
	{"user that the driver cannot act as is refused", func(t *testing.T, h *host) {
		info, err := h.Info(t.Context())
		if err != nil || slices.Contains(info.Capabilities, scheduling.CapRunAs) {
			t.Skip("the driver can act as users")
		}
		w := h.program("somebody", `: > up`)
		w.User = "nobody"
		if handle, err := h.Launch(t.Context(), w); !errors.Is(err, scheduling.ErrUnsupported) {
			t.Errorf("Launch() as nobody = %+v, %v, want ErrUnsupported", handle, err)
		}
		if h.exists("up") {
			t.Error("program ran all the same")
		}
	}},
	{"program that cannot start is told, with the reason", func(t *testing.T, h *host) {
		w := h.program("missing", "")
		w.Argv = []string{"/no/such/program"}
		handle, err := h.Launch(t.Context(), w)
		reason := fmt.Sprint(err)
		if err == nil {
			t.Cleanup(func() { h.stopLate(handle) })
			s := h.wait(handle)
			if reason = s.Reason; s.ExitCode == 0 {
				t.Errorf("Wait() = %+v, want another exit code than 0", s)
			}
		}
		if !strings.Contains(reason, "no such") {
			t.Errorf("reason = %q, want that there is no such program", reason)
		}
	}},
}
