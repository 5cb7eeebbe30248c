package workloads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

// lookEvery is how often storage is looked at for what no hint told.
const lookEvery = 15 * time.Second

// follow keeps up, in the background, with what other processes on the same storage launch, change and stop.
func (m *Manager) follow() {
	hints := make(chan struct{}, 1)
	watcher, err := m.cfg.Storage.Watch(m.ctx, prefix)
	if err != nil {
		m.cfg.Log.Warn("storage cannot be watched", "error", err)
	} else {
		m.wg.Go(func() { m.listen(watcher, hints) })
	}
	m.wg.Go(func() { m.lookAt(hints) })
}

// lookAt looks at storage after every hint, and now and then.
func (m *Manager) lookAt(hints <-chan struct{}) {
	if m.Recovered(m.ctx) != nil {
		return
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-hints:
		case <-look.C:
		case <-m.ctx.Done():
			return
		}
		if err := m.look(m.ctx); err != nil && m.ctx.Err() == nil {
			m.cfg.Log.Warn("stored workloads could not be listed", "error", err)
		}
	}
}

// listen gives a hint whenever somebody else has written or removed a workload.
func (m *Manager) listen(watcher storage.Watcher, hints chan<- struct{}) {
	defer watcher.Close()
	for {
		change, err := watcher.Next(m.ctx)
		if err != nil && !errors.Is(err, storage.ErrMissed) {
			return
		}
		if err == nil && m.ours(change) {
			continue
		}
		select {
		case hints <- struct{}{}:
		default:
		}
	}
}

// ours says whether a change tells nothing new: we made it, or have forgotten the workload already.
func (m *Manager) ours(c storage.Change) bool {
	project, id, ok := splitKey(c.Key)
	if !ok {
		return true
	}
	m.mu.Lock()
	w, reserved := m.live[id], m.reserved[id]
	m.mu.Unlock()
	switch {
	case reserved:
		return true
	case w == nil || w.project != project:
		return c.Deleted
	default:
		return !c.Deleted && c.Rev <= w.revision()
	}
}

// look makes memory agree with storage. It looks at memory first: what is launched meanwhile is stored before it is known here, and
// what is dropped meanwhile is not taken up again.
func (m *Manager) look(ctx context.Context) error {
	m.mu.Lock()
	known, reserved := maps.Clone(m.live), maps.Clone(m.reserved)
	m.mu.Unlock()
	var again []storage.Record
	for q := (storage.Query{Prefix: prefix}); ; {
		page, err := m.cfg.Storage.List(ctx, q)
		if err != nil {
			return fmt.Errorf("workloads: %w", err)
		}
		for _, rec := range page.Records {
			_, id, ok := splitKey(rec.Key)
			switch w := known[id]; {
			case w != nil && w.refresh(rec):
				delete(known, id)
			case w != nil: // its ID is used again, perhaps in another project
				again = append(again, rec)
			case ok && !reserved[id]:
				m.welcome(ctx, rec)
			}
		}
		if q.After = page.Next; page.Next == "" {
			break
		}
	}
	for _, w := range known {
		m.drop(w, "")
	}
	for _, rec := range again {
		m.welcome(ctx, rec)
	}
	return nil
}

// welcome takes up what another process has launched, or has left in the middle of its launch. What it is still launching, or is
// being stopped, is its own business.
func (m *Manager) welcome(ctx context.Context, rec storage.Record) {
	if r, err := decode(rec.Value); err != nil || r.Stopping {
		return
	}
	if w := m.adopt(ctx, rec); w != nil {
		m.tell(w)
	}
}
