package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// written is the policy of the console's API for people to read: who may ask for what. A route that is not here fails the
// test, and so does one that anybody else reaches.
//
//	o data owner of the project    s data scientist of it
//	a administrator, no member     u somebody with an account, no member
//	t token of the project alone, held by its owner
//	- somebody who is not logged in
var written = map[string]string{
	"GET /api/v1/me":                                    "osaut",
	"GET /api/v1/version":                               "osau",
	"GET /api/v1/users":                                 "osau",
	"POST /api/v1/users":                                "a",
	"GET /api/v1/users/:user":                           "osau",
	"PATCH /api/v1/users/:user":                         "osau", // of others: administrators
	"DELETE /api/v1/users/:user":                        "a",
	"PUT /api/v1/users/:user/password":                  "osau", // of others: administrators
	"POST /api/v1/users/:user/login-links":              "osau", // for others: administrators
	"GET /api/v1/tokens":                                "osau",
	"POST /api/v1/tokens":                               "osau",
	"DELETE /api/v1/tokens/:id":                         "osau",
	"GET /api/v1/projects":                              "osau",
	"POST /api/v1/projects":                             "osau",
	"GET /api/v1/projects/:project":                     "osat",
	"PATCH /api/v1/projects/:project":                   "oat",
	"DELETE /api/v1/projects/:project":                  "oat",
	"GET /api/v1/projects/:project/members":             "osat",
	"PUT /api/v1/projects/:project/members/:user":       "oat",
	"DELETE /api/v1/projects/:project/members/:user":    "osat", // others: not data scientists
	"GET /api/v1/projects/:project/workloads":           "osat",
	"GET /api/v1/projects/:project/workloads/:id":       "osat",
	"POST /api/v1/projects/:project/workloads/:id/stop": "osat", // others': not data scientists
	"DELETE /api/v1/projects/:project/workloads/:id":    "osat", // others': not data scientists
	"GET /api/v1/projects/:project/audit":               "oat",
	"GET /api/v1/audit":                                 "a",
	"GET /api/v1/events":                                "osau",

	"GET /api/v1/projects/:project/environments":                                         "osat",
	"POST /api/v1/projects/:project/environments":                                        "ost",
	"GET /api/v1/projects/:project/environments/:environment":                            "osat",
	"PATCH /api/v1/projects/:project/environments/:environment":                          "ot",
	"DELETE /api/v1/projects/:project/environments/:environment":                         "ot",
	"GET /api/v1/projects/:project/environments/:environment/spec":                       "osat",
	"PUT /api/v1/projects/:project/environments/:environment/spec":                       "ost",
	"GET /api/v1/projects/:project/environments/:environment/revisions":                  "osat",
	"GET /api/v1/projects/:project/environments/:environment/packages":                   "osat",
	"POST /api/v1/projects/:project/environments/:environment/packages":                  "ost",
	"POST /api/v1/projects/:project/environments/:environment/solve":                     "ost",
	"GET /api/v1/projects/:project/environments/:environment/builds":                     "osat",
	"POST /api/v1/projects/:project/environments/:environment/builds":                    "ost",
	"GET /api/v1/projects/:project/environments/:environment/builds/:build":              "osat",
	"PATCH /api/v1/projects/:project/environments/:environment/builds/:build":            "ot",
	"DELETE /api/v1/projects/:project/environments/:environment/builds/:build":           "ot",
	"POST /api/v1/projects/:project/environments/:environment/builds/:build/cancel":      "ost",
	"GET /api/v1/projects/:project/environments/:environment/builds/:build/events":       "osat",
	"GET /api/v1/projects/:project/environments/:environment/builds/:build/diff":         "osat",
	"GET /api/v1/projects/:project/environments/:environment/builds/:build/export":       "osat",
	"GET /api/v1/projects/:project/environments/:environment/builds/:build/archive":      "osat",
	"POST /api/v1/projects/:project/environments/:environment/builds/:build/archive":     "ost",
	"GET /api/v1/projects/:project/environments/:environment/builds/:build/archive/file": "osat",
	"POST /api/v1/projects/:project/environments/:environment/activate":                  "ost",
	"GET /api/v1/projects/:project/environments/:environment/history":                    "osat",
	"GET /api/v1/projects/:project/environments/:environment/activation":                 "osat",
	"GET /api/v1/projects/:project/packages":                                             "osat",
	"GET /api/v1/projects/:project/environments-usage":                                   "osat",
	"POST /api/v1/projects/:project/environments-collect":                                "ot",
	"GET /api/v1/projects/:project/environments-policy":                                  "osat",

	"GET /api/v1/openapi.json": "osaut-",
}

func TestEveryRouteIsReachedByThoseInTheWrittenPolicyAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	callers := map[string]string{}
	for letter, who := range map[string][2]string{
		"o": {"olga"}, "s": {"sam"}, "a": {"admin"}, "u": {"eve"}, "t": {"olga", "demo"},
	} {
		_, secret := s.token(t, who[0], who[1])
		callers[letter] = "Authorization: Bearer " + secret
	}
	callers["-"] = "X: x"

	routes := consoleRoutes(t)
	for route := range written {
		if !slices.Contains(routes, route) {
			t.Errorf("the written policy has %s, which is no route", route)
		}
	}
	for _, route := range routes {
		allowed, ok := written[route]
		if !ok {
			t.Errorf("%s is not in the written policy", route)
			continue
		}
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer(":project", "demo", ":user", "nobody", ":id", "nothing").Replace(path)
		for letter, credential := range callers {
			t.Run(route+" as "+letter, func(t *testing.T) {
				t.Parallel()
				got, body := s.probe(t, method, path, credential)
				if want := strings.Contains(allowed, letter); got != want {
					t.Errorf("reached the handler = %v, want %v (%s)", got, want, body)
				}
			})
		}
	}
}

// probe reports whether a request reaches its handler: it carries a body that no handler takes, asks for people and things
// that are not there, and nobody else's refusal reads like those of the door.
func (s *site) probe(t *testing.T, method, path, credential string) (bool, string) {
	t.Helper()
	if strings.HasSuffix(path, "/events") {
		path += "?project=nothing" // answers at once
	}
	if method == http.MethodDelete && path == "/api/v1/projects/demo" {
		return s.mayDelete(t, credential), "asked the policy"
	}
	resp, body := s.ask(t, method, path+"?limit=none", credential)
	for _, refusal := range []string{
		"log in, or send a valid token", "your role does not allow this", "works in project", "there is no project \\\"demo\\\", or you are not",
	} {
		if strings.Contains(body, refusal) {
			return false, body
		}
	}
	return true, fmt.Sprint(resp.StatusCode, " ", body)
}

// mayDelete asks the policy itself whether the caller may delete project demo, so that the project stays for the others.
func (s *site) mayDelete(t *testing.T, credential string) bool {
	t.Helper()
	_, secret, _ := strings.Cut(credential, "Bearer ")
	g, err := s.people.Authenticate(t.Context(), secret, "demo")
	return err == nil && projects.May(g.Role, projects.ResProjects, projects.ActWrite)
}

func consoleRoutes(t *testing.T) []string {
	t.Helper()
	people := projects.Open(memory.NewStorage(), projects.Options{})
	defer func() { _ = people.Close() }()
	api := console.New(console.Config{People: people, Workloads: nothingRuns{}})
	defer func() { _ = api.Close() }()
	d := api.Door()
	e := echo.New()
	for _, route := range d.Routes {
		e.Add(route.Method, d.Base+route.Path, route.Handle)
	}
	var routes []string
	for _, r := range e.Routes() {
		routes = append(routes, r.Method+" "+r.Path)
	}
	return routes
}
