package envs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

// hub hands Changes to subscribers.
type hub struct {
	mu   sync.Mutex
	subs []chan Change // guarded by mu
}

// Changes yields a hint for every change, by this process or another, until ctx ends; then the channel is closed. The last place
// of a slow reader's channel is kept for a Change without names, which covers all that comes until it is read.
func (s *Service) Changes(ctx context.Context) <-chan Change {
	sub := make(chan Change, 64)
	s.hub.mu.Lock()
	s.hub.subs = append(s.hub.subs, sub)
	s.hub.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		s.hub.subs = slices.DeleteFunc(s.hub.subs, func(x chan Change) bool { return x == sub })
		close(sub)
	})
	return sub
}

func (h *hub) publish(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, sub := range h.subs {
		told := c
		if len(sub) == cap(sub)-1 {
			told = Change{} // for this one alone
		}
		select {
		case sub <- told:
		default:
		}
	}
}

// watched are the prefixes whose changes subscribers hear of.
var watched = []string{envKeys, buildKeys}

// follow keeps memory true to what others write and tells the subscribers.
func (s *Service) follow() {
	for _, prefix := range watched {
		w, err := s.cfg.Storage.Watch(s.ctx, prefix) // at once, so that no change from now on is missed
		if prefix == envKeys {
			s.known.forgetAll(err == nil)
		}
		s.wg.Go(func() { s.watch(prefix, w, err) })
	}
}

// watch listens below prefix until Close. It begins with a watcher, or why there is none yet.
func (s *Service) watch(prefix string, w storage.Watcher, err error) {
	for {
		if err == nil {
			err = s.listen(w)
			_ = w.Close()
		}
		if prefix == envKeys {
			s.known.forgetAll(false)
		}
		if s.ctx.Err() != nil || errors.Is(err, storage.ErrClosed) {
			return
		}
		s.cfg.Log.Warn("watching the storage broke off", "prefix", prefix, "error", err)
		select {
		case <-time.After(time.Second):
		case <-s.ctx.Done():
		}
		if w, err = s.cfg.Storage.Watch(s.ctx, prefix); err == nil {
			s.missed(prefix)
		}
	}
}

func (s *Service) listen(w storage.Watcher) error {
	for {
		change, err := w.Next(s.ctx)
		switch {
		case errors.Is(err, storage.ErrMissed):
			s.missed(envKeys)
		case err != nil:
			return err
		default:
			s.changed(change)
		}
	}
}

func (s *Service) missed(prefix string) {
	if prefix == envKeys {
		s.known.forgetAll(true)
	}
	s.hub.publish(Change{})
}

func (s *Service) changed(c storage.Change) {
	project, name, ok := owner(c.Key)
	if !ok {
		return
	}
	if strings.HasPrefix(c.Key, envKeys) {
		s.known.forget(project)
	} else {
		s.heed(c.Key)
	}
	s.hub.publish(Change{Project: project, Environment: name})
}
