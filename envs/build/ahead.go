package build

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
)

// ahead is what a standby makes of the lock that the order to come will resemble: most of it, or all, will be wanted. What is not
// wanted, or not ready in time, costs the head start alone. A nil ahead has nothing.
type ahead struct {
	enough    context.CancelFunc // says that the folders are wanted now
	skeletons chan *skeleton     // gets them
	done      sync.WaitGroup
	staged    stage        // once that is done, as the next
	known     *store.Known // nil means that it is not known
}

// workAhead begins to make it. Who began waits for its end.
func workAhead(ctx context.Context, cfg StandbyConfig, order *store.Order) *ahead {
	a := &ahead{skeletons: make(chan *skeleton, 1)}
	folders, enough := context.WithCancel(ctx)
	a.enough = enough
	a.done.Go(func() {
		if err := a.work(ctx, folders.Done(), cfg, order); err != nil && ctx.Err() == nil {
			cfg.Log.WarnContext(ctx, "not all was made ready for the order to come", "error", err)
		}
	})
	return a
}

func (a *ahead) work(ctx context.Context, enough <-chan struct{}, cfg StandbyConfig, order *store.Order) error {
	defer close(a.skeletons)
	if order.Lock == nil || order.Lock.Kind != lock.Conda {
		return nil
	}
	folder := filepath.Dir(cfg.Store.StandbyEvents(cfg.Name))
	s, err := makeSkeleton(enough, filepath.Join(folder, "prefix"), cfg.Store.Packages(order.Options.Domain), order.Lock)
	if err != nil {
		return err
	}
	a.skeletons <- s
	if err := context.Cause(ctx); err != nil {
		return err
	}
	l, err := newLayer(&builder{store: cfg.Store, order: order, lock: order.Lock, log: cfg.Log}, folder)
	if err != nil {
		return err
	}
	if err := l.stage(); err != nil {
		return err
	}
	a.staged, a.known = l.staging.staged, cfg.Store.Known(similar)
	return nil
}

// prefix gives a prefix the folders that there are so far, nil if there are none.
func (a *ahead) prefix(path string, l *lock.Lock) *skeleton {
	if a == nil {
		return nil
	}
	a.enough()
	s := <-a.skeletons
	if s == nil || s.become(path, l) != nil {
		return nil
	}
	return s
}

// rest waits, and gives what there is besides.
func (a *ahead) rest() (stage, *store.Known) {
	if a == nil {
		return nil, nil
	}
	a.done.Wait()
	return a.staged, a.known
}
