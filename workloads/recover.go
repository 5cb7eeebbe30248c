package workloads

import (
	"context"
	"fmt"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Start finds the workloads again that are stored and begins to serve the queue. It returns at once; what is not found
// yet makes other calls wait (Recovered).
func (m *Manager) Start() {
	m.follow() // first, so that nothing that is launched from now on is missed
	m.wg.Go(func() {
		for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
			err := m.recover(m.ctx)
			if err == nil {
				close(m.recovered)
				return
			}
			if m.ctx.Err() == nil {
				m.cfg.Log.Error("workloads could not be listed yet", "error", err)
			}
			select {
			case <-time.After(pause):
			case <-m.ctx.Done():
				return
			}
		}
	})
	m.wg.Go(m.serveQueue)
}

// Recovered waits until all stored workloads are known.
func (m *Manager) Recovered(ctx context.Context) error {
	select {
	case <-m.recovered:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *Manager) recover(ctx context.Context) error {
	info, err := m.cfg.Driver.Info(ctx)
	if err != nil {
		return fmt.Errorf("workloads: %w", err)
	}
	m.driver = info.Name
	q := storage.Query{Prefix: prefix}
	for {
		page, err := m.cfg.Storage.List(ctx, q)
		if err != nil {
			return fmt.Errorf("workloads: %w", err)
		}
		for _, rec := range page.Records {
			m.adopt(ctx, rec)
		}
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}

// adopt takes a stored workload up again. One whose launch was abandoned is swept: something may have been started under its ID, and
// nobody has got an answer. It returns nil for one that is known already, that somebody is launching, or that cannot be read.
func (m *Manager) adopt(ctx context.Context, rec storage.Record) *workload {
	project, id, ok := splitKey(rec.Key)
	r, err := decode(rec.Value)
	if !ok || err != nil {
		m.cfg.Log.Error("stored workload cannot be read", "key", rec.Key, "error", err)
		return nil
	}
	if r.Handle == nil && !m.abandoned(ctx, r) {
		return nil
	}
	w := &workload{m: m, project: project, id: id, rec: r, rev: rec.Rev, changed: make(chan struct{}), gone: make(chan struct{})}
	w.state = agent.State{Phase: agent.Running, Started: r.Started, LastActivity: r.Started, Activity: "unknown"}
	m.mu.Lock()
	known := m.live[id] != nil || m.reserved[id] // the list broke off and begins again, or we launch it
	if !known {
		m.live[id] = w
	}
	m.mu.Unlock()
	if known {
		return nil
	}
	switch {
	case r.Handle == nil:
		w.rec.Handle = &scheduling.Handle{Driver: m.driver, ID: id}
		m.wg.Go(func() { m.reap(w) })
	case r.Stopping:
		m.wg.Go(func() { m.reap(w) }) // its job may not have reached the queue
	default:
		m.wg.Go(w.watch)
	}
	return w
}

// launchLimit is longer than any launch takes. After that, whoever was at it has gone, or will find that it has been swept.
const launchLimit = 5 * time.Minute

// abandoned says whether nobody is at work any more on a launch that has not come to its end. Storage that knows its holders tells
// at once. Where it does not, and of launches by older programs, age alone tells.
func (m *Manager) abandoned(ctx context.Context, r record) bool {
	if time.Since(r.Started) > launchLimit {
		return true
	}
	holders, ok := m.cfg.Storage.(storage.Holders)
	if !ok || r.Launcher == "" {
		return false
	}
	gone, err := holders.Gone(ctx, r.Launcher)
	if err != nil && ctx.Err() == nil {
		m.cfg.Log.Warn("it is not known whether a launch goes on", "launcher", r.Launcher, "error", err)
	}
	return gone
}

// launcher is this process in the records of what it launches; empty where storage does not know its holders.
func (m *Manager) launcher() string {
	if holders, ok := m.cfg.Storage.(storage.Holders); ok {
		return holders.Holder()
	}
	return ""
}

// Settled waits until the agents of all recovered workloads have told their state, or the time is over.
func (m *Manager) Settled(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if m.Recovered(ctx) != nil {
		return
	}
	m.mu.Lock()
	all := make([]*workload, 0, len(m.live))
	for _, w := range m.live {
		all = append(all, w)
	}
	m.mu.Unlock()
	for _, w := range all {
		w.settled(ctx)
	}
}

func (w *workload) settled(ctx context.Context) {
	for {
		w.mu.Lock()
		known, changed := w.conn != nil || w.finished || w.rec.Stopping, w.changed
		w.mu.Unlock()
		if known {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
