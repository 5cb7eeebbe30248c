// Package queue is the contract for work that must be done even if the process that asked for it dies.
//
// Delivery is at least once, under a lease: a Claim that is neither completed nor extended comes back. Whoever handles a
// job must therefore be harmless twice.
//
// The contract imports the standard library alone. queuetest.Run is its conformance suite.
package queue

import (
	"context"
	"errors"
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
)

// Job is a unit of work.
type Job struct {
	ID   string // chosen by the caller, unique for ever; enqueueing the same ID again is ErrDuplicate
	Kind string // who handles it
	// UniqueKey, when set, keeps a second unfinished job of the same Kind and key out.
	UniqueKey string
	Payload   []byte
	// Priority orders jobs that are due: higher first, then older first.
	Priority int
	// NotBefore is the earliest time the job may be claimed; zero means at once.
	NotBefore time.Time
	// MaxAttempts is how often it may be claimed before it is put aside as failed; 0 means without limit.
	MaxAttempts int
}

// Claim is a job held under a lease.
type Claim struct {
	Job     Job
	Attempt int       // 1 for the first
	Until   time.Time // when the lease ends
	Token   string    // identifies this lease; a lost lease's token is refused
}

// Queue keeps the jobs. All methods are safe for concurrent use, also from several processes.
type Queue interface {
	// Enqueue stores the job durably. ErrDuplicate if its ID is known or its UniqueKey is taken.
	Enqueue(ctx context.Context, job Job) error
	// Claim takes up to max due jobs of the given kinds under a lease. It waits until there is at least one or the
	// context ends, then returns an empty list and the context's cause.
	Claim(ctx context.Context, kinds []string, max int, lease time.Duration) ([]Claim, error)
	// Extend lengthens the lease from now. ErrLeaseLost if it has ended.
	Extend(ctx context.Context, c Claim, lease time.Duration) (Claim, error)
	// Complete ends the job for good. ErrLeaseLost if the lease has ended; the job may then run again.
	Complete(ctx context.Context, c Claim) error
	// Retry gives the job back, due after the delay, with the reason recorded; past MaxAttempts it is put aside.
	// ErrLeaseLost as above.
	Retry(ctx context.Context, c Claim, after time.Duration, reason string) error
	// Close makes waiting Claims return ErrClosed. Leases that are held run out by themselves. It is idempotent.
	Close() error
}
