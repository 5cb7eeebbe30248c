package console

import (
	"context"
	"iter"
	"net/http"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// Environments is what the console needs of the domain of environments; *envs.Service is one. It is safe for concurrent use.
// What is not there is a problem.NotFound. Causes that are known are *driver.Failure in an error's chain.
type Environments interface {
	List(ctx context.Context, project string) ([]envs.Environment, error)
	Get(ctx context.Context, project, name string) (envs.Environment, error)
	Create(ctx context.Context, by envs.By, project string, n envs.NewEnvironment) (envs.Environment, error)
	Update(ctx context.Context, by envs.By, project, name string, p envs.Patch) (envs.Environment, error)
	Delete(ctx context.Context, by envs.By, project, name string) error

	Spec(ctx context.Context, project, name string, revision int) (envs.Revision, error)
	Revisions(ctx context.Context, project, name string) ([]envs.Revision, error)
	SetSpec(ctx context.Context, by envs.By, project, name, text, message string, ifRevision int, build bool) (envs.Revision, *envs.Build, error)
	Edit(ctx context.Context, by envs.By, project, name string, e spec.Edit, message string) (envs.Build, error)
	Solve(ctx context.Context, project, name string, t envs.Try) (envs.Solution, error)

	Build(ctx context.Context, by envs.By, project, name string, revision int) (envs.Build, error)
	Builds(ctx context.Context, project, name string) ([]envs.Build, error)
	GetBuild(ctx context.Context, project, name string, n int) (envs.Build, error)
	Pin(ctx context.Context, by envs.By, project, name string, n int, pinned bool) (envs.Build, error)
	Cancel(ctx context.Context, by envs.By, project, name string, n int) error
	DeleteBuild(ctx context.Context, by envs.By, project, name string, n int) error
	// Events yields a build's events after the one numbered after, those to come too. It ends when the build has, or with an error.
	Events(ctx context.Context, project, name string, n int, after uint64) iter.Seq2[driver.Event, error]
	Diff(ctx context.Context, project, name string, from, to int) (lock.Diff, error)
	Packages(ctx context.Context, project, name string, build int) ([]store.Item, error)
	Lock(ctx context.Context, project, name string, build int) (*lock.Lock, error)

	Activate(ctx context.Context, by envs.By, project, name string, build int, reason string) (envs.Activation, error)
	History(ctx context.Context, project, name string) ([]envs.Activation, error)
	ResolveNamed(ctx context.Context, project, name string) (envs.Resolved, error)

	// Archive starts to pack a build unless it is packed, GetArchive only says how far that is.
	Archive(ctx context.Context, by envs.By, project, name string, build int) (envs.Archive, error)
	GetArchive(ctx context.Context, project, name string, build int) (envs.Archive, error)
	Search(ctx context.Context, project, text, from string, limit int) ([]driver.Found, error)
	// EndStandbys ends the builders that are kept ready for a project.
	EndStandbys(ctx context.Context, project string) error
	Usage(ctx context.Context, project string) (envs.Usage, error)
	Collect(ctx context.Context, by envs.By, project string) (envs.Report, error)
	Policy(ctx context.Context, project string) (envs.PolicyView, error)
	// Changes yields a hint for each change, until ctx ends.
	Changes(ctx context.Context) <-chan envs.Change
}

// Provenance is what a notebook's metadata says of the environment that it ran in.
type Provenance struct {
	Environment string
	Build       int
	Lock        string // the lock's ID
}

// environmentRoutes are those of a project's environments.
func (a *API) environmentRoutes() []door.Route {
	var routes []door.Route
	add := func(method, path string, act projects.Action, handle echo.HandlerFunc) {
		routes = append(routes, door.Route{
			Method: method, Path: "/projects/:project" + path, Resource: projects.ResEnvironments, Action: act, Handle: a.explaining(handle),
		})
	}
	const (
		get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
		read, write, execute       = projects.ActRead, projects.ActWrite, projects.ActExecute

		one   = "/environments/:environment"
		build = one + "/builds/:build"
	)
	add(get, "/environments", read, a.listEnvironments)
	add(post, "/environments", write, a.createEnvironment)
	add(get, one, read, a.showEnvironment)
	add(patch, one, execute, a.updateEnvironment)
	add(del, one, execute, a.deleteEnvironment)

	add(get, one+"/spec", read, a.showSpec)
	add(put, one+"/spec", write, a.setSpec)
	add(get, one+"/revisions", read, a.listRevisions)
	add(get, one+"/packages", read, a.listPackages)
	add(post, one+"/packages", write, a.editPackages)
	add(post, one+"/solve", write, a.solve)

	add(get, one+"/builds", read, a.listBuilds)
	add(post, one+"/builds", write, a.startBuild)
	add(get, build, read, a.showBuild)
	add(patch, build, execute, a.updateBuild)
	add(del, build, execute, a.deleteBuild)
	add(post, build+"/cancel", write, a.cancelBuild)
	add(get, build+"/events", read, a.buildEvents)
	add(get, build+"/diff", read, a.diffBuilds)
	add(get, build+"/export", read, a.exportBuild)
	add(get, build+"/archive", read, a.showArchive)
	add(post, build+"/archive", write, a.makeArchive)
	add(get, build+"/archive/file", read, a.downloadArchive)

	add(post, one+"/activate", write, a.activate)
	add(get, one+"/history", read, a.listActivations)
	add(get, one+"/activation", read, a.showActivation)

	add(get, "/packages", read, a.searchPackages)
	add(get, "/environments-usage", read, a.showUsage)
	add(post, "/environments-collect", execute, a.collect)
	add(get, "/environments-policy", read, a.showEnvironmentPolicy)
	return routes
}
