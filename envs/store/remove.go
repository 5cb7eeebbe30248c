package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/filelock"
)

// Remove removes the prefix id and all that belongs to it but its lock file and its archive. It waits for a builder at work on
// it. Programs that run on it are the caller's concern. Removing what is not there is no error.
func (s *Store) Remove(ctx context.Context, id string) error {
	held, err := s.Lock(ctx, id)
	if err != nil {
		return fmt.Errorf("remove environment's files: %w", err)
	}
	defer held.Close()
	trashed, err := s.discard(id)
	if err != nil {
		return err
	}
	os.RemoveAll(s.path("work", id))
	return s.empty(ctx, trashed)
}

// Discard removes what there is of the prefix id. The caller holds its lock.
func (s *Store) Discard(ctx context.Context, id string) error {
	trashed, err := s.discard(id)
	if err != nil {
		return err
	}
	return s.empty(ctx, trashed)
}

// discard moves manifest and prefix away: from one moment to the other nobody sees the prefix any more. The manifest goes
// first.
func (s *Store) discard(id string) (trashed string, err error) {
	if err := check(id); err != nil {
		return "", err
	}
	s.forget(id)
	for _, path := range []string{s.manifestPath(id), s.inodesPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("remove environment's files: %w", err)
		}
	}
	return s.toTrash(s.Prefix(id))
}

// toTrash renames path into the trash, which is on the same filesystem, and says where. Nothing there is nothing to do.
func (s *Store) toTrash(path string) (string, error) {
	at, err := os.MkdirTemp(s.path("trash"), "")
	if err != nil {
		return "", fmt.Errorf("remove environment's files: %w", err)
	}
	to := filepath.Join(at, filepath.Base(path))
	// A folder that nobody may write into cannot be moved to another parent.
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		_ = os.Chmod(path, info.Mode().Perm()|0o700)
	}
	if err := os.Rename(path, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", errors.Join(fmt.Errorf("remove environment's files: %w", err), os.Remove(at))
	}
	return at, nil
}

// empty deletes one folder of the trash. It stops when the context ends; the next Sweep goes on.
func (s *Store) empty(ctx context.Context, dir string) error {
	if err := removeTree(ctx, dir); err != nil {
		return fmt.Errorf("empty trash: %w", err)
	}
	return nil
}

// removeTree is os.RemoveAll for trees with folders that were sealed.
func removeTree(ctx context.Context, dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir():
			if err := context.Cause(ctx); err != nil {
				return err
			}
			return os.Chmod(path, 0o700) // before it is read: see fs.WalkDirFunc
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(dir)
}

// keepWork is how long orders and events of what is not being built stay for somebody to read.
const keepWork = 24 * time.Hour

// Sweep removes what killed builders have left: prefixes without a manifest on which nobody works, and what is in the trash.
// It goes on where something cannot be removed, and tells of it in the end.
func (s *Store) Sweep(ctx context.Context) (swept []string, err error) {
	var errs []error
	ids, err := s.known()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		gone, err := s.sweep(ctx, id)
		if err != nil {
			errs = append(errs, err)
		}
		if gone {
			swept = append(swept, id)
		}
	}
	errs = append(errs, s.sweepFiles(), s.sweepStandbys(), s.emptyTrash(ctx))
	return swept, errors.Join(errs...)
}

// known are all ids of which there is a prefix or a folder of work.
func (s *Store) known() ([]string, error) {
	var ids []string
	for _, dir := range []string{"b", "work"} {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
		for _, e := range entries {
			if check(e.Name()) == nil {
				ids = append(ids, e.Name())
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// sweep looks at one id; gone says that a half-built prefix was put into the trash.
func (s *Store) sweep(ctx context.Context, id string) (gone bool, err error) {
	roots, err := s.lockRoots(ctx)
	if err != nil {
		return false, err
	}
	defer roots.Close()
	held, err := s.TryLock(id)
	if errors.Is(err, filelock.ErrHeld) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("sweep %s: %w", id, err)
	}
	defer held.Close()
	if _, whole := s.Manifest(id); !whole {
		if _, err := os.Lstat(s.Prefix(id)); err == nil {
			if _, err := s.discard(id); err != nil {
				return false, err
			}
			gone = true
		}
	}
	if s.stale(id) {
		os.RemoveAll(s.path("work", id))
	}
	return gone, nil
}

// stale says whether nobody has ordered or told anything in the work folder of id for long.
func (s *Store) stale(id string) bool {
	for _, name := range []string{orderFile, eventsFile} {
		if info, err := os.Stat(s.path("work", id, name)); err == nil && time.Since(info.ModTime()) < keepWork {
			return false
		}
	}
	return true
}

// sweepFiles removes files that were being written, and lists of files of prefixes that have gone.
func (s *Store) sweepFiles() error {
	var errs []error
	for _, dir := range []string{"m", "work", "archives", "roots"} {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep: %w", err))
			continue
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || time.Since(info.ModTime()) < time.Hour {
				continue // somebody may be writing it now
			}
			id, list := strings.CutSuffix(e.Name(), ".inodes")
			_, whole := s.Manifest(id)
			if strings.HasPrefix(e.Name(), ".") || list && !whole {
				os.Remove(s.path(dir, e.Name()))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Store) emptyTrash(ctx context.Context) error {
	entries, err := os.ReadDir(s.path("trash"))
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, s.empty(ctx, s.path("trash", e.Name())))
	}
	return errors.Join(errs...)
}
