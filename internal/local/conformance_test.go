package local_test

import (
	"context"
	"testing"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/scheduling/schedulingtest"
)

// TestMain lets this test binary be the agent too.
func TestMain(m *testing.M) {
	localtest.Main(m, map[string]localtest.Program{"agent": localtest.Agent(map[string]agent.Factory{"process": newBare})})
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
	schedulingtest.Run(t, func(tb testing.TB) schedulingtest.World {
		config := localtest.Config(tb, localtest.RunDir(tb))
		return schedulingtest.World{
			Workload: scheduling.Workload{Kind: "process", Project: "demo"},
			Env:      []string{"HOPYARD_WORKLOAD=env"},
			Open: func(tb testing.TB) scheduling.Driver {
				d, err := local.New(config)
				if err != nil {
					tb.Fatal(err)
				}
				return d
			},
		}
	})
}
