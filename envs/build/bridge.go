package build

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/envs/driver"
)

// Kind is the kind of workloads that build environments.
const Kind = "build"

// Spec is what the workload of a build passes to its bridge, as JSON.
type Spec struct {
	// Events is the file to which the builder appends its events.
	Events string `json:"events"`
	// Waits says that it begins by waiting for an order: until then there are no events.
	Waits bool `json:"waits,omitempty"`
}

// Bridge implements agent.Bridge for one builder. There is nothing to attach to: what a builder has to say is in its file of
// events. The bridge only passes on the phase.
type Bridge struct {
	host agent.Host
	spec Spec
	stop context.CancelFunc
	done sync.WaitGroup
}

var _ agent.Bridge = (*Bridge)(nil)

// NewBridge is the agent.Factory for builds.
func NewBridge(host agent.Host) (agent.Bridge, error) {
	b := &Bridge{host: host, stop: func() {}}
	if err := json.Unmarshal(host.Spec.Workload.Spec, &b.spec); err != nil {
		return nil, fmt.Errorf("build: spec: %w", err)
	}
	return b, nil
}

// Prepare implements agent.Bridge.
func (b *Bridge) Prepare(context.Context) (agent.Start, error) { return agent.Start{}, nil }

// Connect implements agent.Bridge: a builder is up as soon as it runs.
func (b *Bridge) Connect(ctx context.Context) error {
	if b.spec.Waits {
		b.host.Sink.Activity("waiting", false)
	}
	ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx)) // Close ends it, after the last event
	b.done.Go(func() { b.follow(ctx) })
	return nil
}

// lookAgain is how often the file of events is looked at. People see the phase in a list, so it need not be sooner.
const lookAgain = 250 * time.Millisecond

// follow tells the phase that the builder is in until the context ends.
func (b *Bridge) follow(ctx context.Context) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	var at int64
	for {
		var phase driver.Phase
		if phase, at = lastPhase(b.spec.Events, at); phase != "" {
			b.host.Sink.Activity(string(phase), false)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// maxLine is how long a line of events may be; conflicts explained are the longest.
const maxLine = 4 << 20

// lastPhase reads the whole lines from offset at on, and gives the last phase in them and where to go on.
func lastPhase(path string, at int64) (phase driver.Phase, next int64) {
	f, err := os.Open(path)
	if err != nil {
		return "", at
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < at {
		at = 0 // begun anew
	}
	r := bufio.NewReader(io.NewSectionReader(f, at, maxLine))
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return phase, at
		}
		at += int64(len(line))
		var e driver.Event
		if json.Unmarshal(line, &e) == nil && e.Phase != "" {
			phase = e.Phase
		}
	}
}

// Input implements agent.Bridge: a builder takes none.
func (b *Bridge) Input(context.Context, string, []byte) error {
	return errors.New("build: a build takes no input")
}

// Interrupt implements agent.Bridge: it cancels the build.
func (b *Bridge) Interrupt(context.Context) error { return agent.ErrUseSignal }

// Shutdown implements agent.Bridge: a builder that is told so clears up what it has made and ends.
func (b *Bridge) Shutdown(context.Context, bool) error { return b.host.Signal(syscall.SIGTERM) }

// Lost implements agent.Bridge; that a builder ended is known by its workload.
func (b *Bridge) Lost(string, bool) {}

// Cut implements agent.Bridge.
func (b *Bridge) Cut(uint64, uint64) []byte { return nil }

// Close implements agent.Bridge.
func (b *Bridge) Close() error {
	b.stop()
	b.done.Wait()
	return nil
}
