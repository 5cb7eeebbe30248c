package build_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
)

// This program is a builder itself when it is started with these variables.
const (
	envStore = "HOPYARD_TEST_BUILDER_STORE"
	envID    = "HOPYARD_TEST_BUILDER_ID"
)

// builder runs a builder as the hidden command does.
func builder() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := store.Open(os.Getenv(envStore))
	if err == nil {
		err = build.Run(ctx, build.Config{Store: s, ID: os.Getenv(envID)})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// startBuilder starts a builder as a process of its own.
func startBuilder(t *testing.T, s *store.Store, id string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envStore+"="+s.Dir(), envID+"="+id)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return cmd
}

// waitFor waits until the builder of id has told something.
func waitFor(t *testing.T, s *store.Store, id, words string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if b, _ := os.ReadFile(s.Events(id)); bytes.Contains(b, []byte(words)) {
			return
		}
		select {
		case <-t.Context().Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
	b, _ := os.ReadFile(s.Events(id))
	t.Fatalf("the builder never told %s:\n%s", words, b)
}

func TestKilledBuilderLeavesNothingThatIsUsed(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh() // with empty caches every phase takes a while
	l := r.solve(specOf(kernel...))
	for i, words := range []string{`"phase":"fetch"`, `"phase":"link"`, `"phase":"finish"`, `"phase":"finish","done":50`} {
		t.Run(words, func(t *testing.T) {
			r := *r
			r.t = t
			id := r.order(l, store.Options{Variables: map[string]string{"N": fmt.Sprint(i)}})
			cmd := startBuilder(t, r.store, id)
			if i == 3 { // in the middle of compiling
				words = `"total":`
				waitFor(t, r.store, id, `"phase":"finish","done"`)
			}
			waitFor(t, r.store, id, words)
			if err := syscall.Kill(cmd.Process.Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if _, ok := r.store.Manifest(id); ok {
				t.Fatal("it was ready already")
			}
			// What it had started ends with it; an agent makes sure.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			swept, err := r.store.Sweep(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("swept %v", swept)
			leftNothing(t, r.store)
		})
	}
	m := r.build(l, store.Options{Variables: map[string]string{"N": "0"}})
	python(t, m, "-c", "import numpy, ipykernel, sqlite3")
	if damage, err := r.store.Scrub(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("the caches that killed builders used: %v, %v", damage, err)
	}
}

func TestSignalCancelsTheBuild(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh()
	id := r.order(r.solve(specOf(kernel...)), private(t))
	cmd := startBuilder(t, r.store, id)
	waitFor(t, r.store, id, `"phase":"fetch"`)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil { // the helper gets it too
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the builder ended well")
	}
	all := events(t, r.store, id)
	if last := all[len(all)-1]; last.Type != driver.TypeResult || last.State != "canceled" {
		t.Errorf("last event = %+v, want canceled", last)
	}
	leftNothing(t, r.store)
	if left, _ := filepath.Glob(filepath.Join(r.store.Dir(), "work", id, "*")); strings.Contains(strings.Join(left, " "), "pyc") {
		t.Errorf("left %v", left)
	}
}
