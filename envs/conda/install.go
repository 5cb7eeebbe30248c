package conda

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
)

// Install implements driver.Driver. Scripts of packages are never run; events of type log name those that carry one. When it
// returns, also after ctx has ended, nothing writes below the prefix any more.
func (d *Driver) Install(ctx context.Context, l *lock.Lock, at driver.Place, tell driver.Sink) error {
	if l.Kind != lock.Conda {
		return driver.Failf(driver.SpecInvalid, "the lock is for an environment of wheels alone")
	}
	if tell == nil {
		tell = func(driver.Event) {}
	}
	f := &fetching{tell: tell, packages: len(l.Packages), wheels: len(l.Wheels)}
	for _, p := range l.Packages {
		f.packageBytes += p.Size
	}
	for _, w := range l.Wheels {
		f.wheelBytes += w.Size
	}
	tell(driver.Event{Type: driver.TypeState, Phase: driver.Fetch})
	if len(l.Wheels) > 0 {
		if err := d.uv.Fetch(ctx, l.Wheels, l.Indexes, at.Wheels, f.wheel); err != nil {
			return err
		}
	}
	if len(l.Packages) > 0 {
		if err := d.installConda(ctx, l, at, f.message); err != nil {
			return err
		}
	}
	if len(l.Wheels) == 0 {
		return nil
	}
	tell(driver.Event{Type: driver.TypeState, Phase: driver.Pip})
	return d.uv.Install(ctx, uv.InstallRequest{
		Python: filepath.Join(at.Prefix, "bin", "python"), Wheels: l.Wheels, Dir: at.Wheels, UVCache: at.UVCache,
	}, tell)
}

// installConda has a helper of its own, so that killing it stops nothing else.
func (d *Driver) installConda(ctx context.Context, l *lock.Lock, at driver.Place, tell func(message)) error {
	r := request{Op: "install", Prefix: at.Prefix, Packages: at.Packages, Stall: d.c.Timeout.Seconds(), Records: make([]json.RawMessage, len(l.Packages))}
	for i, p := range l.Packages {
		raw, err := recordOf(p)
		if err != nil {
			return driver.Failf(driver.ToolFailed, "write the record of %s: %w", p.Name, err)
		}
		r.Records[i] = raw
	}
	h, err := d.installer()
	if err != nil {
		return err
	}
	err = h.call(ctx, r, func(message) error { return nil }, tell)
	if err != nil {
		h.kill()
		<-h.gone
		return plain(err)
	}
	h.end()
	return nil
}

// fetching puts the downloads of wheels and of packages together, so that the phase goes from nothing to all once.
type fetching struct {
	tell                     driver.Sink
	packages, wheels         int
	packageBytes, wheelBytes int64
	linking                  bool
}

func (f *fetching) wheel(e driver.Event) {
	if e.Type == driver.TypeProgress && e.Phase == driver.Fetch {
		e.Total, e.TotalBytes = f.packages+f.wheels, f.packageBytes+f.wheelBytes
	}
	f.tell(e)
}

// message turns what the helper tells into events.
func (f *fetching) message(m message) {
	switch m.Event {
	case "log":
		f.tell(driver.Event{Type: driver.TypeLog, Text: redact(m.Text)})
	case "fetch":
		f.tell(driver.Event{
			Type: driver.TypeProgress, Phase: driver.Fetch, Done: m.Done + f.wheels, Total: f.packages + f.wheels,
			Bytes: m.Bytes + f.wheelBytes, TotalBytes: f.packageBytes + f.wheelBytes, Package: m.Package,
		})
	case "link":
		if !f.linking {
			f.linking = true
			f.tell(driver.Event{Type: driver.TypeState, Phase: driver.Link})
		}
		f.tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Link, Done: m.Done, Total: m.Total, Package: m.Package})
	}
}
