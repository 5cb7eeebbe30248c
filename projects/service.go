package projects

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Options change how a Service works. The zero value is what a gateway wants.
type Options struct {
	// Now is the clock; nil means time.Now. It must not run far from the backend's own, which sweeps expired records.
	Now func() time.Time
	// Log is for the operator's diary; nil means silence.
	Log *slog.Logger
	// Poll is how often grants are checked again although nobody hinted at a change; 0 means 30 s.
	Poll time.Duration
	// LoginTTL is how long a browser session lasts; 0 means seven days.
	LoginTTL time.Duration
}

// Service keeps the people and projects of a site. All methods are safe for concurrent use, also with other Services on
// the same backend. Errors that a person can mend are problems.
type Service struct {
	store    storage.Backend
	now      func() time.Time
	log      *slog.Logger
	poll     time.Duration
	loginTTL time.Duration

	hashing  chan struct{} // holds a place for every password that is being hashed, as that needs memory
	throttle *throttle
	grants   grantCache
	hub      hub

	life context.Context // until Close
	stop context.CancelCauseFunc
	work sync.WaitGroup
}

// errClosed is why grants end when their Service is closed.
var errClosed = errors.New("projects: closed")

// Open starts a Service on the backend. The caller closes it, and the backend afterwards.
func Open(store storage.Backend, o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Poll <= 0 {
		o.Poll = 30 * time.Second
	}
	if o.LoginTTL <= 0 {
		o.LoginTTL = 7 * 24 * time.Hour
	}
	s := &Service{
		store: store, now: o.Now, log: o.Log, poll: o.Poll, loginTTL: o.LoginTTL,
		hashing:  make(chan struct{}, 2),
		throttle: newThrottle(o.Now),
		grants:   grantCache{byKey: map[grantKey]*Grant{}},
	}
	s.life, s.stop = context.WithCancelCause(context.Background())
	for _, prefix := range watched {
		w, err := store.Watch(s.life, prefix) // at once, so that no change from now on is missed
		s.work.Go(func() { s.follow(prefix, w, err) })
	}
	s.work.Go(s.pollGrants)
	return s
}

// Close ends every Grant and waits for the Service's own work to end. It is idempotent.
func (s *Service) Close() error {
	s.stop(errClosed)
	s.work.Wait()
	return nil
}

// follow tells the grants and the subscribers what changed below prefix, until Close. It begins with a watcher, or why
// there is none yet.
func (s *Service) follow(prefix string, w storage.Watcher, err error) {
	for {
		if err == nil {
			err = s.listen(w)
			_ = w.Close()
		}
		if s.life.Err() != nil || errors.Is(err, storage.ErrClosed) {
			return
		}
		s.log.Warn("watching the storage broke off", "prefix", prefix, "err", err)
		select {
		case <-time.After(time.Second):
		case <-s.life.Done():
		}
		if w, err = s.store.Watch(s.life, prefix); err == nil {
			s.missed()
		}
	}
}

func (s *Service) listen(w storage.Watcher) error {
	for {
		change, err := w.Next(s.life)
		switch {
		case errors.Is(err, storage.ErrMissed):
			s.missed()
		case err != nil:
			return err
		default:
			s.changed(change.Key)
			if c, ok := changeOf(change.Key); ok {
				s.hub.publish(c)
			}
		}
	}
}

// missed deals with changes that nobody told of.
func (s *Service) missed() {
	s.recheckAll()
	s.hub.publish(Change{Kind: Resync})
}

// pollGrants looks at all grants from time to time, because a Watch is only a hint.
func (s *Service) pollGrants() {
	tick := time.NewTicker(s.poll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.recheckAll()
		case <-s.life.Done():
			return
		}
	}
}

// retry runs a step that reads, decides and writes again for as long as other writers come in between.
func retry(ctx context.Context, step func() error) error {
	for range 16 {
		err := step()
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return problem.New(problem.Unavailable, "too many people change this at once; try again")
}
