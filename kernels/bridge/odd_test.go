package bridge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/kernels/bridge"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

// odd starts the test kernel, which does what no other does.
func odd(t *testing.T, spec bridge.Spec, flags ...string) *kernel {
	t.Helper()
	program, err := localtest.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	return startWith(t, spec, append([]string{program, "-f", bridge.ConnectionFile}, flags...)...)
}

func TestFloodComesWholeAndInOrder(t *testing.T) {
	t.Parallel()
	c := odd(t, bridge.Spec{}).attach("tab")
	got := c.until(done(c.execute("flood 20000 100")))
	n := 0
	for i, m := range got {
		if i > 0 && m.seq != got[i-1].seq+1 {
			t.Fatalf("record %d follows %d", m.seq, got[i-1].seq)
		}
		if m.typ == "stream" {
			n++
		}
	}
	if n != 20000 {
		t.Errorf("%d messages, want 20000", n)
	}
}

// TestKernelThatSendsWhatNoneShouldGoesOn lets a kernel announce 8 GB, and write what is not ZeroMQ.
func TestKernelThatSendsWhatNoneShouldGoesOn(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"huge 8589934592", "huge 18446744073709551615", "garbage"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			c := odd(t, bridge.Spec{}).attach("tab")
			c.execute(code)
			c.until(func(m message) bool { return m.typ == "stream" && strings.Contains(stdout([]message{m}), "refused") })
			// The kernel's next output may come before it is listened to again.
			for {
				id, said := c.execute("echo well"), ""
				c.until(func(m message) bool {
					if m.parent == id && m.typ == "stream" {
						said = stdout([]message{m})
					}
					return m.parent == id && m.typ == "execute_reply"
				})
				if said == "well\n" {
					return
				}
			}
		})
	}
}

func TestCellThatComesBeforeTheKernelIsUpRuns(t *testing.T) {
	t.Parallel()
	c := odd(t, bridge.Spec{}, "-delay", "300ms").attach("tab")
	first, second := c.execute("echo one"), c.execute("echo two")
	got := c.until(done(second))
	if s := stdout(got); s != "one\ntwo\n" {
		t.Errorf("stdout = %q, want one and two", s)
	}
	_ = first
}

func TestInterruptByMessage(t *testing.T) {
	t.Parallel()
	k := odd(t, bridge.Spec{InterruptMode: "message"})
	c := k.attach("tab")
	id := c.execute("tick 100000 5")
	c.until(func(m message) bool { return m.typ == "stream" })
	if err := k.driver.Signal(t.Context(), k.handle, scheduling.SignalInterrupt); err != nil {
		t.Fatal(err)
	}
	got := c.until(done(id))
	for _, m := range got {
		if m.typ == "error" && m.content["ename"] == "KeyboardInterrupt" {
			return
		}
	}
	t.Error("no KeyboardInterrupt")
}

func TestKernelThatHangsIsStoppedInTime(t *testing.T) {
	t.Parallel()
	k := odd(t, bridge.Spec{})
	c := k.attach("tab")
	id := c.execute("hang")
	c.until(func(m message) bool { return m.parent == id && m.typ == "execute_input" })
	begin := time.Now()
	if err := k.driver.Stop(t.Context(), k.handle, 500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("Stop() took %s", took)
	}
}

// TestRestartForgetsWhatWaited restarts a kernel that has not come up while a cell waits for it.
func TestRestartForgetsWhatWaited(t *testing.T) {
	t.Parallel()
	program, err := localtest.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	k := start(t, "/bin/sh", "-c", `if [ -e again ]; then exec `+program+` -f "$0"; fi; : > again; exec sleep 1000`, bridge.ConnectionFile)
	c := k.attach("tab")
	c.execute("echo stale")
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(3 * time.Minute); ; <-look.C {
		if _, err := os.Stat(filepath.Join(k.home, "again")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("the first program does not run")
		}
	}
	w := k.attach("watcher")
	go func() {
		for {
			if _, _, err := w.c.Next(func() []byte { return nil }); err != nil {
				return
			}
		}
	}()
	if err := w.c.Restart(t.Context(), 0, nil); err != nil {
		t.Fatal(err)
	}
	got := c.until(done(c.execute("echo fresh")))
	if s := stdout(got); s != "fresh\n" {
		t.Errorf("stdout = %q, want fresh alone", s)
	}
}
