package local_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/scheduling/schedulingtest"
)

// TestMain lets this test binary be the agent too.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "agent" {
		runAgent(os.Args[3])
	}
	os.Exit(m.Run())
}

func runAgent(dir string) {
	ready := os.NewFile(3, "ready")
	err := agent.Run(context.Background(), agent.Config{
		Dir: dir, Factories: map[string]agent.Factory{"process": newBare}, Log: slog.New(slog.DiscardHandler),
		Ready: func() {
			_, _ = ready.WriteString("ready")
			_ = ready.Close()
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bare is the bridge to a program that nobody talks with.
type bare struct{}

func newBare(agent.Host) (agent.Bridge, error) { return bare{}, nil }

func (bare) Prepare(context.Context) (agent.Start, error) { return agent.Start{}, nil }
func (bare) Connect(context.Context) error                { return nil }
func (bare) Input(context.Context, string, []byte) error  { return nil }
func (bare) Interrupt(context.Context) error              { return agent.ErrUseSignal }
func (bare) Shutdown(context.Context, bool) error         { return agent.ErrUseSignal }
func (bare) Lost(string, bool)                            {}
func (bare) Cut(uint64, uint64) []byte                    { return nil }
func (bare) Close() error                                 { return nil }

func TestConformance(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	schedulingtest.Run(t, func(tb testing.TB) schedulingtest.World {
		run, err := os.MkdirTemp("", "hy") // short, for the sockets
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = os.RemoveAll(run) })
		return schedulingtest.World{
			Workload: scheduling.Workload{Kind: "process", Project: "demo"},
			Lingers:  true, // the agent of a dead program waits for a restart or a stop
			Open: func(tb testing.TB) scheduling.Driver {
				d, err := local.New(local.Config{Run: run, Agent: []string{exe, "agent"}})
				if err != nil {
					tb.Fatal(err)
				}
				return d
			},
		}
	})
}
