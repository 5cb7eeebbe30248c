package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/filelock"
)

// root is what one data directory wants kept.
type root struct {
	Site string    `json:"site"` // for people
	Keep []string  `json:"keep"`
	Time time.Time `json:"time"`
}

// SetRoots says which prefixes the site wants kept: active, pinned, recent, in use, or about to be asked for. It replaces what the
// site said before. A site first says that it wants a prefix and then looks whether it is there, so that Collect cannot come between.
func (s *Store) SetRoots(ctx context.Context, site string, keep []string) error {
	keep = slices.Compact(slices.Sorted(slices.Values(keep)))
	for _, id := range keep {
		if err := check(id); err != nil {
			return fmt.Errorf("keep environments: %w", err)
		}
	}
	held, err := s.lockRoots(ctx)
	if err != nil {
		return err
	}
	defer held.Close()
	old, err := readRoot(s.rootPath(site))
	if err == nil && slices.Equal(old.Keep, keep) {
		return nil
	}
	b, err := json.Marshal(root{site, keep, time.Now().UTC()})
	if err != nil {
		return fmt.Errorf("keep environments: %w", err)
	}
	if err := writeFile(s.rootPath(site), b, 0o644, true); err != nil {
		return fmt.Errorf("keep environments: %w", err)
	}
	return nil
}

// Collected is what Collect or CollectCaches removed.
type Collected struct {
	IDs   []string // of prefixes, or names of packages
	Bytes int64    // that came free
}

// Collect removes all prefixes, and archives of prefixes, that no site wants kept. What is being built or packed, or held by Hold,
// is left alone.
func (s *Store) Collect(ctx context.Context) (Collected, error) {
	var done Collected
	ids, err := s.ids()
	if err != nil {
		return done, err
	}
	archives, err := filepath.Glob(s.path("archives", "[0-9a-f]*.json"))
	if err != nil {
		return done, err
	}
	for _, path := range archives {
		if id := strings.TrimSuffix(filepath.Base(path), ".json"); check(id) == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	var errs []error
	for _, id := range ids {
		m, _ := s.Manifest(id)
		trashed, err := s.collect(ctx, id)
		if err == nil && trashed != "" {
			err = s.empty(ctx, trashed)
			if m != nil {
				done.IDs = append(done.IDs, id)
				done.Bytes += m.OwnBytes
			}
		}
		errs = append(errs, err)
	}
	return done, errors.Join(errs...)
}

// collect puts the prefix id into the trash if nobody wants it, and says where. No site can say that it does meanwhile.
func (s *Store) collect(ctx context.Context, id string) (trashed string, err error) {
	roots, err := s.lockRoots(ctx)
	if err != nil {
		return "", err
	}
	defer roots.Close()
	wanted, err := s.wanted()
	if err != nil || slices.Contains(wanted, id) {
		return "", err
	}
	held, err := s.TryLock(id)
	if errors.Is(err, filelock.ErrHeld) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("collect %s: %w", id, err)
	}
	defer held.Close()
	free, err := s.freeOfPrograms(id)
	if err != nil {
		return "", err
	}
	if free == nil {
		return "", nil
	}
	defer func() { _ = filelock.Release(free) }()
	if err := s.RemoveArchive(id); err != nil {
		return "", err
	}
	return s.discard(id)
}

// wanted are the prefixes that any site wants kept, sorted. It must not guess: a file that cannot be read stops the collection.
func (s *Store) wanted() ([]string, error) {
	entries, err := os.ReadDir(s.path("roots"))
	if err != nil {
		return nil, fmt.Errorf("read what to keep: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || filepath.Ext(e.Name()) != ".json" {
			continue
		}
		r, err := readRoot(s.path("roots", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read what to keep: %w", err)
		}
		ids = append(ids, r.Keep...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// lockRoots is held by who says what is kept, and by who only looks whether somebody is at work on a prefix, for as long as that
// takes: none of them takes another's look for a builder.
func (s *Store) lockRoots(ctx context.Context) (*filelock.Lock, error) {
	held, err := filelock.Wait(ctx, s.path("roots", "lock"))
	if err != nil {
		return nil, fmt.Errorf("what to keep: %w", err)
	}
	return held, nil
}

// rootPath is the file of a site, whose name may hold anything.
func (s *Store) rootPath(site string) string { return s.path("roots", shortHash(site)+".json") }

func readRoot(path string) (root, error) {
	var r root
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return r, nil
}
