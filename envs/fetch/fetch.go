// Package fetch downloads files whose hash is known beforehand: archives of conda packages, and wheels. What was cut off goes on where
// it ended, also in another process; what stands still or fails in a way that passes is tried again; and a file is there with the
// right bytes, or it is no success. Credentials go to their own host alone, and into no error.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

const (
	tries = 5
	// patience is how long nothing may come where a Source says nothing.
	patience = time.Minute
	// window is the longest that one try may stand still: a new connection is worth more than a longer wait.
	window = 30 * time.Second
	// longestWait bounds the pause before another try, also one that the server asks for.
	longestWait = 10 * time.Second
)

// File is what to download.
type File struct {
	Package string // the package that it is of, for failures
	Name    string // of the file, for people
	URL     string // http, https or file, without credentials
	SHA256  string // hexadecimal, lower case
	Size    int64  // in bytes; 0 where it is not known
	// Channel says that it lies in a conda channel, whose token stands in the path.
	Channel bool
}

// Source is how files are got at. Its zero value knows no credentials. It is safe for concurrent use.
type Source struct {
	Credentials Credentials
	// Stall is how long a download may stand still in all, with the tries that it takes; 0 means a minute.
	Stall time.Duration
}

// Get brings a file to the path to, which may hold the beginning of it, in several tries if need be. told, which may be nil, hears how
// many bytes are there. What could not be brought to the end is kept for the next time, what is wrong is not. Nobody else may write to
// the path meanwhile; it is not synced to disk. Requests go inside of the network around only where ctx allows that: see egress. What
// goes wrong is a *driver.Failure where the cause is known; that of a request that was led inside has an *egress.Error in it.
func (s Source) Get(ctx context.Context, f File, to string, told func(have int64)) error {
	if s.Stall <= 0 {
		s.Stall = patience
	}
	if told == nil {
		told = func(int64) {}
	}
	d := &download{File: f, part: to, known: s.Credentials, told: told, stall: s.Stall, moved: time.Now()}
	return d.run(ctx)
}

// again is an error after which another try may help.
type again struct {
	err     error
	after   time.Duration // as the server asks; 0 where it does not
	stalled bool          // nothing came for a while
}

func (a *again) Error() string { return a.err.Error() }
func (a *again) Unwrap() error { return a.err }

func (d *download) run(ctx context.Context) error {
	var last error
	most := max(tries, int(d.stall/window))
	for n := range most {
		if n > 0 {
			if err := pause(ctx, n, last); err != nil {
				return err
			}
		}
		resumed, err := d.try(ctx)
		if err == nil {
			return nil
		}
		last = err
		retry, ok := errors.AsType[*again](err)
		switch {
		case ctx.Err() != nil:
			return Ended(ctx)
		case ok && retry.stalled && time.Since(d.moved) >= d.stall:
			return d.stalled()
		case ok:
		case resumed && isMismatch(err):
			// What was there before may have been of another file: once more, from the beginning.
		default:
			return err
		}
	}
	if retry, ok := errors.AsType[*again](last); ok && retry.stalled {
		return d.stalled()
	}
	if isMismatch(last) {
		return last
	}
	return &driver.Failure{
		Cause: driver.ChannelUnreachable, Package: d.Package, Err: last,
		Message: fmt.Sprintf("%s could not be downloaded from %s in %d tries: %s", d.Name, hostOf(d.URL), most, Plain(last)),
	}
}

func (d *download) stalled() error {
	return &driver.Failure{
		Cause: driver.TimedOut, Package: d.Package,
		Message: fmt.Sprintf("the download of %s from %s has not moved for %s", d.Name, hostOf(d.URL), d.stall),
	}
}

func isMismatch(err error) bool {
	f, ok := errors.AsType[*driver.Failure](err)
	return ok && f.Cause == driver.HashMismatch
}

// pause waits longer before each try, and not in step with others.
func pause(ctx context.Context, n int, last error) error {
	wait := 200 * time.Millisecond << min(n, 6)
	wait += rand.N(wait / 2)
	if retry, ok := errors.AsType[*again](last); ok && retry.after > 0 {
		wait = retry.after
	}
	timer := time.NewTimer(min(wait, longestWait))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return Ended(ctx)
	case <-timer.C:
		return nil
	}
}
