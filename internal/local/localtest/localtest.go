// Package localtest lets tests run real agents: the test's own binary is the agent, and other programs where wanted.
package localtest

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/testkernel"
)

// Program is something that a test binary can be instead of a test. It gets its arguments and returns its exit code.
type Program func(args []string) int

// Main is to be called by TestMain: where the first argument is the name of a program, the binary is that.
func Main(m *testing.M, programs map[string]Program) {
	if len(os.Args) > 1 {
		if program, ok := programs[os.Args[1]]; ok {
			os.Exit(program(os.Args[2:]))
		}
	}
	code := m.Run()
	if kernelDir != "" {
		_ = os.RemoveAll(kernelDir)
	}
	os.Exit(code)
}

// kernelDir holds the test kernel until Main ends.
var kernelDir string

// Kernel is the path of the test kernel's program, built once.
var Kernel = sync.OnceValues(func() (path string, err error) {
	if kernelDir, err = os.MkdirTemp("", "testkernel"); err != nil {
		return "", err
	}
	return testkernel.Build(context.Background(), kernelDir)
})

// Agent is the program "agent" for workloads of these kinds. It ends at SIGTERM, as the real one does.
func Agent(factories map[string]agent.Factory) Program {
	return func(args []string) int {
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		ready := os.NewFile(3, "ready")
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err := agent.Run(ctx, agent.Config{
			Dir: args[1], Factories: factories, Log: log, LastWait: time.Minute, // tests read to the end, however busy the machine is
			Ready: func() {
				_, _ = io.WriteString(ready, "ready")
				_ = ready.Close()
			},
		})
		if err != nil {
			log.Error("agent", "error", err)
			return 1
		}
		return 0
	}
}

// RunDir makes a run folder with a path that is short enough for sockets, for the length of the test.
func RunDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "hy")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Config is the configuration of a driver on the run folder whose agents are this binary. Data races in them fail the test.
func Config(tb testing.TB, run string) local.Config {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	races, err := os.MkdirTemp("", "races") // tb.TempDir has characters that GORACE does not take
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		defer os.RemoveAll(races)
		found, _ := filepath.Glob(filepath.Join(races, "*"))
		for _, file := range found {
			text, _ := os.ReadFile(file)
			tb.Errorf("an agent reports: %s", text)
		}
	})
	return local.Config{Run: run, Agent: []string{"/usr/bin/env", "GORACE=atexit_sleep_ms=0 log_path=" + filepath.Join(races, "race"), exe, "agent"}}
}

// Driver opens a driver on a run folder of its own. When the test ends nothing may be left in that folder.
func Driver(tb testing.TB) *local.Driver {
	tb.Helper()
	run := RunDir(tb)
	d, err := local.New(Config(tb, run))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if left := Left(tb, run); len(left) > 0 {
			tb.Errorf("left in the run folder: %s", strings.Join(left, " "))
		}
	})
	return d
}

// Left lists what is in a run folder.
func Left(tb testing.TB, run string) []string {
	tb.Helper()
	entries, err := os.ReadDir(run)
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
