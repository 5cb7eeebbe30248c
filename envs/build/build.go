// Package build is the program that makes one environment: it drives the installer, finishes what that has made, and says that it
// is whole by writing its manifest last.
//
//	lock ─▶ prepare ─▶ fetch ─▶ link ─▶ pip ─▶ finish ─▶ manifest
//	                      └────── any failure ──────▶ trash
//
// It is a process of its own: it can be killed at any moment, and what it leaves is never taken for an environment. What it
// does is told in a file of events that the gateway follows.
package build

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/filelock"
)

// Config is what a builder needs.
type Config struct {
	Store *store.Store
	// ID names the prefix; its order is in the store.
	ID string
	// Driver makes the installer for an order; the builder closes it. nil means Driver.
	Driver func(*store.Store, *store.Order) (driver.Driver, error)
	Log    *slog.Logger // nil means none

	ahead *ahead // what a standby has made; nil where it was none
}

// Run does what the order of cfg.ID says and returns when that has been done, or has failed and nothing is left of it. It waits for
// another builder at work on the same prefix, and then finds what that has made. The last event tells how it ended. Errors are
// *driver.Failure once the order has been read. When ctx ends, the build is canceled.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Driver == nil {
		cfg.Driver = Driver
	}
	order, err := cfg.Store.ReadOrder(cfg.ID)
	if err != nil {
		return err
	}
	held, err := wait(ctx, cfg)
	if err != nil {
		return err
	}
	defer held.Close()
	ev, err := openEvents(cfg.Store.Events(cfg.ID))
	if err != nil {
		return err
	}
	defer ev.close()
	b := &builder{cfg: cfg, store: cfg.Store, id: cfg.ID, order: order, lock: order.Lock, events: ev, log: cfg.Log}
	if order.Task == store.TaskArchive {
		err = b.archive(ctx)
	} else {
		err = b.build(ctx)
	}
	if err != nil {
		failure := b.explain(ctx, err)
		ev.result(failure)
		return failure
	}
	ev.result(nil)
	return nil
}

// wait takes the lock of the prefix.
func wait(ctx context.Context, cfg Config) (*filelock.Lock, error) {
	held, err := cfg.Store.TryLock(cfg.ID)
	if errors.Is(err, filelock.ErrHeld) {
		cfg.Log.InfoContext(ctx, "another builder is at work on it", "environment", cfg.ID)
		held, err = cfg.Store.Lock(ctx, cfg.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", cfg.ID, err)
	}
	return held, nil
}

// builder makes one prefix.
type builder struct {
	cfg    Config
	store  *store.Store
	id     string
	order  *store.Order
	lock   *lock.Lock
	events *events
	log    *slog.Logger

	skeleton *skeleton // folders of the prefix that were made ahead; nil if there are none
}

func (b *builder) prefix() string { return b.store.Prefix(b.id) }

// build makes the prefix unless it is there.
func (b *builder) build(ctx context.Context) error {
	if _, ok := b.store.Find(b.id); ok {
		b.events.say("It is there already.")
		return nil
	}
	if err := b.store.Discard(ctx, b.id); err != nil { // what a killed builder left
		return err
	}
	err := b.make(ctx)
	if err != nil {
		b.clear(ctx)
	}
	return err
}

// cleaning is how long removing what a failed build has made may take; the next sweep does the rest.
const cleaning = 5 * time.Minute

func (b *builder) clear(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	if err := b.store.Discard(ctx, b.id); err != nil {
		b.log.ErrorContext(ctx, "half an environment was left", "environment", b.id, "error", err)
	}
}

func (b *builder) make(ctx context.Context) error {
	drv, err := b.cfg.Driver(b.store, b.order)
	if err != nil {
		return err
	}
	defer drv.Close()
	if err := b.room(); err != nil {
		return err
	}
	pyc, err := newLayer(b, filepath.Dir(b.store.Events(b.id)))
	if err != nil {
		return err
	}
	defer pyc.close()
	ctx, limit := newLimits(ctx, b.order.Limits)
	defer limit.stop()
	b.skeleton = b.cfg.ahead.prefix(b.prefix(), b.lock)
	staged := make(chan error, 1)
	var known *store.Known
	go func() { // while the driver's helper starts
		pyc.staging.ahead, known = b.cfg.ahead.rest()
		if known == nil {
			known = b.store.Known(similar)
		}
		staged <- pyc.stage()
	}()
	err = b.install(ctx, drv, limit)
	if err = errors.Join(err, <-staged); err != nil {
		return because(ctx, err)
	}
	limit.enter(driver.Finish)
	return because(ctx, b.finish(ctx, pyc, known))
}

// similar is how many prefixes are taken to have the same files.
const similar = 3

// install has the driver make the prefix, with the shared side of the caches locked: nobody collects from them meanwhile.
func (b *builder) install(ctx context.Context, drv driver.Driver, limit *limits) error {
	shared, err := b.store.UseCaches(ctx)
	if err != nil {
		return err
	}
	defer shared.Close()
	domain := b.order.Options.Domain
	place := driver.Place{
		Prefix: b.prefix(), Packages: b.store.Packages(domain), Wheels: b.store.Wheels(domain), UVCache: b.store.UVCache(domain),
	}
	for _, dir := range []string{place.Packages, place.Wheels, place.UVCache} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	err = drv.Install(ctx, b.lock, place, func(e driver.Event) {
		if e.Phase != "" {
			limit.enter(e.Phase)
		}
		b.events.tell(e)
	})
	if err == nil {
		err = context.Cause(ctx) // a driver that did not notice
	}
	return err
}
