package uv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/egress"
	"github.com/hopyard/hopyard/internal/filelock"
	"github.com/hopyard/hopyard/internal/problem"
	pinned "github.com/hopyard/hopyard/internal/wheels"
	"golang.org/x/sync/errgroup"
)

const downloadsAtOnce = 4

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
	known, err := fetch.ReadCredentials(t.AuthFile)
	if err != nil {
		return err
	}
	count := fetch.NewCounter(toCome(driver.Fetch, wheels), tell)
	var unaddressed []lock.Wheel
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(downloadsAtOnce)
	for _, w := range wheels {
		switch {
		case present(dir, w):
			count.Done(fileOf(w))
		case w.URL == "":
			unaddressed = append(unaddressed, w)
		default:
			group.Go(func() error { return t.bring(groupCtx, w, dir, known, count) })
		}
	}
	group.Go(func() error { return t.fetchPinned(groupCtx, unaddressed, dir, count) })
	err = group.Wait()
	if err != nil && ctx.Err() != nil {
		return fetch.Ended(ctx)
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

// bring brings one wheel, alone among all that want it.
func (t *Tool) bring(ctx context.Context, w lock.Wheel, dir string, known fetch.Credentials, count *fetch.Counter) error {
	folder := filepath.Join(dir, w.SHA256)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fetch.NoRoom("make room for "+w.Filename, err)
	}
	held, err := filelock.Wait(ctx, filepath.Join(folder, ".lock"))
	if err != nil {
		return fetch.NoRoom("wait for "+w.Filename, err)
	}
	defer held.Close()
	if present(dir, w) {
		count.Done(fileOf(w))
		return nil
	}
	if t.Offline && !isFile(w.URL) {
		return driver.Failf(driver.ChannelUnreachable, "offline, and %s is not in the cache", w.Filename)
	}
	part := filepath.Join(folder, ".part")
	file := fileOf(w)
	from := fetch.Source{Credentials: known}
	if err := from.Get(ctx, file, part, func(have int64) { count.Bytes(file, have) }); err != nil {
		return whereToAsk(err)
	}
	if err := keep(part, placeOf(dir, w)); err != nil {
		return fetch.NoRoom("keep "+w.Filename, err)
	}
	count.Done(file)
	return nil
}

// keep gives a file its name once it is on disk: under that it is whole whatever happens.
func keep(part, name string) error {
	file, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(part, name)
}

// fileOf is a wheel as it is fetched and counted.
func fileOf(w lock.Wheel) fetch.File {
	return fetch.File{Package: w.Name, Name: w.Filename, URL: w.URL, SHA256: w.SHA256, Size: w.Size}
}

// whereToAsk says of a wheel whose address led inside of the network around who may allow that.
func whereToAsk(err error) error {
	if _, ok := errors.AsType[*egress.Error](err); !ok {
		return err
	}
	f := *driver.FailureOf(err)
	f.Rule, f.Message = "wheel_hosts", f.Message+"; ask who runs the site to add that host to wheel_hosts"
	return &f
}

func isFile(address string) bool { return strings.HasPrefix(address, "file:") }

// fetchPinned brings wheels that have no address through the machine's pip and the user's cache.
func (t *Tool) fetchPinned(ctx context.Context, wheels []lock.Wheel, dir string, count *fetch.Counter) error {
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
				count.Working(wheels[at].Name)
			}
		},
	}
	paths, err := f.Fetch(ctx, pins)
	if err != nil {
		return pinnedFailure(err)
	}
	for i, w := range wheels {
		if err := adopt(paths[i], placeOf(dir, w)); err != nil {
			return fetch.NoRoom("keep "+w.Filename, err)
		}
		count.Done(fileOf(w))
	}
	return nil
}

func pinnedFailure(err error) error {
	if fetch.IsFull(err) {
		return fetch.NoRoom("", err)
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return &driver.Failure{Cause: driver.ChannelUnreachable, Message: fetch.Redact(p.Message), Err: err}
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

// toCome is the event that a phase of wheels begins with.
func toCome(phase driver.Phase, wheels []lock.Wheel) driver.Event {
	e := driver.Event{Phase: phase, Total: len(wheels)}
	for _, w := range wheels {
		e.TotalBytes += w.Size
	}
	return e
}
