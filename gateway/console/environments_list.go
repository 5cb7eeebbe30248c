package console

import (
	"context"
	"net/http"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// maxLock is the largest body in bytes that brings a lock: one names each of its artifacts.
const maxLock = 16 << 20

func (a *API) listEnvironments(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	all, err := a.envs.List(c.Request().Context(), c.Param("project"))
	if err != nil {
		return err
	}
	return answer(c, cut(all, p, func(e envs.Environment) string { return e.Name }))
}

func (a *API) showEnvironment(c echo.Context) error {
	e, err := a.envs.Get(c.Request().Context(), c.Param("project"), c.Param("environment"))
	if err != nil {
		return err
	}
	return answer(c, e)
}

// newEnvironment is what people send to make one. At most one of its sources is given.
type newEnvironment struct {
	Name         string    `json:"name"`
	Text         string    `json:"text"`
	From         *envs.Ref `json:"from"`
	Lock         string    `json:"lock"`
	Requirements string    `json:"requirements"`
	Notebook     string    `json:"notebook"`
	Kind         lock.Kind `json:"kind"`
	Message      string    `json:"message"`
	Build        *bool     `json:"build"`
	Private      bool      `json:"private"`
}

func (a *API) createEnvironment(c echo.Context) error {
	var body newEnvironment
	if err := readLargeJSON(c, &body, maxLock); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	n := envs.NewEnvironment{
		Name: body.Name, Text: body.Text, Kind: body.Kind, Message: body.Message, Build: body.Build == nil || *body.Build, Private: body.Private,
	}
	ctx, who := c.Request().Context(), door.CallerOf(c)
	if err := a.takeSource(ctx, who, body, &n); err != nil {
		return err
	}
	e, err := a.envs.Create(ctx, auth.By(c), who.Project, n)
	if err != nil {
		return err
	}
	return created(c, "/projects/"+who.Project+"/environments/"+e.Name, e)
}

// check refuses two sources of content. A spec may stand beside a lock, which was solved from it.
func (n newEnvironment) check() error {
	sources := 0
	for _, given := range []bool{n.Text != "" || n.Lock != "", n.From != nil, n.Requirements != "", n.Notebook != ""} {
		if given {
			sources++
		}
	}
	if sources > 1 {
		return problem.New(problem.Invalid, "name one source only: text and lock, from, requirements or notebook")
	}
	return nil
}

// takeSource puts into n what the body names instead of a spec's text.
func (a *API) takeSource(ctx context.Context, who *door.Caller, body newEnvironment, n *envs.NewEnvironment) error {
	switch {
	case body.Lock != "":
		l, err := lock.Import([]byte(body.Lock))
		if err != nil {
			return problem.New(problem.Invalid, "the lock cannot be read: %w", err)
		}
		n.Lock = l
	case body.Requirements != "":
		s, err := spec.FromRequirements(body.Name, []byte(body.Requirements))
		if err != nil {
			return err
		}
		n.Text = string(s.Text)
	case body.From != nil:
		if err := a.mayCloneFrom(ctx, who, body.From); err != nil {
			return err
		}
		n.From = body.From
	case body.Notebook != "":
		return a.recreate(ctx, who.Project, body.Notebook, n)
	}
	return nil
}

// mayCloneFrom checks the caller's rights in the other project, which the route has not asked for.
func (a *API) mayCloneFrom(ctx context.Context, who *door.Caller, from *envs.Ref) error {
	if from.Project == "" {
		from.Project = who.Project
	}
	if from.Project == who.Project {
		return nil
	}
	if who.Limit != "" {
		return problem.New(problem.Denied, "this token works in project %q only", who.Limit)
	}
	m, err := a.people.Member(ctx, from.Project, who.User)
	if problem.Is(err, problem.NotFound) { // whether there is such a project is not for everybody to know
		return problem.New(problem.NotFound, "there is no project %q, or you are not a member of it", from.Project)
	}
	if err != nil {
		return err
	}
	if !projects.May(m.Role, projects.ResEnvironments, projects.ActRead) {
		return problem.New(problem.Denied, "your role in project %q does not allow this", from.Project)
	}
	return nil
}

// recreate makes again what a notebook says that it ran in: from the build itself while it is there, which knows the spec too, else
// from its lock.
func (a *API) recreate(ctx context.Context, project, notebook string, n *envs.NewEnvironment) error {
	if a.origin == nil {
		return problem.New(problem.Unsupported, "this gateway does not read notebooks")
	}
	p, err := a.origin(ctx, project, notebook)
	if err != nil {
		return err
	}
	if p.Environment == "" || p.Lock == "" {
		return problem.New(problem.Conflict, "%s does not say which environment it ran in: it notes that when it is run here and saved", notebook)
	}
	if n.Name == "" {
		n.Name = p.Environment
	}
	b, err := a.envs.GetBuild(ctx, project, p.Environment, p.Build)
	switch {
	case err == nil && b.Lock == p.Lock:
		n.From = &envs.Ref{Project: project, Environment: p.Environment, Build: p.Build}
	case err == nil, problem.Is(err, problem.NotFound):
		n.LockID = p.Lock
	default:
		return err
	}
	return nil
}

func (a *API) updateEnvironment(c echo.Context) error {
	var body struct {
		Default   *bool         `json:"default"`
		Kind      *lock.Kind    `json:"kind"`
		Policy    *policy.Rules `json:"policy"`
		PolicyWas *policy.Rules `json:"policy_was"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	patch := envs.Patch{Default: body.Default, Kind: body.Kind, Policy: body.Policy, PolicyWas: body.PolicyWas}
	e, err := a.envs.Update(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), patch)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, e)
}

func (a *API) deleteEnvironment(c echo.Context) error {
	if err := a.envs.Delete(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// activationView is what a program needs of the build in use, to run on this host.
type activationView struct {
	Environment   string            `json:"environment"`
	Build         int               `json:"build"`
	ID            string            `json:"id"`
	Prefix        string            `json:"prefix"`
	Bin           string            `json:"bin"`
	Python        string            `json:"python,omitempty"`
	PythonVersion string            `json:"python_version,omitempty"`
	Variables     map[string]string `json:"variables"`
}

func (a *API) showActivation(c echo.Context) error {
	r, err := a.envs.ResolveNamed(c.Request().Context(), c.Param("project"), c.Param("environment"))
	if err != nil {
		return err
	}
	v := activationView{
		Environment: r.Name, Build: r.Build, ID: r.ID, Prefix: r.Prefix, Bin: r.Bin,
		Python: r.Python, PythonVersion: r.Version, Variables: r.Variables,
	}
	if v.Variables == nil {
		v.Variables = map[string]string{}
	}
	return answer(c, v)
}
