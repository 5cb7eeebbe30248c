// Package problem is the one kind of error that a person is meant to read.
//
// Domain packages return a *Problem when the caller did something that can be mended or explained; every other error is
// a fault of ours. Each door maps the Code to its own status and shape in one table, logs what is not a Problem, and
// shows only an id for it.
package problem

import (
	"errors"
	"fmt"
)

// Code says what kind of problem it is. Doors map codes, never texts, to statuses.
type Code string

// The closed set of codes.
const (
	Invalid         Code = "invalid"         // the request itself is wrong
	Unauthenticated Code = "unauthenticated" // nobody we know
	Denied          Code = "denied"          // known, but not allowed
	NotFound        Code = "not_found"       // there is no such thing, or the caller may not know of it
	Conflict        Code = "conflict"        // the state does not allow it: exists already, was changed meanwhile
	Gone            Code = "gone"            // it was there and has ended
	TooLarge        Code = "too_large"       // over a limit of size
	TooMany         Code = "too_many"        // over a limit of rate or count
	NoSpace         Code = "no_space"        // the disk or the quota is full
	Unsupported     Code = "unsupported"     // this host or backend cannot do it
	Unavailable     Code = "unavailable"     // not now; trying again later may work
	Internal        Code = "internal"        // a fault of ours
)

// Problem is an error with a code and a sentence that tells a person what to do. It is immutable.
type Problem struct {
	Code    Code
	Message string
	// Reason is a short machine-readable detail for doors that have a field for it, such as Jupyter's "bad type".
	Reason string
	Err    error
}

// New makes a problem from a code and a formatted sentence; %w works.
func New(code Code, format string, args ...any) *Problem {
	err := fmt.Errorf(format, args...)
	return &Problem{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WithReason returns a copy of p that carries a machine-readable reason.
func (p *Problem) WithReason(reason string) *Problem {
	q := *p
	q.Reason = reason
	return &q
}

// Error is the sentence.
func (p *Problem) Error() string { return p.Message }

// Unwrap gives the cause, which people are not shown.
func (p *Problem) Unwrap() error { return p.Err }

// CodeOf gives the code of the first Problem in err's chain, Internal where there is none.
func CodeOf(err error) Code {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	return Internal
}

// Is reports whether err is a Problem of that code.
func Is(err error, code Code) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}
