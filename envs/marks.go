package envs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

const (
	// triedFor is how long a lock stays that was never part of a build: of a dry run, an edit that was thought better of, an import.
	triedFor = 30 * 24 * time.Hour
	// builtFor is how long a lock stays after the last build of it has been deleted: notebooks that ran on it name it.
	builtFor = 365 * 24 * time.Hour
)

// lockMark is what is known of a lock besides its content.
type lockMark struct {
	// Built says that it was part of a build that became ready.
	Built bool `json:"built,omitempty"`
	// Unused is since when no build and no revision has named it; zero while one does.
	Unused time.Time `json:"unused,omitzero"`
}

// over says whether a lock with this mark may go.
func (m lockMark) over(now time.Time) bool {
	limit := triedFor
	if m.Built {
		limit = builtFor
	}
	return !m.Unused.IsZero() && now.Sub(m.Unused) > limit
}

// lockUses says of every lock that something names whether it was part of a ready build.
func (s *Service) lockUses(ctx context.Context) (map[string]bool, error) {
	uses := map[string]bool{}
	revisions, err := all[Revision](ctx, s.cfg.Storage, revisionKeys)
	if err != nil {
		return nil, err
	}
	for _, r := range revisions {
		uses[r.value.Lock] = false
	}
	builds, err := all[buildRecord](ctx, s.cfg.Storage, buildKeys)
	if err != nil {
		return nil, err
	}
	for _, b := range builds {
		uses[b.value.Lock] = uses[b.value.Lock] || b.value.State == Ready
	}
	manifests, err := s.cfg.Store.Manifests()
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		uses[m.Lock] = true
	}
	delete(uses, "")
	return uses, nil
}

// markBuilt notes which locks are part of ready builds, while those builds are there.
func (s *Service) markBuilt(ctx context.Context) error {
	marks, err := s.lockMarks(ctx)
	if err != nil {
		return err
	}
	uses, err := s.lockUses(ctx)
	if err != nil {
		return err
	}
	for id, built := range uses {
		if old := marks[id]; built && !old.value.Built {
			if err := s.mark(ctx, id, old, lockMark{Built: true, Unused: old.value.Unused}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) lockMarks(ctx context.Context) (map[string]stored[lockMark], error) {
	list, err := all[lockMark](ctx, s.cfg.Storage, lockMarkKeys)
	if err != nil {
		return nil, err
	}
	marks := make(map[string]stored[lockMark], len(list))
	for _, m := range list {
		marks[strings.TrimPrefix(m.key, lockMarkKeys)] = m
	}
	return marks, nil
}

// mark changes what is known of a lock, unless somebody else has meanwhile: then the next collection looks again.
func (s *Service) mark(ctx context.Context, id string, old stored[lockMark], now lockMark) error {
	if old.key != "" && old.value == now {
		return nil
	}
	op := storage.Create(lockMarkKeys+id, encode(now))
	if old.key != "" {
		op = storage.Update(old.key, encode(now), old.rev)
	}
	_, err := s.cfg.Storage.Apply(ctx, op)
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("mark lock: %w", err)
	}
	return nil
}

// touch gives a lock that is about to be collected its whole time again, because somebody is about to name it.
func (s *Service) touch(ctx context.Context, id string) error {
	for {
		m, rev, err := load[lockMark](ctx, s.cfg.Storage, lockMarkKeys+id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && m.Unused.IsZero() {
			return nil
		}
		if err != nil {
			return err
		}
		m.Unused = s.now()
		_, err = s.cfg.Storage.Apply(ctx, storage.Update(lockMarkKeys+id, encode(m), rev))
		if err == nil {
			return nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return fmt.Errorf("mark lock: %w", err)
		}
	}
}

// collectLocks removes the locks that nothing has named for long. It must not come between somebody who asks for a lock and the
// record that will name it: whoever asks changes its mark first.
func (s *Service) collectLocks(ctx context.Context) (count int, bytes int64, err error) {
	marks, err := s.lockMarks(ctx)
	if err != nil {
		return 0, 0, err
	}
	uses, err := s.lockUses(ctx)
	if err != nil {
		return 0, 0, err
	}
	for q := (storage.Query{Prefix: lockKeys}); ; {
		page, err := s.cfg.Storage.List(ctx, q)
		if err != nil {
			return count, bytes, err
		}
		for _, r := range page.Records {
			id := strings.TrimPrefix(r.Key, lockKeys)
			built, used := uses[id]
			gone, err := s.collectLock(ctx, id, marks[id], built, used)
			if err != nil {
				return count, bytes, err
			}
			if gone {
				count, bytes = count+1, bytes+int64(len(r.Value))
			}
		}
		if q.After = page.Next; page.Next == "" {
			return count, bytes, nil
		}
	}
}

// collectLock looks at one lock.
func (s *Service) collectLock(ctx context.Context, id string, old stored[lockMark], built, used bool) (gone bool, err error) {
	now := lockMark{Built: old.value.Built || built, Unused: old.value.Unused}
	switch {
	case used:
		now.Unused = time.Time{}
	case now.Unused.IsZero():
		now.Unused = s.now()
	case now.over(s.now()):
		_, err := s.cfg.Storage.Apply(ctx, storage.Delete(lockKeys+id), storage.Delete(old.key).When(storage.At(old.rev)))
		if errors.Is(err, storage.ErrConflict) {
			return false, nil
		}
		if err == nil {
			s.locks.drop(id)
		}
		return err == nil, err
	}
	return false, s.mark(ctx, id, old, now)
}
