package kernels

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/internal/problem"
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

// SessionPatch changes what is set.
type SessionPatch struct {
	Path, Name, Type     *string
	KernelID, KernelSpec string
}

// UpdateSession changes a session. Another kernel takes the place of the one it had, which ends.
func (m *Manager) UpdateSession(ctx context.Context, who Who, id string, p SessionPatch) (BoundSession, error) {
	// Lab renames by two patches at once, of the path and of the name; the later one must see what the other has done.
	unlock, err := m.turns.wait(ctx, "change of session "+id)
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
	// An update that is under way, which may take a kernel's start, would bring the session back.
	unlock, err := m.turns.wait(ctx, "change of session "+id)
	if err != nil {
		return err
	}
	defer unlock()
	m.mu.Lock()
	s, ok := m.sessions[who.Project][id]
	m.mu.Unlock()
	if !ok || s.Owner != who.User {
		return problem.New(problem.NotFound, "Session not found: session_id=%s", id)
	}
	if err := m.remove(ctx, who.Project, id); err != nil {
		return err
	}
	err = m.StopKernel(ctx, who, s.KernelID)
	if problem.Is(err, problem.NotFound) {
		return problem.New(problem.Gone, "Kernel deleted before session")
	}
	return err
}
