package envs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/filelock"
	"github.com/hopyard/hopyard/internal/watch"
	"golang.org/x/sys/unix"
)

// entry is a line of a build's log. Only the Service writes it.
type entry struct {
	driver.Event
	// Copied, where it is set, is how many lines of the builder's own events are in the log by now: whoever follows the builder
	// next goes on there. A new builder begins with 0.
	Copied *int `json:"copied,omitempty"`
}

// journal is the log of a build that is being worked on. It is safe for concurrent use.
type journal struct {
	bell watch.Bell

	mu       sync.Mutex // guards below
	file     *os.File
	end      int64 // where the last whole line ends, and the next one begins
	seq      uint64
	copied   int
	progress *driver.Event // the last one
	ended    bool          // the last line is a result
	now      func() time.Time
}

// errJournal means that somebody writes that log already, here or in another process.
var errJournal = errors.New("the log of the build is being written by another process")

// openJournal opens a log to write behind what is there, as the only one who does: errJournal while there is another. Half a
// line, from a process that was killed, is cut off.
func openJournal(path string, now func() time.Time) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("log of a build: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of a build: %w", err)
	}
	j := &journal{file: f, now: now}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) // until it is released, or the process has died
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = errJournal
	case err == nil:
		err = j.read()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log of a build: %w", err), filelock.Release(f))
	}
	return j, nil
}

func (j *journal) read() error {
	r := bufio.NewReader(j.file)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			break // what follows cannot be trusted either
		}
		j.end += int64(len(line))
		j.note(e)
	}
	return j.file.Truncate(j.end)
}

// note takes over what an entry says of where the log is.
func (j *journal) note(e entry) {
	j.seq = e.Seq
	j.ended = e.Type == driver.TypeResult
	if e.Copied != nil {
		j.copied = *e.Copied
	}
	if e.Type == driver.TypeProgress || e.Type == driver.TypeState && e.Phase != "" {
		j.progress = &e.Event
	}
}

// add appends an event of ours.
func (j *journal) add(e driver.Event) error { return j.append(entry{Event: e}) }

func (j *journal) append(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq = j.seq + 1
	if e.Time.IsZero() {
		e.Time = j.now().UTC()
	}
	n, err := j.file.WriteAt(append(encode(e), '\n'), j.end)
	if err != nil { // on a full disk half a line may be there, which must not become the beginning of the next one
		return errors.Join(fmt.Errorf("log of a build: %w", err), j.file.Truncate(j.end))
	}
	j.end += int64(n)
	j.note(e)
	j.bell.Ring()
	return nil
}

// position is how many of the builder's events are in the log.
func (j *journal) position() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.copied
}

// over says whether the log ends with a result.
func (j *journal) over() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended
}

func (j *journal) last() *driver.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.progress
}

func (j *journal) close() error {
	j.bell.Ring() // whoever reads looks elsewhere from now on
	return filelock.Release(j.file)
}

// resultOf is the last event of a build that is over. That one which failed to be restored is as ready as it was is not what
// came of it.
func resultOf(b buildRecord, text string) driver.Event {
	state := b.State
	switch {
	case b.Failure != nil && b.Failure.Cause == driver.Canceled:
		state = CanceledS
	case b.Failure != nil:
		state = Failed
	}
	return driver.Event{Type: driver.TypeResult, State: string(state), Failure: b.Failure, Text: text}
}

// seal ends the log of a build on which nobody works, in whatever process, with the result and what comes before that. It is harmless
// twice: a log that ends with a result stays as it is.
func (s *Service) seal(b buildRecord, text string, before ...driver.Event) {
	if err := s.sealed(b, text, before); err != nil {
		s.cfg.Log.Error("log of a build is not ended", "project", b.Project, "environment", b.Environment, "build", b.Number, "error", err)
	}
}

func (s *Service) sealed(b buildRecord, text string, before []driver.Event) error {
	j, err := openJournal(s.cfg.Store.Log(b.Project, b.Environment, b.Number), s.cfg.Now)
	if errors.Is(err, errJournal) {
		return nil // who writes it writes the end, too
	}
	if err != nil {
		return err
	}
	if !j.over() {
		for _, e := range append(before, resultOf(b, text)) {
			err = errors.Join(err, j.add(e))
		}
	}
	return errors.Join(err, j.close())
}

// tellInstant writes the log of a build that was ready at once.
func (s *Service) tellInstant(b buildRecord, text string) {
	s.seal(b, text, driver.Event{Type: driver.TypeLog, Text: "the same packages are on disk already: nothing had to be solved or built"})
}

// A log that another process may write is looked at now and then: soon after something has come, since who took up the build may be
// about to begin, and then more and more seldom.
const (
	readSoon  = 10 * time.Millisecond
	readEvery = 200 * time.Millisecond
)

// Events yields a build's events after the one numbered after, those that are still to come too. It ends after the result, or with
// an error when the context ends.
func (s *Service) Events(ctx context.Context, project, name string, n int, after uint64) iter.Seq2[driver.Event, error] {
	return func(yield func(driver.Event, error) bool) {
		if _, err := s.GetBuild(ctx, project, name, n); err != nil {
			yield(driver.Event{}, err)
			return
		}
		r := &reader{path: s.cfg.Store.Log(project, name, n)}
		defer r.close()
		if err := s.stream(ctx, r, buildRef{project, name, n}, after, yield); err != nil {
			yield(driver.Event{}, err)
		}
	}
}

// stream yields until the build is over and its log read, or the reader has enough.
func (s *Service) stream(ctx context.Context, r *reader, ref buildRef, after uint64, yield func(driver.Event, error) bool) error {
	pause := readSoon
	look := time.NewTimer(pause)
	defer look.Stop()
	for {
		var heard <-chan struct{}
		if run := s.running(ref); run != nil {
			heard = run.log.bell.Heard()
		}
		for {
			e, ok, err := r.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if e.Seq > after && !yield(e.Event, nil) {
				return nil
			}
			pause = readSoon
		}
		if heard == nil {
			over, err := s.over(ctx, r, ref)
			if over || err != nil {
				return err
			}
		}
		look.Reset(pause)
		pause = min(2*pause, readEvery)
		select {
		case <-heard:
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

// over says whether all has been read of a build on which nobody here works.
func (s *Service) over(ctx context.Context, r *reader, ref buildRef) (bool, error) {
	b, _, err := s.build(ctx, ref.project, ref.name, ref.n)
	if err != nil || !b.State.Ended() {
		return false, err
	}
	if !r.ended {
		s.seal(b, "") // its process was killed before it could
	}
	return r.ended && r.atEnd(), nil
}

// reader reads a log from its beginning.
type reader struct {
	path  string
	file  *os.File
	buf   []byte // the same for all that is read
	rest  []byte // the part of buf that was read and not given out
	at    int64  // where rest begins in the file
	ended bool   // the last line was a result
}

// next reads the next whole line, if there is one.
func (r *reader) next() (e entry, ok bool, err error) {
	line, ok, err := r.line()
	if err != nil || !ok {
		return e, false, err
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, false, fmt.Errorf("log of a build: %w", err)
	}
	r.ended = e.Type == driver.TypeResult
	return e, true, nil
}

// line gives the next whole line, which is good until the next call.
func (r *reader) line() (line []byte, ok bool, err error) {
	n, err := r.wait()
	if err != nil || n == 0 {
		return nil, false, err
	}
	line, r.rest = r.rest[:n], r.rest[n:]
	r.at += int64(n)
	return line, true, nil
}

// wait reads until there is a whole line and gives its length, or 0 if there is none yet. The beginning of a line is read anew the
// next time: it may have been cut off meanwhile, and another written in its place.
func (r *reader) wait() (int, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(r.rest[seen:], '\n'); i >= 0 {
			return seen + i + 1, nil
		}
		seen = len(r.rest)
		n, err := r.fill()
		if err != nil || n == 0 {
			r.rest = nil
			return 0, err
		}
	}
}

// fill reads some more; 0 bytes mean that there is no more yet.
func (r *reader) fill() (int, error) {
	if r.file == nil {
		f, err := os.Open(r.path)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("log of a build: %w", err)
		}
		r.file = f
	}
	have := append(r.buf[:0], r.rest...)
	r.buf = slices.Grow(have, 32<<10)
	n, err := r.file.ReadAt(r.buf[len(have):len(have)+32<<10], r.at+int64(len(have)))
	r.rest = r.buf[:len(have)+n]
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// atEnd says whether all whole lines have been read that are there. Behind a result half a line is what a killed process left.
func (r *reader) atEnd() bool {
	n, err := r.wait()
	return n == 0 && err == nil
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close()
	}
}

// lastEvent is the last event that a builder has told.
func lastEvent(path string) (last driver.Event, ok bool) {
	r := reader{path: path}
	defer r.close()
	for {
		line, more, err := r.line()
		if err != nil || !more {
			return last, ok
		}
		var e driver.Event
		if json.Unmarshal(line, &e) == nil {
			last, ok = e, true
		}
	}
}
