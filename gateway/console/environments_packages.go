package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// maxListed is how many lists of packages are kept encoded; one of 500 packages has about 200 KB.
const maxListed = 64

// lists are lists of packages, encoded. A build's list never changes, so nothing is ever stale. The zero value is ready; it is safe
// for concurrent use.
type lists struct {
	mu   sync.Mutex
	have map[string]encoded // guarded by mu
}

func (l *lists) get(key string) (encoded, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.have[key]
	return e, ok
}

func (l *lists) put(key string, e encoded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.have == nil || len(l.have) >= maxListed {
		l.have = map[string]encoded{} // all are as easily had again
	}
	l.have[key] = e
}

// listPackages answers with all packages of a build at once: a page shows them all, and they are encoded once.
func (a *API) listPackages(c echo.Context) error {
	n, err := numberIn(c, "build")
	if err != nil {
		return err
	}
	ctx, project, name := c.Request().Context(), c.Param("project"), c.Param("environment")
	n, id, err := a.whole(ctx, project, name, n)
	if err != nil {
		return err
	}
	if n == 0 {
		return answerList[store.Item](c, nil, "")
	}
	key := fmt.Sprintf("%s/%s/%d/%s", project, name, n, id)
	if e, ok := a.listed.get(key); ok && id != "" {
		return e.answer(c)
	}
	items, err := a.envs.Packages(ctx, project, name, n)
	if err != nil {
		return err
	}
	if items == nil {
		items = []store.Item{}
	}
	e, err := encode(listView[store.Item]{Items: items})
	if err != nil {
		return err
	}
	if id != "" {
		a.listed.put(key, e)
	}
	return e.answer(c)
}

// whole finds the build to list: the one asked for, or the one in use, 0 where there is none yet. The id is that of its files, and
// empty while they are not complete.
func (a *API) whole(ctx context.Context, project, name string, n int) (build int, id string, err error) {
	if n == 0 {
		e, err := a.envs.Get(ctx, project, name)
		if err != nil || e.Active == nil {
			return 0, "", err
		}
		return e.Active.Build, e.Active.ID, nil
	}
	b, err := a.envs.GetBuild(ctx, project, name, n)
	if err != nil || !b.State.Ended() {
		return n, "", err
	}
	return n, b.ID, nil
}

// maxFound bounds a search.
const maxFound = 100

func (a *API) searchPackages(c echo.Context) error {
	text, from, limit := c.QueryParam("q"), c.QueryParam("from"), 20
	if text == "" || len(text) > 200 {
		return problem.New(problem.Invalid, "q is a part of a package's name")
	}
	if from != "" && from != "conda" && from != "pip" {
		return problem.New(problem.Invalid, "from is conda or pip")
	}
	if asked := c.QueryParam("limit"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 1 || n > maxFound {
			return problem.New(problem.Invalid, "limit is a number from 1 to %d", maxFound)
		}
		limit = n
	}
	found, err := a.envs.Search(c.Request().Context(), c.Param("project"), text, from, limit)
	if err != nil {
		return err
	}
	return answerList[driver.Found](c, found, "")
}

func (a *API) showUsage(c echo.Context) error {
	u, err := a.envs.Usage(c.Request().Context(), c.Param("project"))
	if err != nil {
		return err
	}
	return answer(c, u)
}

func (a *API) collect(c echo.Context) error {
	r, err := a.envs.Collect(c.Request().Context(), auth.By(c), c.Param("project"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r)
}

// showEnvironmentPolicy tells the rules in words and values.
func (a *API) showEnvironmentPolicy(c echo.Context) error {
	p, err := a.envs.Policy(c.Request().Context(), c.Param("project"))
	if err != nil {
		return err
	}
	words := p.Words
	if words == nil {
		words = []string{}
	}
	return answer(c, struct {
		envs.PolicyView
		Words []string `json:"words"`
	}{p, words})
}
