package kernels

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

// NotebookSession binds a document to a kernel: what Jupyter calls a session.
type NotebookSession struct {
	ID       string `json:"id"`
	Owner    string `json:"owner"`
	Path     string `json:"path"` // an identifier; often, but not always, a file
	Name     string `json:"name"`
	Type     string `json:"type"` // notebook, console, file …
	KernelID string `json:"kernel_id"`
}

// BoundSession is a NotebookSession with its kernel as it is now.
type BoundSession struct {
	NotebookSession
	Kernel Kernel
}

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

// Sessions lists the user's sessions whose kernels live, by path.
func (m *Manager) Sessions(ctx context.Context, who Who) ([]BoundSession, error) {
	if err := m.ready(ctx); err != nil {
		return nil, err
	}
	running, err := m.Kernels(ctx, who)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]Kernel, len(running))
	for _, k := range running {
		byID[k.ID] = k
	}
	out := []BoundSession{}
	m.mu.Lock()
	for _, s := range m.sessions[who.Project] {
		if k, ok := byID[s.KernelID]; ok && s.Owner == who.User {
			out = append(out, BoundSession{s, k})
		}
	}
	m.mu.Unlock()
	slices.SortFunc(out, func(a, b BoundSession) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// EnvironmentOf tells which build the user's kernel of the document at path runs on; nil if there is none.
func (m *Manager) EnvironmentOf(ctx context.Context, who Who, path string) *workloads.Environment {
	m.mu.Lock()
	kernel := ""
	for _, s := range m.sessions[who.Project] {
		if s.Owner == who.User && s.Path == path {
			kernel = s.KernelID
		}
	}
	m.mu.Unlock()
	if kernel == "" {
		return nil
	}
	info, err := m.cfg.Workloads.Get(ctx, who.Project, kernel)
	if err != nil {
		return nil
	}
	return info.Environment
}

// Session tells of one session.
func (m *Manager) Session(ctx context.Context, who Who, id string) (BoundSession, error) {
	if err := m.ready(ctx); err != nil {
		return BoundSession{}, err
	}
	m.mu.Lock()
	s, ok := m.sessions[who.Project][id]
	m.mu.Unlock()
	if !ok || s.Owner != who.User {
		return BoundSession{}, problem.New(problem.NotFound, "Session not found: session_id=%s", id)
	}
	k, err := m.Kernel(ctx, who, s.KernelID)
	if problem.Is(err, problem.NotFound) {
		return BoundSession{}, problem.New(problem.NotFound, "Session not found: session_id=%s", id)
	}
	return BoundSession{s, k}, err
}

// SessionRequest says what to bind. KernelID wins over KernelSpec.
type SessionRequest struct {
	Path, Name, Type     string
	KernelID, KernelSpec string
}

// CreateSession binds a document to a kernel, which it starts where none is named. If the user has a session for the path
// already, that one is returned, whatever kernel was asked for.
func (m *Manager) CreateSession(ctx context.Context, who Who, req SessionRequest) (BoundSession, error) {
	if err := m.ready(ctx); err != nil {
		return BoundSession{}, err
	}
	if err := checkTexts(req.Path, req.Name, req.Type); err != nil {
		return BoundSession{}, err
	}
	// Two tabs that open one notebook at once get one kernel.
	unlock, err := m.turns.wait(ctx, "session "+who.Project+"/"+who.User+"/"+req.Path)
	if err != nil {
		return BoundSession{}, err
	}
	defer unlock()
	if s, found, err := m.sessionOf(ctx, who, req.Path); found || err != nil {
		return s, err
	}
	k, err := m.kernelFor(ctx, who, req)
	if err != nil {
		return BoundSession{}, err
	}
	s := NotebookSession{ID: uuid.NewString(), Owner: who.User, Path: req.Path, Name: req.Name, Type: req.Type, KernelID: k.ID}
	if err := m.store(ctx, who.Project, s); err != nil {
		return BoundSession{}, errors.Join(err, m.undo(ctx, who, req.KernelID, k))
	}
	return BoundSession{s, k}, nil
}

// undo ends a kernel that was started for nothing; one that was asked for by its ID was there before.
func (m *Manager) undo(ctx context.Context, who Who, asked string, k Kernel) error {
	if asked != "" {
		return nil
	}
	return m.StopKernel(context.WithoutCancel(ctx), who, k.ID)
}

// maxText bounds paths, names and types, in bytes: as long as a path can be.
const maxText = 4096

func checkTexts(texts ...string) error {
	for _, text := range texts {
		if len(text) > maxText || strings.ContainsRune(text, 0) {
			return problem.New(problem.Invalid, "A path, name or type has at most %d bytes, none of them zero", maxText)
		}
	}
	return nil
}

// sessionOf finds the user's session for a path among those whose kernels live.
func (m *Manager) sessionOf(ctx context.Context, who Who, path string) (_ BoundSession, found bool, err error) {
	var same []NotebookSession
	m.mu.Lock()
	for _, s := range m.sessions[who.Project] {
		if s.Owner == who.User && s.Path == path {
			same = append(same, s)
		}
	}
	m.mu.Unlock()
	for _, s := range same {
		k, err := m.Kernel(ctx, who, s.KernelID)
		if err == nil {
			return BoundSession{s, k}, true, nil
		}
		if !problem.Is(err, problem.NotFound) {
			return BoundSession{}, false, err
		}
	}
	return BoundSession{}, false, nil
}

func (m *Manager) kernelFor(ctx context.Context, who Who, req SessionRequest) (Kernel, error) {
	if req.KernelID != "" {
		return m.Kernel(ctx, who, req.KernelID)
	}
	return m.StartKernel(ctx, who, StartRequest{Spec: req.KernelSpec, Path: req.Path, Name: title(req)})
}

// title is what people call the kernel of a document.
func title(req SessionRequest) string {
	if req.Name != "" {
		return req.Name
	}
	return path.Base(req.Path)
}

func (m *Manager) store(ctx context.Context, project string, s NotebookSession) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if _, err := m.cfg.Storage.Apply(ctx, storage.Put(sessionKey(project, s.ID), b)); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	m.mu.Lock()
	m.put(project, s)
	m.mu.Unlock()
	return nil
}

// SessionPatch changes what is set.
type SessionPatch struct {
	Path, Name, Type     *string
	KernelID, KernelSpec string
}

// UpdateSession changes a session. Another kernel takes the place of the one it had, which ends.
func (m *Manager) UpdateSession(ctx context.Context, who Who, id string, p SessionPatch) (BoundSession, error) {
	// Lab renames by two patches at once, of the path and of the name; the later one must see what the other has done.
	unlock, err := m.turns.wait(ctx, "update of session "+id)
	if err != nil {
		return BoundSession{}, err
	}
	defer unlock()
	s, err := m.Session(ctx, who, id)
	if err != nil {
		return BoundSession{}, err
	}
	for to, from := range map[*string]*string{&s.Path: p.Path, &s.Name: p.Name, &s.Type: p.Type} {
		if from != nil {
			*to = *from
		}
	}
	if err := checkTexts(s.Path, s.Name, s.Type); err != nil {
		return BoundSession{}, err
	}
	old := s.KernelID
	if p.KernelID != "" || p.KernelSpec != "" {
		k, err := m.kernelFor(ctx, who, SessionRequest{Path: s.Path, Name: s.Name, KernelID: p.KernelID, KernelSpec: p.KernelSpec})
		if err != nil {
			return BoundSession{}, err
		}
		s.KernelID, s.Kernel = k.ID, k
	}
	if err := m.store(ctx, who.Project, s.NotebookSession); err != nil {
		if old != s.KernelID {
			err = errors.Join(err, m.undo(ctx, who, p.KernelID, s.Kernel))
		}
		return BoundSession{}, err
	}
	if old != s.KernelID {
		if err := m.StopKernel(ctx, who, old); err != nil && !problem.Is(err, problem.NotFound) {
			return BoundSession{}, err
		}
	}
	if name := title(SessionRequest{Path: s.Path, Name: s.Name}); p.Name != nil || p.Path != nil {
		if err := m.cfg.Workloads.Rename(ctx, who.Project, s.KernelID, name); err != nil && !problem.Is(err, problem.NotFound) {
			return BoundSession{}, err
		}
	}
	return s, nil
}

// DeleteSession ends a session and its kernel. A problem.Gone if the kernel had ended before.
func (m *Manager) DeleteSession(ctx context.Context, who Who, id string) error {
	if err := m.ready(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	s, ok := m.sessions[who.Project][id]
	m.mu.Unlock()
	if !ok || s.Owner != who.User {
		return problem.New(problem.NotFound, "Session not found: session_id=%s", id)
	}
	if _, err := m.cfg.Storage.Apply(ctx, storage.Delete(sessionKey(who.Project, id))); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	m.mu.Lock()
	delete(m.sessions[who.Project], id)
	m.mu.Unlock()
	err := m.StopKernel(ctx, who, s.KernelID)
	if problem.Is(err, problem.NotFound) {
		return problem.New(problem.Gone, "Kernel deleted before session")
	}
	return err
}
