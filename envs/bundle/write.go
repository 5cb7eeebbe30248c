package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
)

// Means are what a bundle is written with.
type Means struct {
	// Dir is an empty folder for downloads.
	Dir string
	// Fetcher brings the wheels that are known by name and hash alone.
	Fetcher *wheels.Fetcher
	// Pins are those of the tools and the pages, Starters those of first environments by the version of Python.
	Pins     []wheels.Wheel
	Starters map[string][]wheels.Wheel
	// AuthFile has the credentials of channels and indexes, in the form of RATTLER_AUTH_FILE; empty means none. They are used to
	// fetch, and never written.
	AuthFile string
	// Tell hears a line for each slow step.
	Tell func(line string)
}

// Write writes a bundle. Artifacts are fetched from where the locks have them, and checked. What goes wrong is a *driver.Failure or a
// *problem.Problem; what has been written by then is no bundle.
func Write(ctx context.Context, out io.Writer, b Bundle, m Means) error {
	w := &writer{tar: tar.NewWriter(out), held: map[string]string{}, Means: m}
	b.Version, b.Pythons = version, slices.Sorted(maps.Keys(m.Starters))
	for i := range b.Environments {
		e := &b.Environments[i]
		e.Lock, e.Platform = e.Content.ID(), e.Content.Platform
		if w.at.Before(e.Content.Created) {
			w.at = e.Content.Created
		}
	}
	if err := w.texts(b); err != nil {
		return err
	}
	if err := w.packages(ctx, b.Environments); err != nil {
		return err
	}
	for _, e := range b.Environments {
		if err := w.wheels(ctx, e); err != nil {
			return err
		}
	}
	if err := w.cache(ctx); err != nil {
		return err
	}
	w.text(endName, nil)
	return errors.Join(w.err, w.tar.Close())
}

// writer puts files into a tar; after the first error it does nothing.
type writer struct {
	Means
	tar  *tar.Writer
	at   time.Time         // of all files, so that equal bundles are equal
	held map[string]string // hashes of the artifacts that are in, by name
	err  error
}

func (w *writer) text(name string, text []byte) {
	w.put(name, int64(len(text)), bytes.NewReader(text))
}

func (w *writer) put(name string, size int64, from io.Reader) {
	if w.err != nil {
		return
	}
	w.err = w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: w.at.Truncate(time.Second)})
	if w.err == nil {
		_, w.err = io.Copy(w.tar, from)
	}
}

// file puts a file of the disk into the tar.
func (w *writer) file(name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.put(name, info.Size(), f)
	return w.err
}

// has says whether an artifact is in the tar, and notes that it will be.
func (w *writer) has(name, sha256 string) (bool, error) {
	held, ok := w.held[name]
	if ok && held != sha256 {
		return true, problem.New(problem.Conflict, "two different files are called %s: put these environments into bundles of their own", path.Base(name))
	}
	w.held[name] = sha256
	return ok, nil
}

// texts puts what the bundle says of itself and of its environments.
func (w *writer) texts(b Bundle) error {
	about, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	w.text(aboutName, about)
	for i, e := range b.Environments {
		text, err := e.Content.Encode()
		if err != nil {
			return fmt.Errorf("write the lock of %s: %w", e.Name, err)
		}
		w.text(textName(i, lockName), text)
		w.text(textName(i, specName), []byte(e.Spec))
	}
	return w.err
}

// tool fetches for an environment: inside of the network around, it goes only to where the lock's channels and indexes are.
func (w *writer) tool(l *lock.Lock) *uv.Tool {
	return &uv.Tool{
		AuthFile: w.AuthFile, Hosts: slices.Concat(l.Channels, l.Indexes),
		Pinned: uv.Pinned{Python: w.Fetcher.Python, For: l.Python, Cache: w.Fetcher.Cache},
	}
}

// packages puts conda's artifacts and the repodata of what they are in.
func (w *writer) packages(ctx context.Context, all []Environment) error {
	subdirs := map[string][]lock.Package{}
	for _, e := range all {
		for i, p := range e.Content.Packages {
			name, err := packageName(p)
			if err != nil {
				return err
			}
			if there, err := w.has(name, p.SHA256); there || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			w.Tell(fmt.Sprintf("%s: package %d of %d: %s", e.Name, i+1, len(e.Content.Packages), path.Base(name)))
			draft := filepath.Join(w.Dir, "package")
			if err := w.fetch(ctx, p, e.Content.Channels, draft); err != nil {
				return err
			}
			if err := w.file(name, draft); err != nil {
				return err
			}
			subdirs[p.Subdir] = append(subdirs[p.Subdir], p)
		}
	}
	return w.indexes(subdirs)
}

// fetch brings a package to the file draft, which may hold another one.
func (w *writer) fetch(ctx context.Context, p lock.Package, channels []string, draft string) error {
	if err := os.Remove(draft); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	known, err := fetch.ReadCredentials(w.AuthFile)
	if err != nil {
		return err
	}
	return w.explained(conda.Fetch(ctx, fetch.Source{Credentials: known}, p, channels, draft, nil))
}

// explained says how to give a password, where that is what was lacking.
func (w *writer) explained(err error) error {
	if err == nil || driver.FailureOf(err).Cause != driver.AuthFailed || w.AuthFile != "" {
		return err
	}
	f := *driver.FailureOf(err)
	f.Message += "; name a file that has them, with --credentials or --config"
	return &f
}

// indexes puts the repodata of each subdir.
func (w *writer) indexes(subdirs map[string][]lock.Package) error {
	if len(subdirs) > 0 && subdirs["noarch"] == nil {
		subdirs["noarch"] = []lock.Package{} // every channel has it
	}
	for _, subdir := range slices.Sorted(maps.Keys(subdirs)) {
		text, err := index(subdir, subdirs[subdir])
		if err != nil {
			return err
		}
		w.text(path.Join(channelName, subdir, repodata), text)
	}
	return w.err
}

// wheels puts those of an environment.
func (w *writer) wheels(ctx context.Context, e Environment) error {
	if len(e.Content.Wheels) == 0 {
		return nil
	}
	dir := filepath.Join(w.Dir, wheelsName)
	said := 0
	err := w.tool(e.Content).Fetch(ctx, e.Content.Wheels, e.Content.Indexes, dir, func(ev driver.Event) {
		if ev.Done > said {
			said = ev.Done
			w.Tell(fmt.Sprintf("%s: wheel %d of %d", e.Name, ev.Done, ev.Total))
		}
	})
	if err != nil {
		return w.explained(err)
	}
	for _, wheel := range e.Content.Wheels {
		name, err := wheelName(wheel)
		if err != nil {
			return err
		}
		there, err := w.has(name, wheel.SHA256)
		if err == nil && !there {
			err = w.file(name, filepath.Join(dir, wheel.SHA256, wheel.Filename))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cache puts the wheels of the tools, of the pages and of first environments.
func (w *writer) cache(ctx context.Context) error {
	w.Tell(fmt.Sprintf("%d wheels of the tools and the pages", len(w.Pins)))
	if err := w.pinned(ctx, "", w.Pins); err != nil {
		return err
	}
	for _, python := range slices.Sorted(maps.Keys(w.Starters)) {
		w.Tell(fmt.Sprintf("%d wheels of a first environment on Python %s", len(w.Starters[python]), python))
		if err := w.pinned(ctx, python, w.Starters[python]); err != nil {
			return err
		}
	}
	return nil
}

// pinned puts wheels for a version of Python; empty means for any.
func (w *writer) pinned(ctx context.Context, python string, pins []wheels.Wheel) error {
	f := *w.Fetcher
	f.For = python
	paths, err := f.Fetch(ctx, pins)
	if err != nil {
		return err
	}
	order := make([]int, len(pins))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare([]byte(pins[a].Filename), []byte(pins[b].Filename)) })
	for _, i := range order {
		name := path.Join(cacheName, pins[i].Filename)
		there, err := w.has(name, pins[i].SHA256)
		if err == nil && !there {
			err = w.file(name, paths[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
