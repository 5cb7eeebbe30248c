package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
)

// Caches are where a bundle is loaded into.
type Caches struct {
	// Dir is an empty folder on the file system of the caches.
	Dir string
	// Packages and Wheels are those of builds.
	Packages, Wheels string
	// Fetcher's cache gets the wheels of the tools, which Pins names.
	Fetcher *wheels.Fetcher
	Pins    []wheels.Wheel
	// Installer makes the driver that unpacks conda packages, once the tools can be built.
	Installer func(ctx context.Context) (driver.Driver, error)
	Tell      func(line string)
}

// The most that a bundle's texts may have, in bytes.
const maxText = 64 << 20

// Load reads a bundle into the caches, so that its lock can be built without a network.
func Load(ctx context.Context, in io.Reader, c Caches) (Bundle, error) {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return Bundle{}, err
	}
	defer root.Close()
	if err := unpack(ctx, in, root); err != nil {
		return Bundle{}, err
	}
	b, err := read(root)
	if err != nil {
		return b, err
	}
	have, err := c.Fetcher.Adopt(ctx, filepath.Join(c.Dir, cacheName), c.Pins)
	if err != nil {
		return b, err
	}
	c.Tell(fmt.Sprintf("%d of %d wheels of the tools are in the cache", have, len(c.Pins)))
	if err := c.wheels(b.Content.Wheels); err != nil {
		return b, err
	}
	return b, c.packages(ctx, b.Content)
}

// unpack writes the files of a bundle, which have no other names than those that a bundle has.
func unpack(ctx context.Context, in io.Reader, root *os.Root) error {
	files := tar.NewReader(in)
	for first := true; ; first = false {
		h, err := files.Next()
		switch {
		case errors.Is(err, io.EOF) && !first:
			return nil
		case err != nil:
			return problem.New(problem.Invalid, "this is no bundle, or only a part of one: %w", err)
		case first && h.Name != aboutName:
			return problem.New(problem.Invalid, "this is no bundle: it begins with %q", h.Name)
		case h.Typeflag != tar.TypeReg || !file.MatchString(h.Name):
			return problem.New(problem.Invalid, "the bundle holds %q, which has no place in one", h.Name)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if err := write(root, h.Name, files); err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
}

func write(root *os.Root, name string, from io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// read reads what the bundle is.
func read(root *os.Root) (Bundle, error) {
	var b Bundle
	about, err := text(root, aboutName)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(about, &b.About); err != nil {
		return b, problem.New(problem.Invalid, "this is no bundle: %w", err)
	}
	if b.Version != version {
		return b, problem.New(problem.Unsupported, "the bundle has layout %d, and this hopyard reads %d", b.Version, version)
	}
	locked, err := text(root, lockName)
	if err != nil {
		return b, err
	}
	if b.Content, err = lock.Decode(locked); err != nil {
		return b, problem.New(problem.Invalid, "the bundle's lock: %w", err)
	}
	if b.Content.ID() != b.Lock {
		return b, problem.New(problem.Invalid, "the bundle's lock is not the one that it names")
	}
	asked, err := text(root, specName)
	b.Spec = string(asked)
	return b, err
}

func text(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, problem.New(problem.Invalid, "the bundle has no %s: %w", name, err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxText))
}

// wheels moves those of the environment into the cache of builds.
func (c *Caches) wheels(all []lock.Wheel) error {
	for _, w := range all {
		from := filepath.Join(c.Dir, wheelsName, w.SHA256, w.Filename)
		if err := verify(from, w.SHA256, w.Filename); err != nil {
			return err
		}
		to := filepath.Join(c.Wheels, w.SHA256)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if err := os.Rename(from, filepath.Join(to, w.Filename)); err != nil {
			return fmt.Errorf("keep %s: %w", w.Filename, err)
		}
	}
	c.Tell(fmt.Sprintf("%d wheels are in the cache", len(all)))
	return nil
}

// packages has conda's packages unpacked into the cache of builds, by way of a prefix that is thrown away: the cache belongs to
// the installer, which alone knows its layout.
func (c *Caches) packages(ctx context.Context, l *lock.Lock) error {
	if len(l.Packages) == 0 {
		return nil
	}
	here := *l
	here.Wheels, here.Packages = nil, make([]lock.Package, len(l.Packages))
	for i, p := range l.Packages {
		name, err := artifact(p)
		if err != nil {
			return err
		}
		at := filepath.Join(c.Dir, filepath.FromSlash(name))
		if err := verify(at, p.SHA256, path.Base(name)); err != nil {
			return err
		}
		p.URL, p.Record = "file://"+filepath.ToSlash(at), nil
		here.Packages[i] = p
	}
	d, err := c.Installer(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	prefix := filepath.Join(c.Dir, "prefix")
	if err := d.Install(ctx, &here, driver.Place{Prefix: prefix, Packages: c.Packages}, func(driver.Event) {}); err != nil {
		return err
	}
	c.Tell(fmt.Sprintf("%d conda packages are in the cache", len(l.Packages)))
	return nil
}

// verify checks the hash of an artifact that must be there.
func verify(at, want, name string) error {
	f, err := os.Open(at)
	if err != nil {
		return problem.New(problem.Invalid, "the bundle lacks %s: %w", name, err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != want {
		return problem.New(problem.Invalid, "%s in the bundle is not what its lock says", name)
	}
	return nil
}
