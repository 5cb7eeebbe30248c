package uv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/filelock"
	"github.com/hopyard/hopyard/internal/problem"
	pinned "github.com/hopyard/hopyard/internal/wheels"
	"golang.org/x/sync/errgroup"
)

const (
	downloadsAtOnce = 4
	// tellEvery is the least time between two events about bytes alone.
	tellEvery = 100 * time.Millisecond
)

// Fetch brings the wheels into dir/<sha256>/<filename>, each complete or absent, and tells of it in the phase fetch. What is
// there already is not fetched again. Processes that want the same wheel wait for one another; a download that was cut off,
// even by the death of its process, goes on where it ended.
//
// Wheels come from the Internet, from the hosts of t, and of the indexes that they were solved with.
func (t *Tool) Fetch(ctx context.Context, wheels []lock.Wheel, indexes []string, dir string, tell driver.Sink) error {
	ctx = t.inside(ctx, indexes...)
	for _, w := range wheels {
		if err := checkWheel(w); err != nil {
			return driver.Failf(driver.SpecInvalid, "the lock cannot be used: %w", err)
		}
	}
	known, err := t.credentials()
	if err != nil {
		return err
	}
	count := newCounter(driver.Fetch, wheels, tell)
	var unaddressed []lock.Wheel
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(downloadsAtOnce)
	for _, w := range wheels {
		switch {
		case present(dir, w):
			count.done(w)
		case w.URL == "":
			unaddressed = append(unaddressed, w)
		default:
			group.Go(func() error { return t.fetch(groupCtx, w, dir, known, count) })
		}
	}
	group.Go(func() error { return t.fetchPinned(groupCtx, unaddressed, dir, count) })
	err = group.Wait()
	if err != nil && ctx.Err() != nil {
		return ended(ctx)
	}
	return err
}

// present reports whether a wheel is there whole. A file gets its name only once its hash was right and it is on disk.
func present(dir string, w lock.Wheel) bool {
	info, err := os.Stat(placeOf(dir, w))
	return err == nil && info.Mode().IsRegular() && (w.Size == 0 || info.Size() == w.Size)
}

func placeOf(dir string, w lock.Wheel) string { return filepath.Join(dir, w.SHA256, w.Filename) }

func checkWheel(w lock.Wheel) error {
	if err := checkFilename(w.Filename); err != nil {
		return err
	}
	if err := checkHash(w.SHA256); err != nil {
		return fmt.Errorf("%s: %w", w.Filename, err)
	}
	if !validName.MatchString(w.Name) || !validVersion.MatchString(w.Version) {
		return fmt.Errorf("%s: %q %q is no name and version", w.Filename, w.Name, w.Version)
	}
	if w.URL != "" {
		if _, err := cleanAddress(w.URL); err != nil {
			return fmt.Errorf("%s: %w", w.Filename, err)
		}
	}
	return nil
}

// fetch brings one wheel, alone among all that want it.
func (t *Tool) fetch(ctx context.Context, w lock.Wheel, dir string, known credentials, count *counter) error {
	folder := filepath.Join(dir, w.SHA256)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return noRoom("make room for "+w.Filename, err)
	}
	held, err := filelock.Wait(ctx, filepath.Join(folder, ".lock"))
	if err != nil {
		return noRoom("wait for "+w.Filename, err)
	}
	defer held.Close()
	if present(dir, w) {
		count.done(w)
		return nil
	}
	if t.Offline && !isFile(w.URL) {
		return driver.Failf(driver.ChannelUnreachable, "offline, and %s is not in the cache", w.Filename)
	}
	d := download{wheel: w, part: filepath.Join(folder, ".part"), known: known, count: count}
	if err := d.run(ctx); err != nil {
		return err
	}
	if err := os.Rename(d.part, placeOf(dir, w)); err != nil {
		return noRoom("keep "+w.Filename, err)
	}
	count.done(w)
	return nil
}

// fetchPinned brings wheels that have no address through the machine's pip and the user's cache.
func (t *Tool) fetchPinned(ctx context.Context, wheels []lock.Wheel, dir string, count *counter) error {
	if len(wheels) == 0 {
		return nil
	}
	pins := make([]pinned.Wheel, len(wheels))
	for i, w := range wheels {
		pins[i] = pinned.Wheel{Name: w.Name, Version: w.Version, Filename: w.Filename, SHA256: w.SHA256, Size: w.Size}
	}
	f := pinned.Fetcher{
		Python: t.Pinned.Python, For: t.Pinned.For, Cache: t.Pinned.Cache, Offline: t.Offline,
		Progress: func(p pinned.Progress) {
			at := slices.IndexFunc(wheels, func(w lock.Wheel) bool { return w.Filename == p.Wheel.Filename })
			if at >= 0 && p.Phase == pinned.Downloading {
				count.working(wheels[at])
			}
		},
	}
	paths, err := f.Fetch(ctx, pins)
	if err != nil {
		return pinnedFailure(err)
	}
	for i, w := range wheels {
		if err := adopt(paths[i], placeOf(dir, w)); err != nil {
			return noRoom("keep "+w.Filename, err)
		}
		count.done(w)
	}
	return nil
}

func pinnedFailure(err error) error {
	if isFull(err) {
		return noRoom("", err)
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return &driver.Failure{Cause: driver.ChannelUnreachable, Message: userinfo.ReplaceAllString(p.Message, "$1"), Err: err}
	}
	return err
}

// adopt makes to the same file as from, or a copy where that cannot be.
func adopt(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Link(from, to); err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFrom(to, in)
}

// writeWhole makes the file at path complete or not at all.
func writeWhole(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(text); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func writeFrom(path string, from io.Reader) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, from)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// counter turns what happens to wheels into events, which come one after another.
type counter struct {
	phase driver.Phase
	tell  driver.Sink

	mu    sync.Mutex // guards what is below
	event driver.Event
	here  map[string]int64 // bytes that are there, by hash
	last  time.Time
}

func newCounter(phase driver.Phase, wheels []lock.Wheel, tell driver.Sink) *counter {
	c := &counter{phase: phase, tell: tell, here: map[string]int64{}}
	c.event = driver.Event{Type: driver.TypeProgress, Phase: phase, Total: len(wheels)}
	for _, w := range wheels {
		c.event.TotalBytes += w.Size
	}
	return c
}

// bytes says that n bytes of a wheel are there.
func (c *counter) bytes(w lock.Wheel, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event.Bytes += n - c.here[w.SHA256]
	c.here[w.SHA256] = n
	if time.Since(c.last) >= tellEvery {
		c.say(w)
	}
}

// working says that a wheel is being fetched.
func (c *counter) working(w lock.Wheel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(w)
}

// done says that a wheel is there whole.
func (c *counter) done(w lock.Wheel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event.Done++
	c.event.Bytes += w.Size - c.here[w.SHA256]
	c.here[w.SHA256] = w.Size
	c.say(w)
}

// say is called with mu held: events must not overtake one another.
func (c *counter) say(w lock.Wheel) {
	if c.tell == nil {
		return
	}
	c.last = time.Now()
	event := c.event
	event.Package = w.Name
	c.tell(event)
}
