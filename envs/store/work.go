package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/internal/filelock"
)

// The files of work/<id>.
const (
	orderFile  = "order.json"
	eventsFile = "events.jsonl"
)

// Order tells the builder of id what to do, and begins its file of events anew unless a builder is at work on id already:
// then that one's events are the ones to read, and the order is for the builder that waits behind it. It waits while others look
// whether there is a builder.
func (s *Store) Order(ctx context.Context, id string, o Order) error {
	if err := check(id); err != nil {
		return err
	}
	looking, err := s.lockRoots(ctx)
	if err != nil {
		return fmt.Errorf("order environment: %w", err)
	}
	defer looking.Close()
	if err := os.MkdirAll(s.path("work", id), 0o755); err != nil {
		return fmt.Errorf("order environment: %w", err)
	}
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("order environment: %w", err)
	}
	held, err := s.TryLock(id)
	switch {
	case err == nil:
		defer held.Close()
		if err := os.Remove(s.Events(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("order environment: %w", err)
		}
	case !errors.Is(err, filelock.ErrHeld):
		return fmt.Errorf("order environment: %w", err)
	}
	if err := writeFile(s.path("work", id, orderFile), b, 0o600, false); err != nil {
		return fmt.Errorf("order environment: %w", err)
	}
	return nil
}

// ReadOrder reads what the builder of id is told.
func (s *Store) ReadOrder(id string) (*Order, error) {
	if err := check(id); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(s.path("work", id, orderFile))
	if err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	var o Order
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	if o.Lock == nil {
		return nil, fmt.Errorf("read order of %s: it has no lock", id)
	}
	if err := o.Lock.Check(); err != nil {
		return nil, fmt.Errorf("read order of %s: %w", id, err)
	}
	if o.Task != TaskArchive && ID(o.Lock, o.Options) != id {
		return nil, fmt.Errorf("read order of %s: its lock and options make %s", id, ID(o.Lock, o.Options))
	}
	return &o, nil
}

// Lock takes the lock of id as soon as nobody has it: whoever changes a prefix has it.
func (s *Store) Lock(ctx context.Context, id string) (*filelock.Lock, error) {
	return s.locked(id, func(path string) (*filelock.Lock, error) { return filelock.Wait(ctx, path) })
}

// TryLock takes the lock of id if nobody has it; filelock.ErrHeld is in the chain of the error otherwise.
func (s *Store) TryLock(id string) (*filelock.Lock, error) { return s.locked(id, filelock.Try) }

// locked takes a lock whose folder may be removed by the one who has it: what was locked must still be what is there.
func (s *Store) locked(id string, take func(path string) (*filelock.Lock, error)) (*filelock.Lock, error) {
	if err := check(id); err != nil {
		return nil, err
	}
	path := s.path("work", id, "lock")
	for {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		held, err := take(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // the folder went away meanwhile
		}
		if err != nil {
			return nil, err
		}
		there, err := held.Is(path)
		if there {
			return held, nil
		}
		held.Close() // of a file that was removed, and perhaps made anew, while we waited for it
		if err != nil {
			return nil, err
		}
	}
}
