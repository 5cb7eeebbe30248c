package conda

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
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
	begin := driver.Event{Phase: driver.Fetch, Total: len(l.Packages) + len(l.Wheels), TotalBytes: l.Bytes()}
	tell(driver.Event{Type: driver.TypeState, Phase: driver.Fetch})
	if len(l.Wheels) > 0 {
		if err := d.uv.Fetch(ctx, l.Wheels, l.Indexes, at.Wheels, amid(begin, tell)); err != nil {
			return err
		}
		for _, w := range l.Wheels {
			begin.Bytes += w.Size
		}
		begin.Done = len(l.Wheels)
	}
	if len(l.Packages) > 0 {
		if err := d.installConda(ctx, l, at, fetch.NewCounter(begin, tell), tell); err != nil {
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

// amid tells of the downloads of wheels as of a part of all downloads, so that the phase goes from nothing to all once.
func amid(all driver.Event, tell driver.Sink) driver.Sink {
	return func(e driver.Event) {
		if e.Type == driver.TypeProgress && e.Phase == driver.Fetch {
			e.Total, e.TotalBytes = all.Total, all.TotalBytes
		}
		tell(e)
	}
}

// installConda brings the packages into the cache and links them. The cache may lose one in between, and have one that is damaged: then
// the prefix is made once more, from the beginning.
func (d *Driver) installConda(ctx context.Context, l *lock.Lock, at driver.Place, count *fetch.Counter, tell driver.Sink) error {
	again := map[string]bool{}
	for {
		err := d.installOnce(ctx, l, at, again, count, tell)
		f, ok := errors.AsType[*driver.Failure](err)
		switch {
		case !ok || f.Cause != lacking:
			return err
		case again[f.Package]:
			return &driver.Failure{Cause: driver.PackageBroken, Package: f.Package, Message: f.Package + " cannot be kept in the cache of packages", Err: f}
		}
		again[f.Package] = true
		if err := os.RemoveAll(at.Prefix); err != nil {
			return err
		}
	}
}

// installOnce has a helper of its own, so that killing it stops nothing else.
func (d *Driver) installOnce(ctx context.Context, l *lock.Lock, at driver.Place, again map[string]bool, count *fetch.Counter, tell driver.Sink) error {
	r := request{Op: "install", Prefix: at.Prefix, Packages: at.Packages, Records: make([]json.RawMessage, len(l.Packages))}
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
	f := &filler{Driver: d, h: h, cache: at.Packages, channels: l.Channels, again: again, count: count}
	if err = f.fill(ctx, l.Packages); err == nil {
		err = h.call(ctx, r, func(message) error { return nil }, (&linking{tell: tell}).message)
	}
	if err != nil {
		h.kill()
		<-h.gone
		return plain(err)
	}
	h.end()
	return nil
}

// linking turns what the helper tells into events.
type linking struct {
	tell  driver.Sink
	begun bool
}

func (l *linking) message(m message) {
	switch m.Event {
	case "log":
		l.tell(driver.Event{Type: driver.TypeLog, Text: redact(m.Text)})
	case "link":
		if !l.begun {
			l.begun = true
			l.tell(driver.Event{Type: driver.TypeState, Phase: driver.Link})
		}
		l.tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Link, Done: m.Done, Total: m.Total, Package: m.Package})
	}
}
