package bundle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
)

// Caches are where a bundle is loaded into.
type Caches struct {
	// Dir is an empty folder on the file system of the caches.
	Dir string
	// Domain gives the trust domain of a lock by the rules of this host, Packages and Wheels the caches of builds in a domain.
	Domain           func(*lock.Lock) string
	Packages, Wheels func(domain string) string
	// Fetcher's cache gets the wheels of the tools and the pages, Pins, and those of first environments by the version of Python.
	Fetcher  *wheels.Fetcher
	Pins     []wheels.Wheel
	Starters map[string][]wheels.Wheel
	// Installer makes the driver that unpacks conda packages, once the tools can be built.
	Installer func(ctx context.Context) (driver.Driver, error)
	Tell      func(line string)
}

// Load reads a bundle into the caches, so that its locks can be built without a network. What is no bundle, cut off, tampered with,
// or not for this host is a *problem.Problem, and nothing of it gets into the caches.
func Load(ctx context.Context, in io.Reader, c Caches) (Bundle, error) {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return Bundle{}, err
	}
	defer root.Close()
	r := &reader{tar: tar.NewReader(in), root: root}
	b, err := r.about(ctx)
	if err != nil {
		return b, err
	}
	domains, err := c.domains(b)
	if err != nil {
		return b, err
	}
	if err := r.expect(b, c.pins()); err != nil {
		return b, err
	}
	c.Tell(fmt.Sprintf("checking what is in the bundle: %d environments", len(b.Environments)))
	if err := r.artifacts(ctx); err != nil {
		return b, err
	}
	if err := c.adopt(ctx, root); err != nil {
		return b, err
	}
	return b, c.fill(ctx, b, domains)
}

// domains are the trust domains of the environments here. What is private where it comes from must not become everybody's by being
// carried.
func (c *Caches) domains(b Bundle) ([]string, error) {
	all := make([]string, len(b.Environments))
	for i, e := range b.Environments {
		all[i] = c.Domain(e.Content)
		if c.opens(e, all[i]) {
			return nil, problem.New(problem.Conflict, "environment %s has packages of the private channel %s (%s), and the configuration of this host does not say who may use it: "+
				"name it under environments.private_channels, and where it is under channel_urls, and load the bundle with --config",
				e.Name, strings.Join(e.Private, ", "), strings.Join(e.Content.Channels, ", "))
		}
	}
	return all, nil
}

// opens says whether what is private in an environment would be everybody's here, or that of those who may use another channel.
func (c *Caches) opens(e Environment, domain string) bool {
	if known := len(strings.FieldsFunc(domain, func(r rune) bool { return r == '+' })); known < len(e.Private) {
		return true
	}
	here := map[string]bool{}
	for _, hash := range Closed(e.Content, c.Domain) {
		here[hash] = true
	}
	return slices.ContainsFunc(e.Closed, func(hash string) bool { return !here[hash] })
}

// pins are all wheels of Hopyard's own that may be in a bundle.
func (c *Caches) pins() []wheels.Wheel {
	all := slices.Clone(c.Pins)
	for _, python := range slices.Sorted(maps.Keys(c.Starters)) {
		all = append(all, c.Starters[python]...)
	}
	return all
}

// adopt puts Hopyard's own wheels into the user's cache and says what they are enough for.
func (c *Caches) adopt(ctx context.Context, root *os.Root) error {
	if _, err := c.Fetcher.Adopt(ctx, filepath.Join(c.Dir, cacheName), c.pins()); err != nil {
		return err
	}
	if n := c.lacking(root, c.Pins); n > 0 {
		c.Tell(fmt.Sprintf("%d of %d wheels of the tools and the pages are not in the bundle: it was written by another version of hopyard", n, len(c.Pins)))
	} else {
		c.Tell("the tools and the pages are in the cache")
	}
	var pythons []string
	for _, python := range slices.Sorted(maps.Keys(c.Starters)) {
		if c.lacking(root, c.Starters[python]) == 0 {
			pythons = append(pythons, python)
		}
	}
	if len(pythons) == 0 {
		c.Tell("the wheels of a first environment are not in the bundle")
	} else {
		c.Tell("a first environment can be made on Python " + strings.Join(pythons, ", "))
	}
	return nil
}

// lacking counts the pins that the bundle did not have.
func (c *Caches) lacking(root *os.Root, pins []wheels.Wheel) (n int) {
	for _, pin := range pins {
		if !exists(root, path.Join(cacheName, pin.Filename)) {
			n++
		}
	}
	return n
}

// fill puts the environments' artifacts into the caches of their domains.
func (c *Caches) fill(ctx context.Context, b Bundle, domains []string) error {
	var d driver.Driver
	for i, e := range b.Environments {
		if err := c.wheels(e, c.Wheels(domains[i])); err != nil {
			return err
		}
		if len(e.Content.Packages) == 0 {
			continue
		}
		if d == nil {
			var err error
			if d, err = c.Installer(ctx); err != nil {
				return err
			}
			defer d.Close()
		}
		if err := c.packages(ctx, d, e, c.Packages(domains[i])); err != nil {
			return err
		}
	}
	return nil
}

// wheels copies those of an environment into the cache of its domain.
func (c *Caches) wheels(e Environment, to string) error {
	for _, w := range e.Content.Wheels {
		folder := filepath.Join(to, w.SHA256)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		from := filepath.Join(c.Dir, wheelsName, w.SHA256, w.Filename)
		if err := copyFile(from, filepath.Join(folder, w.Filename)); err != nil {
			return fmt.Errorf("keep %s: %w", w.Filename, err)
		}
	}
	if len(e.Content.Wheels) > 0 {
		c.Tell(fmt.Sprintf("%s: %d wheels are in the cache", e.Name, len(e.Content.Wheels)))
	}
	return nil
}

// copyFile makes the file to, complete or not at all. It is no link: files of different domains are different files.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}

// packages has conda's packages unpacked into the cache of a domain, by way of a prefix that is thrown away: the cache belongs to
// the installer, which alone knows its layout.
func (c *Caches) packages(ctx context.Context, d driver.Driver, e Environment, to string) error {
	here := *e.Content
	here.Wheels, here.Packages = nil, make([]lock.Package, len(e.Content.Packages))
	for i, p := range e.Content.Packages {
		name, err := packageName(p)
		if err != nil {
			return err
		}
		p.URL, p.Record = "file://"+filepath.ToSlash(filepath.Join(c.Dir, filepath.FromSlash(name))), nil
		here.Packages[i] = p
	}
	prefix, err := os.MkdirTemp(c.Dir, "prefix-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(prefix)
	c.Tell(fmt.Sprintf("%s: unpacking %d conda packages", e.Name, len(here.Packages)))
	if err := d.Install(ctx, &here, driver.Place{Prefix: filepath.Join(prefix, "env"), Packages: to}, func(driver.Event) {}); err != nil {
		return err
	}
	c.Tell(fmt.Sprintf("%s: %d conda packages are in the cache", e.Name, len(here.Packages)))
	return nil
}
