package kernels

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

const sessionPrefix = "notebook-sessions/"

func sessionKey(project, id string) string { return sessionPrefix + project + "/" + id }

// sweepEvery is how often sessions whose kernels have ended are looked for: hints can be missed.
const sweepEvery = time.Minute

// Start loads the stored sessions, in the background, and forgets sessions as their kernels end, until the context ends.
func (m *Manager) Start(ctx context.Context) {
	hints := m.cfg.Workloads.Subscribe(ctx)
	go func() {
		if err := m.load(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Log.ErrorContext(ctx, "stored sessions cannot be read", "error", err)
		}
		close(m.loaded)
		m.sweep(ctx)
		look := time.NewTicker(sweepEvery)
		defer look.Stop()
		for {
			select {
			case c, ok := <-hints:
				if !ok {
					return
				}
				m.sweepKernel(ctx, c.Project, c.ID)
			case <-look.C:
				m.sweep(ctx)
			}
		}
	}()
}

// sweep forgets the sessions of all kernels that have ended.
func (m *Manager) sweep(ctx context.Context) {
	type kernel struct{ project, id string }
	bound := map[kernel]bool{}
	m.mu.Lock()
	for project, sessions := range m.sessions {
		for _, s := range sessions {
			bound[kernel{project, s.KernelID}] = true
		}
	}
	m.mu.Unlock()
	for k := range bound {
		m.sweepKernel(ctx, k.project, k.id)
	}
}

func (m *Manager) sweepKernel(ctx context.Context, project, kernel string) {
	if _, err := m.cfg.Workloads.Get(ctx, project, kernel); problem.Is(err, problem.NotFound) {
		m.kernelGone(ctx, project, kernel)
	}
}

func (m *Manager) load(ctx context.Context) error {
	q := storage.Query{Prefix: sessionPrefix}
	for {
		page, err := m.cfg.Storage.List(ctx, q)
		if err != nil {
			return err
		}
		m.mu.Lock()
		for _, rec := range page.Records {
			project, id, _ := strings.Cut(strings.TrimPrefix(rec.Key, sessionPrefix), "/")
			var s NotebookSession
			if json.Unmarshal(rec.Value, &s) == nil {
				s.ID = id
				m.put(project, s)
			}
		}
		m.mu.Unlock()
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}

// put keeps a session in memory; the caller holds mu.
func (m *Manager) put(project string, s NotebookSession) {
	if m.sessions[project] == nil {
		m.sessions[project] = map[string]NotebookSession{}
	}
	m.sessions[project][s.ID] = s
}

func (m *Manager) ready(ctx context.Context) error {
	select {
	case <-m.loaded:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// kernelGone removes the sessions of a kernel that has ended.
func (m *Manager) kernelGone(ctx context.Context, project, kernel string) {
	m.storing.Lock()
	defer m.storing.Unlock()
	var ids []string
	m.mu.Lock()
	for id, s := range m.sessions[project] {
		if s.KernelID == kernel {
			ids = append(ids, id)
			delete(m.sessions[project], id)
		}
	}
	m.mu.Unlock()
	for batch := range slices.Chunk(ids, storage.MaxOps) {
		ops := make([]storage.Op, len(batch))
		for i, id := range batch {
			ops[i] = storage.Delete(sessionKey(project, id))
		}
		if _, err := m.cfg.Storage.Apply(ctx, ops...); err != nil && ctx.Err() == nil {
			m.cfg.Log.ErrorContext(ctx, "sessions of an ended kernel stay in storage", "kernel", kernel, "error", err)
		}
	}
}

func (m *Manager) store(ctx context.Context, project string, s NotebookSession) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	m.storing.Lock()
	defer m.storing.Unlock()
	if _, err := m.cfg.Storage.Apply(ctx, storage.Put(sessionKey(project, s.ID), b)); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	m.mu.Lock()
	m.put(project, s)
	m.mu.Unlock()
	return nil
}

func (m *Manager) remove(ctx context.Context, project, id string) error {
	m.storing.Lock()
	defer m.storing.Unlock()
	if _, err := m.cfg.Storage.Apply(ctx, storage.Delete(sessionKey(project, id))); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	m.mu.Lock()
	delete(m.sessions[project], id)
	m.mu.Unlock()
	return nil
}
