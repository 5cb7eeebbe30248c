package build

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
)

// StandbyConfig is what a builder needs that is started ahead of its order.
type StandbyConfig struct {
	Store *store.Store
	// Name is that of its folder in the store.
	Name string
	// Life is how long it waits for an order; a minute by default.
	Life time.Duration
	Log  *slog.Logger // nil means none
}

const standbyLife = time.Minute

// Standby is a builder that gets ready first, waits for the id of an order, and then does as Run. It returns without an error when
// none came in time, so that nothing lingers of a gateway that was killed. When ctx ends, it ends, whatever it is at.
func Standby(ctx context.Context, cfg StandbyConfig) error {
	defer cfg.Store.RemoveStandby(cfg.Name) //nolint:errcheck // what stays is swept
	order, err := cfg.Store.ReadStandby(cfg.Name)
	if err != nil {
		return err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := prepare(ctx, cfg, order)
	defer r.close()
	working, stop := context.WithCancel(ctx)
	made := workAhead(working, cfg, order)
	defer made.done.Wait()
	defer stop()
	id, err := cfg.Store.Await(ctx, cfg.Name, cmp.Or(cfg.Life, standbyLife))
	if err != nil || id == "" {
		return err
	}
	return Run(ctx, Config{Store: cfg.Store, ID: id, Driver: r.driver, Log: cfg.Log, ahead: made})
}

// readied is a driver whose helper was started before it was known what for.
type readied struct {
	config conda.Config
	ready  *conda.Driver
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// prepare begins to start the helper. One that cannot be started is no reason to end: the installation will say why.
func prepare(ctx context.Context, cfg StandbyConfig, ahead *store.Order) *readied {
	ctx, stop := context.WithCancel(ctx)
	r := &readied{config: condaConfig(cfg.Store, ahead), stop: stop}
	r.ready = conda.New(r.config)
	r.done.Go(func() {
		if err := r.ready.Ready(ctx); err != nil && ctx.Err() == nil {
			cfg.Log.WarnContext(ctx, "no helper was made ready", "error", err)
		}
	})
	return r
}

// driver gives the one that is ready, if it is what the order asks for, and else another.
func (r *readied) driver(s *store.Store, o *store.Order) (driver.Driver, error) {
	if o.Lock.Kind == lock.Conda && reflect.DeepEqual(condaConfig(s, o), r.config) {
		return r.ready, nil
	}
	r.close()
	return Driver(s, o)
}

func (r *readied) close() {
	r.stop()
	_ = r.ready.Close()
	r.done.Wait()
}
