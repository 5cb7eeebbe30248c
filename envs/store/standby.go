package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A standby is a builder that was started ahead and waits for the id of what it is to make. Its folder is work/standby-<name>:
//
//	order.json    what is known ahead of the order to come: tools, credentials file, limits, channels, and a lock that its will resemble
//	waiting       a FIFO that the standby reads; whoever renames it first decides what becomes of the standby
//	events.jsonl  leads to the events of what it makes, once it knows
const (
	standbyPrefix = "standby-"
	waitingFile   = "waiting"
	decidedFile   = "decided"
)

// ErrNoStandby means that a standby does not wait any more, or not yet.
var ErrNoStandby = errors.New("no builder waits there")

func (s *Store) standbyPath(name string, elem ...string) string {
	return s.path(append([]string{"work", standbyPrefix + name}, elem...)...)
}

// checkName keeps anything but names of ours out of paths.
func checkName(name string) error {
	if !idPattern.MatchString(name) {
		return fmt.Errorf("%q is no name of a waiting builder", name)
	}
	return nil
}

// PrepareStandby makes the folder of the standby name, 16 hexadecimal digits that nobody else has. Of the order its lock
// is a guess, and only what is not about a certain prefix counts besides.
func (s *Store) PrepareStandby(name string, o Order) error {
	if err := checkName(name); err != nil {
		return err
	}
	o.Requested, o.Options = nil, Options{Domain: o.Options.Domain}
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("prepare standby: %w", err)
	}
	if err := os.Mkdir(s.standbyPath(name), 0o700); err != nil {
		return fmt.Errorf("prepare standby: %w", err)
	}
	if err := writeFile(s.standbyPath(name, orderFile), b, 0o600, false); err != nil {
		return fmt.Errorf("prepare standby: %w", err)
	}
	return nil
}

// ReadStandby reads what a standby is told ahead.
func (s *Store) ReadStandby(name string) (*Order, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(s.standbyPath(name, orderFile))
	if err != nil {
		return nil, fmt.Errorf("read standby: %w", err)
	}
	var o Order
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("read standby: %w", err)
	}
	if o.Lock != nil {
		if err := o.Lock.Check(); err != nil {
			return nil, fmt.Errorf("read standby: %w", err)
		}
	}
	return &o, nil
}

// StandbyEvents is where the events of what a standby makes are, once it knows what that is.
func (s *Store) StandbyEvents(name string) string { return s.standbyPath(name, eventsFile) }

// RemoveStandby removes the folder of a standby. One that still waits does not hear of it: end it first.
func (s *Store) RemoveStandby(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return os.RemoveAll(s.standbyPath(name))
}

// Waits says whether a standby waits for its assignment, or did until it was killed.
func (s *Store) Waits(name string) bool {
	if checkName(name) != nil {
		return false
	}
	_, err := os.Lstat(s.standbyPath(name, waitingFile))
	return err == nil
}

// Assign gives a standby the id whose order it is to carry out. It does not wait. ErrNoStandby is in the chain of the error where
// the standby has not come to wait yet, has gone, or was given another id.
func (s *Store) Assign(name, id string) error {
	if err := errors.Join(checkName(name), check(id)); err != nil {
		return err
	}
	if !s.decide(name) {
		return ErrNoStandby
	}
	f, err := os.OpenFile(s.standbyPath(name, decidedFile), os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil { // ENXIO: nobody reads
		return fmt.Errorf("%w: %w", ErrNoStandby, err)
	}
	defer f.Close()
	if _, err := f.WriteString(id); err != nil {
		return fmt.Errorf("%w: %w", ErrNoStandby, err)
	}
	return nil
}

// decide is true for the first who asks: for who assigns the standby, or for the standby that has waited long enough.
func (s *Store) decide(name string) bool {
	return os.Rename(s.standbyPath(name, waitingFile), s.standbyPath(name, decidedFile)) == nil
}

// promised is how long a standby waits for the id after somebody has decided that it gets one: between the two lies a write.
const promised = 5 * time.Second

// Await waits as the standby name for an id, at most for that long, and gives an empty one if there was none. The order of the id
// may be read then. It is for the standby itself, which calls RemoveStandby in the end.
func (s *Store) Await(ctx context.Context, name string, long time.Duration) (id string, err error) {
	f, err := s.offer(name)
	if err != nil {
		return "", fmt.Errorf("wait for an order: %w", err)
	}
	defer f.Close()
	if id, err = readID(ctx, f, long); errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		if s.decide(name) {
			return "", nil
		}
		id, err = readID(ctx, f, promised)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return "", cause
	}
	if err == nil {
		err = check(id)
	}
	if err == nil {
		err = errors.Join(os.Remove(s.standbyPath(name, decidedFile)), os.Symlink(s.Events(id), s.StandbyEvents(name)))
	}
	if err != nil {
		return "", fmt.Errorf("wait for an order: %w", err)
	}
	return id, nil
}

// offer makes the FIFO. It is there for others only when it is being read, so that one that nobody reads belongs to nobody alive.
func (s *Store) offer(name string) (*os.File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	draft := s.standbyPath(name, "draft")
	if err := unix.Mkfifo(draft, 0o600); err != nil {
		return nil, &fs.PathError{Op: "mkfifo", Path: draft, Err: err}
	}
	f, err := os.OpenFile(draft, os.O_RDWR|unix.O_NONBLOCK, 0) // for writing too: it does not end with its first writer
	if err != nil {
		return nil, err
	}
	if err := os.Rename(draft, s.standbyPath(name, waitingFile)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readID reads until an id is whole, the time is over, which is os.ErrDeadlineExceeded, or ctx ends.
func readID(ctx context.Context, f *os.File, long time.Duration) (string, error) {
	if err := f.SetReadDeadline(time.Now().Add(long)); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	id := make([]byte, 16)
	_, err := io.ReadFull(f, id)
	return string(id), err
}

// Worker names who carries out the order of id, as the order says; empty where it does not, or where there is none.
func (s *Store) Worker(id string) string {
	if check(id) != nil {
		return ""
	}
	b, err := os.ReadFile(s.path("work", id, orderFile))
	if err != nil {
		return ""
	}
	var o struct {
		Worker string `json:"worker"`
	}
	_ = json.Unmarshal(b, &o)
	return o.Worker
}

// sweepStandbys removes the folders of standbys that were killed.
func (s *Store) sweepStandbys() error {
	entries, err := os.ReadDir(s.path("work"))
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), standbyPrefix)
		if ok && checkName(name) == nil && s.deserted(name) {
			errs = append(errs, s.RemoveStandby(name))
		}
	}
	return errors.Join(errs...)
}

// deserted says whether a standby has gone: nobody reads its FIFO, or there has been none for long.
func (s *Store) deserted(name string) bool {
	for _, file := range []string{waitingFile, decidedFile} {
		f, err := os.OpenFile(s.standbyPath(name, file), os.O_WRONLY|unix.O_NONBLOCK, 0)
		if err == nil {
			_ = f.Close()
			return false
		}
		if errors.Is(err, unix.ENXIO) {
			return true
		}
	}
	info, err := os.Stat(s.standbyPath(name))
	return err == nil && time.Since(info.ModTime()) > keepWork
}
