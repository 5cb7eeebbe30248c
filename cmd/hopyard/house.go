package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/makers"
	"github.com/hopyard/hopyard/gateway"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/files"
	"github.com/hopyard/hopyard/gateway/jupyter/lab"
	"github.com/hopyard/hopyard/gateway/jupyter/spec"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/hopyard/hopyard/kernels/contents/nbconvert"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/ui"
	"github.com/hopyard/hopyard/workloads"
)

// house is the gateway put together, from the database up to the doors.
type house struct {
	dir     dataDir
	log     *slog.Logger
	site    *site
	runs    *workloads.Manager
	kernels *kernels.Manager
	files   *contents.Store
	makers  *makers.Makers
	envs    *envs.Service
	lab     *labPages
	api     *console.API
	server  *gateway.Server
	work    sync.WaitGroup // what was started besides
}

// open puts the house together. It starts nothing that takes long; what has run before is found again in the background.
func open(ctx context.Context, c Config, dir dataDir, log *slog.Logger) (*house, error) {
	if err := dir.noteFirstStart(); err != nil {
		return nil, err
	}
	s, err := openSite(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	if err := s.setUp(ctx, dir, c.Demo); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	runs, err := openWorkloads(s, dir, log)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h := &house{dir: dir, log: log, site: s, runs: runs}
	if err := h.openEnvironments(c); err != nil {
		return nil, errors.Join(err, runs.Close(), s.Close())
	}
	h.furnish(ctx, c)
	return h, nil
}

// furnish makes the domain and the doors.
func (h *house) furnish(ctx context.Context, c Config) {
	store := h.site.db.Storage()
	h.files = contents.New(h.dir.files, store, h.log)
	h.kernels = kernels.New(kernels.Config{
		Workloads: h.runs, Storage: store, Env: resolver{h.envs}, SpecDirs: c.Kernelspecs,
		Root: h.dir.files, Home: h.dir.home, Log: h.log,
	})
	h.lab = &labPages{configured: c, log: h.log, lab: lab.Config{Store: store, Kind: h.kind, InlineScripts: c.InlineScripts}}
	h.api = console.New(console.Config{
		People: h.site.people, Workloads: h.runs, Environments: h.envs, Provenance: h.provenance, Discard: h.discard,
		Version: version, Commit: commit, Log: h.log,
	})
	h.server = gateway.New(gateway.Config{
		Doors: []door.Door{h.api.Door(), h.jupyterDoor()}, Auth: auth.New(h.site.people), Console: ui.Handler(),
		Log: h.log, Ready: h.ready, Proxies: c.Proxies,
	})
	h.runs.Start()
	h.kernels.Start(ctx)
	h.envs.Start()
}

// jupyterDoor is the door of JupyterLab, Notebook and all clients of their API.
func (h *house) jupyterDoor() door.Door {
	bus := events.NewBus()
	store := files.NewHandler(files.Config{
		Store: h.files, Converter: nbconvert.New(resolver{h.envs}, nbconvert.Local),
		Records: h.site.db.Storage(), Events: bus,
		Ran: func(ctx context.Context, who *door.Caller, path string) *workloads.Environment {
			return h.kernels.EnvironmentOf(ctx, kernels.Who{Project: who.Project, User: who.User}, path)
		},
	})
	return jupyter.New(jupyter.Config{
		Kernels: h.kernels, Events: bus, Login: auth.ToLogin, Log: h.log,
		Parts: [][]door.Route{h.lab.late.Routes(), store.Routes(), events.NewHandler(bus).Routes(), new(spec.Handler).Routes()},
	})
}

// kind tells Lab's pages what a path is.
func (h *house) kind(ctx context.Context, who *door.Caller, path string) (lab.Kind, error) {
	item, err := h.files.Get(ctx, who.Project, path, contents.Want{})
	if err != nil {
		return "", err
	}
	return lab.Kind(item.Type), nil
}

// ready says whether requests can be answered.
func (h *house) ready(ctx context.Context) error {
	if _, err := h.site.db.Storage().List(ctx, storage.Query{Limit: 1}); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	return nil
}

// prepare makes what is missing below the data directory and calls tried when each has been tried once.
func (h *house) prepare(ctx context.Context, tried func()) {
	var first, all sync.WaitGroup
	for what, prepare := range map[string]func(context.Context) error{"environments": h.prepareEnvironments, "JupyterLab": h.lab.prepare} {
		first.Add(1)
		all.Go(func() { h.keepTrying(ctx, what, prepare, first.Done) })
	}
	first.Wait()
	if ctx.Err() == nil {
		tried()
	}
	all.Wait()
}

// How long to wait between two tries. What is missing is mostly the network, or a package that somebody must install.
const (
	firstPause = 10 * time.Second
	lastPause  = 5 * time.Minute
)

// keepTrying prepares something until it works or ctx ends, with growing pauses. It calls tried after the first try.
func (h *house) keepTrying(ctx context.Context, what string, prepare func(context.Context) error, tried func()) {
	err := prepare(ctx)
	tried()
	for pause := firstPause; err != nil && ctx.Err() == nil; pause = min(2*pause, lastPause) {
		h.log.WarnContext(ctx, "not prepared", "what", what, "reason", err, "next_try", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			err = prepare(ctx)
		}
	}
}

// Close gives everything back, from the doors down. Programs live on.
func (h *house) Close() error {
	h.work.Wait()
	return errors.Join(h.api.Close(), h.envs.Close(), h.makers.Close(), h.runs.Close(), h.files.Close(), h.lab.Close(), h.site.Close())
}

// openWorkloads makes the manager of all that runs from a data directory.
func openWorkloads(s *site, dir dataDir, log *slog.Logger) (*workloads.Manager, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	run, err := local.RunDir(string(dir))
	if err != nil {
		return nil, err
	}
	driver, err := local.New(local.Config{Run: run, Agent: []string{self, "agent"}})
	if err != nil {
		return nil, err
	}
	return workloads.New(workloads.Config{
		Storage: s.db.Storage(), Queue: s.db.Queue(), Driver: driver, Audit: s.people, Log: log,
	}), nil
}

// files gives the folder of a project's files.
func (d dataDir) files(project string) (string, error) { return d.projectDir(project, "files") }

// home gives a user's home folder in a project: settings of programs, not what people work on.
func (d dataDir) home(project, user string) (string, error) {
	if err := projects.CheckUserName(user); err != nil {
		return "", err
	}
	return d.projectDir(project, filepath.Join("home", user))
}

// projectDir gives a folder of a project, and makes it where it is missing.
func (d dataDir) projectDir(project, name string) (string, error) {
	if err := projects.CheckProjectName(project); err != nil {
		return "", err
	}
	dir := filepath.Join(d.projects(), project, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("folder of project %s: %w", project, err)
	}
	return dir, nil
}
