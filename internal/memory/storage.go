package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/internal/watch"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Storage is a storage.Backend in memory. A record is swept just after it expires.
type Storage struct {
	hub watch.Hub

	mu      sync.Mutex
	records map[string]storage.Record // guarded by mu
	keys    []string                  // of records, sorted; guarded by mu
	rev     storage.Revision          // guarded by mu
	closed  bool                      // guarded by mu
}

// NewStorage returns an empty Storage.
func NewStorage() *Storage {
	return &Storage{records: make(map[string]storage.Record)}
}

// Get implements storage.Backend.
func (s *Storage) Get(ctx context.Context, key string) (storage.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return storage.Record{}, err
	}
	r, ok := s.live(key, time.Now())
	if !ok {
		return storage.Record{}, fmt.Errorf("%w: %q", storage.ErrNotFound, key)
	}
	return clone(r), nil
}

// List implements storage.Backend.
func (s *Storage) List(ctx context.Context, q storage.Query) (storage.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return storage.Page{}, err
	}
	page := storage.Page{Rev: s.rev}
	limit, size, now := pageLimit(q.Limit), 0, time.Now()
	for key := range s.walk(q) {
		r, ok := s.live(key, now)
		if !ok {
			continue
		}
		if len(page.Records) == limit || size >= storage.MaxPageBytes {
			page.Next = page.Records[len(page.Records)-1].Key
			break
		}
		page.Records = append(page.Records, clone(r))
		size += len(r.Value)
	}
	return page, nil
}

// walk yields the keys that q selects, in its order.
func (s *Storage) walk(q storage.Query) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		n := len(s.keys)
		for i := range n {
			if q.Reverse {
				i = n - 1 - i
			}
			key := s.keys[i]
			if strings.HasPrefix(key, q.Prefix) && beyond(key, q) && !yield(key) {
				return
			}
		}
	}
}

// beyond reports whether key lies past q.After in q's direction.
func beyond(key string, q storage.Query) bool {
	if q.Reverse {
		return q.After == "" || key < q.After
	}
	return key > q.After
}

func pageLimit(n int) int {
	if n <= 0 || n > storage.MaxPage {
		return storage.MaxPage
	}
	return n
}

// Apply implements storage.Backend.
func (s *Storage) Apply(ctx context.Context, ops ...storage.Op) (storage.Revision, error) {
	if err := storage.Validate(ops); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	now := time.Now()
	for _, op := range ops {
		if r, ok := s.live(op.Key, now); !op.If.Holds(r.Rev, ok) {
			return 0, fmt.Errorf("%w: %q", storage.ErrConflict, op.Key)
		}
	}
	changed := slices.DeleteFunc(slices.Clone(ops), func(op storage.Op) bool {
		_, there := s.records[op.Key]
		return op.Kind == storage.OpCheck || op.Kind == storage.OpDelete && !there
	})
	s.write(changed)
	return s.rev, nil
}

// write does what is known to be a change, as one revision.
func (s *Storage) write(ops []storage.Op) {
	if len(ops) == 0 {
		return
	}
	s.rev++
	for _, op := range ops {
		i, there := slices.BinarySearch(s.keys, op.Key)
		if op.Kind == storage.OpDelete {
			delete(s.records, op.Key)
			s.keys = slices.Delete(s.keys, i, i+1)
		} else {
			if !there {
				s.keys = slices.Insert(s.keys, i, op.Key)
			}
			s.records[op.Key] = storage.Record{
				Key: op.Key, Value: bytes.Clone(op.Value), Rev: s.rev, Expires: millisecond(op.Expires),
			}
			s.sweepAt(op.Expires)
		}
		s.hub.Send(storage.Change{Key: op.Key, Rev: s.rev, Deleted: op.Kind == storage.OpDelete})
	}
}

// sweepAt makes sure that what expires at t is swept soon after it.
func (s *Storage) sweepAt(t time.Time) {
	if !t.IsZero() {
		time.AfterFunc(time.Until(t)+time.Millisecond, s.sweepNow)
	}
}

// sweepNow deletes what has expired.
func (s *Storage) sweepNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	now := time.Now()
	var ops []storage.Op
	for _, key := range s.keys {
		if _, ok := s.live(key, now); !ok {
			ops = append(ops, storage.Delete(key))
		}
	}
	s.write(ops)
}

// Watch implements storage.Backend.
func (s *Storage) Watch(ctx context.Context, prefix string) (storage.Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	return s.hub.Open(prefix, s.rev)
}

// Close implements storage.Backend.
func (s *Storage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.hub.Close()
	return nil
}

func (s *Storage) usable(ctx context.Context) error {
	if s.closed {
		return storage.ErrClosed
	}
	return context.Cause(ctx)
}

// live gives the record at key unless it has expired.
func (s *Storage) live(key string, now time.Time) (storage.Record, bool) {
	r, ok := s.records[key]
	if !ok || !r.Expires.IsZero() && !now.Before(r.Expires) {
		return storage.Record{}, false
	}
	return r, true
}

func clone(r storage.Record) storage.Record {
	r.Value = bytes.Clone(r.Value)
	return r
}

// millisecond cuts t to the resolution that the contract promises.
func millisecond(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

var _ storage.Backend = (*Storage)(nil)
