// Package watch is the part of watching that all storage backends in this process share: a Hub hands changes out to
// Watchers that each have a bounded backlog, and a Bell wakes whoever waits for something to look at.
//
// A Watcher that does not keep up loses its backlog and is told so once. Nobody ever waits for a slow one.
package watch

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hopyard/hopyard/plugins/storage"
)

// Backlog is how many changes a Watcher keeps for a caller that is busy elsewhere.
const Backlog = 1024

// Hub hands out changes. The zero value is ready; all methods are safe for concurrent use.
type Hub struct {
	mu       sync.Mutex
	watchers map[*Watcher]struct{} // guarded by mu
	closed   bool                  // guarded by mu
}

// Open adds a Watcher for keys that begin with prefix and changes after rev; storage.ErrClosed after Close.
func (h *Hub) Open(prefix string, after storage.Revision) (*Watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, storage.ErrClosed
	}
	w := &Watcher{hub: h, prefix: prefix, after: after, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if h.watchers == nil {
		h.watchers = make(map[*Watcher]struct{})
	}
	h.watchers[w] = struct{}{}
	return w, nil
}

// Idle reports whether nobody watches.
func (h *Hub) Idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers) == 0
}

// Send gives a change to the Watchers that asked for its key. Changes must be sent in revision order.
func (h *Hub) Send(c storage.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if c.Rev > w.after && strings.HasPrefix(c.Key, w.prefix) {
			w.push(c)
		}
	}
}

// Miss tells every Watcher that changes were lost.
func (h *Hub) Miss() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		w.miss()
	}
}

// Close ends all Watchers and refuses new ones. It is idempotent.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for w := range h.watchers {
		close(w.done)
	}
	h.watchers = nil
}

// remove takes w out; the first one to do so closes its channel.
func (h *Hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.watchers[w]; ok {
		delete(h.watchers, w)
		close(w.done)
	}
}

// Watcher is a storage.Watcher fed by a Hub.
type Watcher struct {
	hub    *Hub
	prefix string
	after  storage.Revision
	wake   chan struct{} // holds one token while there is something to take
	done   chan struct{} // closed once, by the hub

	mu      sync.Mutex
	backlog []storage.Change // guarded by mu
	missed  bool             // guarded by mu
}

func (w *Watcher) push(c storage.Change) {
	w.mu.Lock()
	if len(w.backlog) == Backlog {
		// The list that follows ErrMissed tells the same as the backlog would.
		w.backlog, w.missed = nil, true
	} else {
		w.backlog = append(w.backlog, c)
	}
	w.mu.Unlock()
	w.signal()
}

func (w *Watcher) miss() {
	w.mu.Lock()
	w.backlog, w.missed = nil, true
	w.mu.Unlock()
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Next implements storage.Watcher.
func (w *Watcher) Next(ctx context.Context) (storage.Change, error) {
	for {
		select {
		case <-w.done:
			return storage.Change{}, storage.ErrClosed
		default:
		}
		if ctx.Err() != nil {
			return storage.Change{}, context.Cause(ctx)
		}
		if c, ok, err := w.take(); ok || err != nil {
			return c, err
		}
		select {
		case <-w.wake:
		case <-w.done:
		case <-ctx.Done():
		}
	}
}

func (w *Watcher) take() (storage.Change, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missed {
		w.missed = false
		return storage.Change{}, false, fmt.Errorf("%w: watcher of %q", storage.ErrMissed, w.prefix)
	}
	if len(w.backlog) == 0 {
		return storage.Change{}, false, nil
	}
	c := w.backlog[0]
	if w.backlog = w.backlog[1:]; len(w.backlog) == 0 {
		w.backlog = nil
	}
	return c, true, nil
}

// Close implements storage.Watcher.
func (w *Watcher) Close() error {
	w.hub.remove(w)
	return nil
}

var _ storage.Watcher = (*Watcher)(nil)
