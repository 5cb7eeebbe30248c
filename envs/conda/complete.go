package conda

import (
	"context"
	"maps"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
)

// Complete implements driver.Driver.
func (d *Driver) Complete(ctx context.Context, l *lock.Lock, index string) (*lock.Lock, error) {
	if l.Kind != lock.Conda {
		return nil, driver.Failf(driver.SpecInvalid, "the lock is for an environment of wheels alone")
	}
	l = l.Bare()
	l.Solver, l.Created = d.c.Tools.Version, time.Now().UTC()
	err := d.completePackages(ctx, l)
	if err != nil && driver.FailureOf(err).Cause != driver.ChannelUnreachable {
		return nil, err
	}
	l.Python = minor(l.Packages)
	if len(l.Wheels) == 0 {
		return l, nil
	}
	var provided []string
	for _, p := range l.Packages {
		provided = append(provided, distributions(p)...)
	}
	l.Wheels, err = d.uv.Complete(ctx, uv.Completion{Wheels: l.Wheels, Provided: provided, Python: l.Python, Platform: l.Platform, Index: index})
	if err != nil {
		return nil, err
	}
	return l, d.nameIndex(ctx, index, l)
}

// completePackages puts the channels' own words in.
func (d *Driver) completePackages(ctx context.Context, l *lock.Lock) error {
	r := request{Op: "complete"}
	for _, p := range l.Packages {
		r.Artifacts = append(r.Artifacts, reference{p.Name, p.URL, p.SHA256})
	}
	r.Channels = l.Channels
	if len(r.Artifacts) == 0 {
		return nil
	}
	got, packages, err := d.solveRecords(ctx, r)
	if err != nil {
		return err
	}
	for _, place := range got.Missing {
		if place >= 0 && place < len(l.Packages) {
			p := l.Packages[place]
			f := driver.Failf(driver.PackageMissing, "its channel does not have %s %s %s with the hash of the lock (any more): solve anew", p.Name, p.Version, p.Build)
			f.Package = p.Name
			return f
		}
	}
	l.Channels = got.Channels
	l.Packages, l.Virtual = packages, neededVirtual(got.Virtual, packages)
	return nil
}

// Places implements driver.Driver.
func (d *Driver) Places(ctx context.Context, channels []string) (driver.Places, error) {
	index, err := d.uv.DefaultIndex(ctx)
	if err != nil {
		return driver.Places{}, err
	}
	known, err := d.places(ctx, channels)
	return driver.Places{Channels: known, Index: index}, err
}

// places asks the helper once for each name: what it says does not change.
func (d *Driver) places(ctx context.Context, channels []string) (map[string]string, error) {
	d.mu.Lock()
	known := maps.Clone(d.known)
	d.mu.Unlock()
	r := request{Op: "places"}
	var asked []string
	for _, name := range channels {
		if known[name] == "" {
			asked = append(asked, name)
		}
	}
	if len(asked) == 0 {
		return known, nil
	}
	r.Channels = d.addresses(asked)
	var got solved
	if err := d.ask(ctx, r, func(m message) error { return m.into(&got) }); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, address := range got.Channels[:min(len(asked), len(got.Channels))] {
		d.known[asked[i]] = address
	}
	return maps.Clone(d.known), nil
}
