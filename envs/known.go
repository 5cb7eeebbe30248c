package envs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/plugins/storage"
)

// known is what memory keeps of environments, so that programs start without asking storage. What is written through this
// Service is forgotten before the writer gets an answer, what others write when storage tells of it.
type known struct {
	mu       sync.Mutex // guards below
	projects map[string]knownProject
	times    map[string]uint64 // how often each was forgotten
	writing  map[string]int    // how many write to each now
	epoch    uint64            // how often all were
	watching bool              // storage tells of what others write; without that, nothing is kept
}

// knownProject is what memory keeps of a project. Whoever changes it makes another one: it is shared.
type knownProject struct {
	envs   []envRecord // nil while they have not been read
	newest map[string]written
}

// written is a revision and what it says; nil where that cannot be read. It is shared: do not change it.
type written struct {
	Revision
	spec *spec.Spec
}

func (k *known) get(project string) (p knownProject, at [2]uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writing[project] == 0 {
		p = k.projects[project]
	}
	return p, [2]uint64{k.times[project], k.epoch}
}

// put keeps what was read, unless it was forgotten since the moment at.
func (k *known) put(project string, at [2]uint64, add func(*knownProject)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.watching || k.writing[project] > 0 || at != [2]uint64{k.times[project], k.epoch} {
		return
	}
	if k.projects == nil {
		k.projects = map[string]knownProject{}
	}
	p := k.projects[project]
	add(&p)
	k.projects[project] = p
}

// write keeps nothing of a project until done is called: whoever sees a part of what is written sees the rest too.
func (k *known) write(project string) (done func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writing == nil {
		k.writing = map[string]int{}
	}
	k.writing[project]++
	return func() {
		k.forget(project)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.writing[project]--; k.writing[project] == 0 {
			delete(k.writing, project)
		}
	}
}

func (k *known) forget(project string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.projects, project)
	if k.times == nil {
		k.times = map[string]uint64{}
	}
	k.times[project]++
}

// forgetAll begins anew; watching says whether storage tells of changes from now on.
func (k *known) forgetAll(watching bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.projects, k.watching = nil, watching
	k.epoch++
}

// environments are those of a project, the default one first, then the oldest. The result is shared: do not change it.
func (s *Service) environments(ctx context.Context, project string) ([]envRecord, error) {
	known, at := s.known.get(project)
	if known.envs != nil {
		return known.envs, nil
	}
	records, err := all[envRecord](ctx, s.cfg.Storage, envKeys+project+"/")
	if err != nil {
		return nil, err
	}
	envs := make([]envRecord, 0, len(records))
	for _, r := range records {
		if !r.value.Deleting {
			envs = append(envs, r.value)
		}
	}
	slices.SortStableFunc(envs, func(a, b envRecord) int {
		return cmp.Or(-compareBool(a.Default, b.Default), a.Created.Compare(b.Created))
	})
	s.known.put(project, at, func(p *knownProject) { p.envs = envs })
	return envs, nil
}

// newest is the newest revision of an environment, from memory.
func (s *Service) newest(ctx context.Context, env envRecord) (written, error) {
	known, at := s.known.get(env.Project)
	if w, ok := known.newest[env.Name]; ok && w.Number == env.Revision {
		return w, nil
	}
	r, err := s.revision(ctx, env.Project, env.Name, env.Revision)
	if err != nil {
		return written{}, err
	}
	w := written{Revision: r}
	w.spec, _ = parse(r.Text) // whoever needs it says what is wrong with it
	s.known.put(env.Project, at, func(p *knownProject) {
		p.newest = maps.Clone(p.newest)
		if p.newest == nil {
			p.newest = map[string]written{}
		}
		p.newest[env.Name] = w
	})
	return w, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// environment is one of a project, from memory.
func (s *Service) environment(ctx context.Context, project, name string) (envRecord, error) {
	envs, err := s.environments(ctx, project)
	if err != nil {
		return envRecord{}, err
	}
	for _, e := range envs {
		if e.Name == name {
			return e, nil
		}
	}
	return envRecord{}, noEnvironment(project, name)
}

// build reads a build from storage.
func (s *Service) build(ctx context.Context, project, name string, n int) (buildRecord, storage.Revision, error) {
	if _, err := s.environment(ctx, project, name); err != nil {
		return buildRecord{}, 0, err
	}
	b, rev, err := load[buildRecord](ctx, s.cfg.Storage, numbered(buildKeys, project, name, n))
	return b, rev, missing(err, "there is no build %d of environment %q", n, name)
}

// builds are all builds of an environment, the oldest first.
func (s *Service) builds(ctx context.Context, project, name string) ([]stored[buildRecord], error) {
	return all[buildRecord](ctx, s.cfg.Storage, buildKeys+project+"/"+name+"/")
}
