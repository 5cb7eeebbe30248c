// Package console is the door of the console: the REST API at /api/v1 that the pages, scripts and the command line use.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
	"github.com/labstack/echo/v4"
)

// Base is the path below which the API lives.
const Base = "/api/v1"

// Workloads is what the console needs of all that runs. It is safe for concurrent use.
type Workloads interface {
	// List returns the workloads of a project, of all projects if it is empty.
	List(ctx context.Context, project string) ([]workloads.Info, error)
	// Get returns one of them, or a problem.NotFound.
	Get(ctx context.Context, project, id string) (workloads.Info, error)
	// Stop ends one of them, or returns a problem.NotFound. It may go on after it has returned.
	Stop(ctx context.Context, project, id, by string) error
	// Subscribe yields what changes, until ctx ends.
	Subscribe(ctx context.Context) <-chan workloads.Change
}

// Config is what an API is made of.
type Config struct {
	People    *projects.Service
	Workloads Workloads
	// Environments are those of all projects; nil where this gateway has none, whose routes then say so.
	Environments Environments
	// Provenance reads from a notebook of a project what it says of the environment that it ran in.
	Provenance func(ctx context.Context, project, notebook string) (Provenance, error)
	// Discard removes what a deleted project leaves besides its records; nil means nothing.
	Discard func(ctx context.Context, project string) error
	Version string
	Commit  string
	Log     *slog.Logger
}

// API answers /api/v1. It is safe for concurrent use.
type API struct {
	people  *projects.Service
	runs    Workloads
	envs    Environments
	origin  func(ctx context.Context, project, notebook string) (Provenance, error)
	listed  lists
	discard func(ctx context.Context, project string) error
	version versionView
	log     *slog.Logger
	feed    *feed
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// New starts an API, which listens to changes until Close.
func New(c Config) *API {
	ctx, stop := context.WithCancel(context.Background())
	a := &API{
		people: c.People, runs: c.Workloads, envs: c.Environments, origin: c.Provenance, discard: c.Discard,
		version: versionView{c.Version, c.Commit}, log: c.Log, feed: newFeed(), stop: stop,
	}
	if a.discard == nil {
		a.discard = func(context.Context, string) error { return nil }
	}
	people, runs := a.people.Changes(ctx), a.runs.Subscribe(ctx)
	var built <-chan envs.Change
	if a.envs != nil {
		built = a.envs.Changes(ctx)
	}
	a.work.Go(func() { a.feed.follow(ctx, people, runs, built) })
	return a
}

// Close ends the API's own work. It is idempotent.
func (a *API) Close() error {
	a.stop()
	a.work.Wait()
	return nil
}

// Door is the API's door.
func (a *API) Door() door.Door {
	d := door.Door{Name: "console", Base: Base, Error: Error}
	add := func(method, path string, res projects.Resource, act projects.Action, handle echo.HandlerFunc) {
		d.Routes = append(d.Routes, door.Route{Method: method, Path: path, Resource: res, Action: act, Handle: handle})
	}
	const (
		get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
		read, write, execute       = projects.ActRead, projects.ActWrite, projects.ActExecute
	)
	add(get, "/me", projects.ResSelf, read, a.me)
	add(get, "/version", projects.ResServer, read, a.showVersion)

	add(get, "/users", projects.ResUsers, read, a.listUsers)
	add(post, "/users", projects.ResUsers, write, a.createUser)
	add(get, "/users/:user", projects.ResUsers, read, a.showUser)
	add(patch, "/users/:user", projects.ResSelf, write, a.updateUser)
	add(del, "/users/:user", projects.ResUsers, write, a.deleteUser)
	add(put, "/users/:user/password", projects.ResSelf, write, a.setPassword)
	add(post, "/users/:user/login-links", projects.ResSelf, write, a.createLink)

	add(get, "/tokens", projects.ResTokens, read, a.listTokens)
	add(post, "/tokens", projects.ResTokens, write, a.createToken)
	add(del, "/tokens/:id", projects.ResTokens, write, a.revokeToken)

	add(get, "/projects", projects.ResProjects, read, a.listProjects)
	add(post, "/projects", projects.ResProjects, write, a.createProject)
	add(get, "/projects/:project", projects.ResProjects, read, a.showProject)
	add(patch, "/projects/:project", projects.ResProjects, write, a.updateProject)
	add(del, "/projects/:project", projects.ResProjects, write, a.deleteProject)

	add(get, "/projects/:project/members", projects.ResMembers, read, a.listMembers)
	add(put, "/projects/:project/members/:user", projects.ResMembers, write, a.setMember)
	add(del, "/projects/:project/members/:user", projects.ResMembers, execute, a.removeMember)

	add(get, "/projects/:project/workloads", projects.ResWorkloads, read, a.listWorkloads)
	add(get, "/projects/:project/workloads/:id", projects.ResWorkloads, read, a.showWorkload)
	add(post, "/projects/:project/workloads/:id/stop", projects.ResWorkloads, execute, a.stopWorkload)
	add(del, "/projects/:project/workloads/:id", projects.ResWorkloads, execute, a.stopWorkload)

	add(get, "/projects/:project/audit", projects.ResAudit, read, a.listAudit)
	add(get, "/audit", projects.ResAudit, read, a.listAudit)
	add(get, "/events", projects.ResEvents, read, a.events)

	d.Routes = append(d.Routes, a.environmentRoutes()...)
	d.Routes = append(d.Routes, door.Route{
		Method: get, Path: "/openapi.json", Handle: a.openAPI, Public: "describes the API, says nothing about this site",
	})
	return d
}
