// Package queue is the contract for work that must be done even if the process that asked for it dies.
//
// Delivery is at least once, under a lease: a Claim that is neither completed nor extended comes back. Whoever handles a
// job must therefore be harmless twice.
//
// A queue that knows for certain that whoever held a claim has gone, because its process died or its Queue was closed, should end
// the lease then: work that was broken off goes on at once. One that is told of the dead by their silence alone, as over a
// network, lets the lease run out: no claim of anybody who may live is ever taken away before its time.
//
// The contract imports the standard library alone. queuetest.Run is its conformance suite.
package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors that a caller branches on.
var (
	// ErrDuplicate means that an unfinished job with the same UniqueKey is queued already.
	ErrDuplicate = errors.New("queue: duplicate")
	// ErrLeaseLost means that the claim has run out or was ended, so somebody else may hold the job now.
	ErrLeaseLost = errors.New("queue: lease lost")
	// ErrClosed means that the queue has been closed.
	ErrClosed = errors.New("queue: closed")
	// ErrInvalid means that a job or a request for one is malformed: no ID, no kind, a payload over MaxPayload, a
	// lease or a number of jobs that is not positive.
	ErrInvalid = errors.New("queue: invalid")
	// ErrFull means that there is no room left to write; nothing was changed.
	ErrFull = errors.New("queue: no space left")
)

// Limits that every queue keeps.
const (
	MaxPayload = 1 << 20 // bytes
	// Remembered is for how long at least the ID of a job that has ended is still ErrDuplicate.
	Remembered = 7 * 24 * time.Hour
)

// Job is a unit of work.
type Job struct {
	ID   string // chosen by the caller, unique for ever; enqueueing the same ID again is ErrDuplicate, also after its end
	Kind string // who handles it
	// UniqueKey, when set, keeps a second unfinished job of the same Kind and key out.
	UniqueKey string
	Payload   []byte
	// Priority orders jobs that are due: higher first, then in the order in which they were enqueued.
	Priority int
	// NotBefore is the earliest time the job may be claimed; zero means at once.
	NotBefore time.Time
	// MaxAttempts is how often it may be claimed before it is put aside as failed, because it was given back or its
	// last lease ended; 0 means without limit. A job that was put aside no longer holds its UniqueKey.
	MaxAttempts int
}

// Claim is a job held under a lease.
type Claim struct {
	Job     Job
	Attempt int       // 1 for the first
	Until   time.Time // when the lease ends
	Token   string    // identifies this lease; a lost lease's token is refused
}

// Validate tells what is wrong with a job, as ErrInvalid. Queues call it before they store one.
func (j Job) Validate() error {
	switch {
	case j.ID == "":
		return fmt.Errorf("%w: job without ID", ErrInvalid)
	case j.Kind == "":
		return fmt.Errorf("%w: job %s without kind", ErrInvalid, j.ID)
	case len(j.Payload) > MaxPayload:
		return fmt.Errorf("%w: job %s has a payload of %d bytes, at most %d", ErrInvalid, j.ID, len(j.Payload), MaxPayload)
	case j.MaxAttempts < 0:
		return fmt.Errorf("%w: job %s may be tried %d times", ErrInvalid, j.ID, j.MaxAttempts)
	}
	return nil
}

// ValidateClaim tells what is wrong with the arguments of a Claim, as ErrInvalid.
func ValidateClaim(kinds []string, max int, lease time.Duration) error {
	if len(kinds) == 0 || max < 1 || lease < time.Millisecond {
		return fmt.Errorf("%w: claim of at most %d jobs of %d kinds for %s", ErrInvalid, max, len(kinds), lease)
	}
	return nil
}

// Queue keeps the jobs. All methods are safe for concurrent use, also from several processes.
type Queue interface {
	// Enqueue stores the job durably. ErrDuplicate if its ID is known or its UniqueKey is taken.
	Enqueue(ctx context.Context, job Job) error
	// Claim takes up to max due jobs of the given kinds under a lease. It waits until there is at least one or the
	// context ends, then returns an empty list and the context's cause. Jobs come in the order of Job.Priority.
	Claim(ctx context.Context, kinds []string, max int, lease time.Duration) ([]Claim, error)
	// Extend lengthens the lease from now. ErrLeaseLost if it has ended.
	Extend(ctx context.Context, c Claim, lease time.Duration) (Claim, error)
	// Complete ends the job for good. ErrLeaseLost if the lease has ended; the job may then run again.
	Complete(ctx context.Context, c Claim) error
	// Retry gives the job back, due after the delay, with the reason recorded; past MaxAttempts it is put aside.
	// ErrLeaseLost as above.
	Retry(ctx context.Context, c Claim, after time.Duration, reason string) error
	// Close makes waiting Claims return ErrClosed. Leases that are held end with it, or run out by themselves: see above. It
	// is idempotent.
	Close() error
}
