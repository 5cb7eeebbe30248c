// Package jobs works on the jobs of a queue: it claims them, keeps their leases while they are being worked on, and gives them back
// when it cannot end them.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hopyard/hopyard/plugins/queue"
)

// Server works on the jobs of one kind.
type Server struct {
	Queue   queue.Queue
	Kind    string
	Workers int // how many jobs at once
	// Lease is extended for as long as a job is being worked on. It may be short: where a queue does not know who has died, it is
	// how long their jobs wait.
	Lease time.Duration
	Log   *slog.Logger
	// Do carries out a job, perhaps for the second time. Its context ends with that of Serve, or with queue.ErrLeaseLost as its cause.
	// An error gives the job back, for a pause that grows.
	Do func(ctx context.Context, job queue.Job) error
	// Done, if there is one, hears of a job that has been carried out and has left the queue, so that its unique key is free. Its
	// error is logged.
	Done func(ctx context.Context, job queue.Job) error
}

// pauses between two tries.
const (
	pauseStep = time.Second
	maxPause  = time.Minute
)

// giveBackTime is how long a Server that ends may take to give a job back.
const giveBackTime = 5 * time.Second

// Serve works until the context ends or the queue is closed, and waits for what it has begun. What is not done then another may have
// at once.
func (s *Server) Serve(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	free := make(chan struct{}, s.Workers)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		c, err := s.claim(ctx)
		switch {
		case err == nil:
			work.Go(func() {
				defer func() { <-free }()
				s.work(ctx, c)
			})
			continue
		case ctx.Err() != nil, errors.Is(err, queue.ErrClosed):
			return
		}
		<-free
		s.Log.ErrorContext(ctx, "no job can be claimed", "kind", s.Kind, "error", err)
		select {
		case <-time.After(pauseStep):
		case <-ctx.Done():
		}
	}
}

var errNothing = errors.New("jobs: the queue gave nothing")

func (s *Server) claim(ctx context.Context) (queue.Claim, error) {
	claims, err := s.Queue.Claim(ctx, []string{s.Kind}, 1, s.Lease)
	if err != nil {
		return queue.Claim{}, err
	}
	if len(claims) == 0 {
		return queue.Claim{}, errNothing
	}
	return claims[0], nil
}

// work does one job under its lease.
func (s *Server) work(ctx context.Context, c queue.Claim) {
	held, release := s.hold(ctx, c)
	err := context.Cause(held) // the claim may have come when all was over
	if err == nil {
		err = s.Do(held, c.Job)
	}
	c = release()
	if errors.Is(context.Cause(held), queue.ErrLeaseLost) {
		s.Log.WarnContext(ctx, "a job is left to others", "job", s.name(c), "error", queue.ErrLeaseLost)
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	switch {
	case err == nil:
		err = s.complete(last, c)
	case ctx.Err() != nil:
		err = s.Queue.Retry(last, c, 0, "the process stops")
	default:
		s.Log.ErrorContext(ctx, "job will be tried again", "job", s.name(c), "attempt", c.Attempt, "error", err)
		err = s.Queue.Retry(last, c, min(time.Duration(c.Attempt)*pauseStep, maxPause), err.Error())
	}
	if err != nil {
		s.Log.WarnContext(ctx, "a job comes back with its lease only", "job", s.name(c), "error", err)
	}
}

func (s *Server) complete(ctx context.Context, c queue.Claim) error {
	if err := s.Queue.Complete(ctx, c); err != nil || s.Done == nil {
		return err
	}
	if err := s.Done(ctx, c.Job); err != nil {
		s.Log.ErrorContext(ctx, "what follows a job fails", "job", s.name(c), "error", err)
	}
	return nil
}

func (s *Server) name(c queue.Claim) string { return s.Kind + " " + c.Job.UniqueKey }

// hold extends a lease until release, which gives the claim as it is then. The context ends when the lease is lost.
func (s *Server) hold(ctx context.Context, c queue.Claim) (held context.Context, release func() queue.Claim) {
	ctx, cancel := context.WithCancelCause(ctx)
	last := make(chan queue.Claim, 1)
	go func() { last <- s.extend(ctx, cancel, c) }()
	return ctx, func() queue.Claim {
		cancel(nil)
		return <-last
	}
}

func (s *Server) extend(ctx context.Context, lost context.CancelCauseFunc, c queue.Claim) queue.Claim {
	tick := time.NewTicker(s.Lease / 4)
	defer tick.Stop()
	for since := time.Now(); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return c
		}
		next, err := s.Queue.Extend(ctx, c, s.Lease)
		switch {
		case err == nil:
			c, since = next, time.Now()
		case errors.Is(err, queue.ErrLeaseLost), ctx.Err() == nil && time.Since(since) > s.Lease:
			lost(queue.ErrLeaseLost)
			return c
		case ctx.Err() == nil:
			s.Log.WarnContext(ctx, "lease of a job is not extended", "job", s.name(c), "error", err)
		}
	}
}
