package build

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sys/unix"
)

// phaseLimit is how long a phase may take where the order says nothing.
const phaseLimit = 30 * time.Minute

// limits ends a context when a phase takes too long.
type limits struct {
	phases map[driver.Phase]time.Duration
	cancel context.CancelCauseFunc

	mu    sync.Mutex // guards below
	phase driver.Phase
	timer *time.Timer
}

// newLimits gives a context that ends, with the reason as its cause, when a phase takes longer than l allows. The first
// phase is the fetching.
func newLimits(ctx context.Context, l store.Limits) (context.Context, *limits) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &limits{phases: l.Phases, cancel: cancel}
	t.enter(driver.Fetch)
	return ctx, t
}

// enter begins a phase; it does nothing if that is the present one.
func (t *limits) enter(phase driver.Phase) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if phase == t.phase {
		return
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	limit, ok := t.phases[phase]
	if !ok {
		limit = phaseLimit
	}
	t.phase = phase
	t.timer = time.AfterFunc(limit, func() {
		t.cancel(driver.Failf(driver.TimedOut, "the phase %q took longer than the %v that it may: try again, or ask for a higher limit", phase, limit))
	})
}

func (t *limits) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Stop()
	t.cancel(nil)
}

// limitMemory bounds the address space of a process that has just started, in bytes; 0 means no limit.
func limitMemory(pid int, bytes int64) error {
	if bytes <= 0 {
		return nil
	}
	limit := unix.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	if err := unix.Prlimit(pid, unix.RLIMIT_AS, &limit, nil); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("limit memory: %w", err)
	}
	return nil
}
