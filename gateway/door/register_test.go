package door_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

func TestMistakesOfOursPanicAtRegistration(t *testing.T) {
	t.Parallel()
	ok := func(c echo.Context) error { return nil }
	for name, route := range map[string]door.Route{
		"nothing declared":        {Handle: ok},
		"no action":               {Handle: ok, Resource: projects.ResContents},
		"no resource":             {Handle: ok, Action: projects.ActRead},
		"public and permission":   {Handle: ok, Public: "why", Resource: projects.ResContents, Action: projects.ActRead},
		"permission of nobody":    {Handle: ok, Resource: projects.ResAudit, Action: projects.ActExecute},
		"permission of no policy": {Handle: ok, Resource: "kernel", Action: projects.ActRead},
		"no handler":              {Public: "why"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantPanic(t, route)
		})
	}
	t.Run("path taken", func(t *testing.T) {
		t.Parallel()
		public := door.Route{Handle: ok, Public: "why"}
		wantPanic(t, public, public)
	})
}

func wantPanic(t *testing.T, routes ...door.Route) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("registered, want a panic")
		}
	}()
	for i := range routes {
		routes[i].Method, routes[i].Path = http.MethodGet, "/x"
	}
	serve(t, door.Door{Name: "bad", Base: "/bad", Routes: routes, Error: writeError("bad")})
}

func TestEveryRoleReachesWhatThePolicyGives(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	for _, want := range []struct {
		route   string
		allowed string
	}{
		{"GET /page", "data_owner data_scientist site_user site_admin"},
		{"GET /file", "data_owner data_scientist"},
		{"POST /file", "data_owner data_scientist"},
		{"HEAD /file", "data_owner data_scientist"},
		{"GET /members", "data_owner data_scientist steward"},
	} {
		method, path, _ := strings.Cut(want.route, " ")
		for _, role := range []string{"data_owner", "data_scientist", "steward", "site_user", "site_admin", "site_token", "nonsense"} {
			status, _, _ := w.ask(t, method, "/p/demo/jar"+path, "X-Role: "+role)
			refused := http.StatusForbidden
			if role == "steward" {
				refused = http.StatusNotFound // for them it is not there
			}
			if strings.Contains(" "+want.allowed+" ", " "+role+" ") {
				refused = http.StatusOK
			}
			if status != refused {
				t.Errorf("%s as %s = %d, want %d", want.route, role, status, refused)
			}
		}
		if status, _, _ := w.ask(t, method, "/p/demo/jar"+path); status != http.StatusUnauthorized && status != http.StatusFound {
			t.Errorf("%s as nobody = %d, want it refused", want.route, status)
		}
	}
}

func TestSomebodyUnknown(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	for _, want := range []struct {
		name, method, path string
		headers            []string
		status             int
	}{
		{"is sent from a page to the login", "GET", "/page", nil, 302},
		{"is sent from where a browser wants HTML to the login", "GET", "/file", []string{"Accept: text/html,*/*"}, 302},
		{"is told from an API", "GET", "/file", []string{"Accept: */*"}, 401},
		{"is told when writing", "POST", "/file", []string{"Accept: text/html"}, 401},
		{"is told when opening a websocket", "GET", "/ws", []string{"Accept: text/html", "Upgrade: websocket", "Connection: Upgrade"}, 401},
		{"reads what is public", "GET", "/open", nil, 200},
	} {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			if status, body, _ := w.ask(t, want.method, "/p/demo/jar"+want.path, want.headers...); status != want.status {
				t.Errorf("status = %d %q, want %d", status, body, want.status)
			}
		})
	}
}

func TestUnknownProjectAnswersInTheDoorsShape(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	status, body, _ := w.ask(t, "GET", "/p/none/jar/file", "X-Role: data_owner")
	if status != 404 || !strings.HasPrefix(body, "jar: ") {
		t.Errorf("answer = %d %q, want 404 of the jar", status, body)
	}
}

func TestForeignOrigins(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	me := strings.TrimPrefix(w.URL, "http://")
	for _, want := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"another site may not write", "POST", []string{"Sec-Fetch-Site: cross-site"}, 404},
		{"another port may not write", "POST", []string{"Sec-Fetch-Site: same-site"}, 404},
		{"another origin may not write", "POST", []string{"Origin: http://evil.example"}, 404},
		{"a sandbox may not write", "POST", []string{"Origin: null"}, 404},
		{"our page may write", "POST", []string{"Sec-Fetch-Site: same-origin", "Origin: http://" + me}, 200},
		{"our page may write from an old browser", "POST", []string{"Origin: http://" + me}, 200},
		{"a program may write", "POST", nil, 200},
		{"a token may write from anywhere", "POST", []string{"Sec-Fetch-Site: cross-site", "Origin: http://evil.example", "X-Token: yes"}, 200},
		{"another port may not load", "GET", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"}, 404},
		{"another origin may not read", "GET", []string{"Origin: http://evil.example"}, 404},
		{"another site may not frame", "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 404},
		{"a link from another site works", "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200},
		{"our page may read", "GET", []string{"Sec-Fetch-Site: same-origin"}, 200},
		{"a person may read", "GET", []string{"Sec-Fetch-Site: none"}, 200},
	} {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			status, body, _ := w.ask(t, want.method, "/p/demo/jar/file", append(want.headers, "X-Role: data_owner")...)
			if status != want.status {
				t.Errorf("status = %d %q, want %d", status, body, want.status)
			}
		})
	}
	if status, _, _ := w.ask(t, "POST", "/p/demo/jar/open", "Sec-Fetch-Site: cross-site"); status != 404 {
		t.Errorf("a public form posted from another site = %d, want 404", status)
	}
}

func TestFaultsShowAnIDAndAreLoggedOnce(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	for path, detail := range map[string]string{"/fault": "secret detail", "/panic": "oh no"} {
		status, body, h := w.ask(t, "GET", "/p/demo/jar"+path+"?password=hunter2")
		id := h.Get("X-Request-Id")
		if status != 500 || strings.Contains(body, detail) || !strings.Contains(body, id) {
			t.Errorf("%s = %d %q, want 500 with the id %q alone", path, status, body, id)
		}
		log := w.log.String()
		if strings.Count(log, "id="+id) != 1 || !strings.Contains(log, detail) {
			t.Errorf("the log does not have %q once with its cause:\n%s", id, log)
		}
	}
	if strings.Contains(w.log.String(), "hunter2") {
		t.Error("the log has the query string")
	}
	if status, _, _ := w.ask(t, "GET", "/p/demo/jar/open"); status != 200 {
		t.Errorf("after a panic the next request = %d, want 200", status)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	for _, path := range []string{"/p/demo/jar/open", "/p/demo/jar/fault", "/p/demo/jar/nothing", "/nothing"} {
		_, _, h := w.ask(t, "GET", path)
		got := fmt.Sprint(h.Get("X-Content-Type-Options"), "; ", h.Get("Referrer-Policy"), "; ", h.Get("Content-Security-Policy"))
		if want := "nosniff; same-origin; frame-ancestors 'self'"; got != want {
			t.Errorf("headers of %s = %q, want %q", path, got, want)
		}
	}
}

func TestPathsOfNoRoute(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	for _, want := range []struct {
		method, path string
		status       int
		location     string
		body         string
	}{
		{"GET", "/p/demo/jar/open/", 302, "/p/demo/jar/open", ""},
		{"GET", "/p/demo/jar/open///?1234567", 302, "/p/demo/jar/open?1234567", ""},
		{"GET", "/p/demo/jar/a%2Fb/", 302, "/p/demo/jar/a%2Fb", ""},
		{"POST", "/p/demo/jar/open/", 404, "", "jar: "},
		{"GET", "/p/demo/jar/nothing", 404, "", "jar: "},
		{"DELETE", "/p/demo/jar/open", 405, "", "jar: "},
		{"GET", "/nothing", 404, "", "site: "},
		{"GET", "//evil.example/", 404, "", "site: "},
		{"GET", "/%5Cevil.example/", 302, "/%5Cevil.example", ""},
		{"GET", "///", 404, "", "site: "},
		{"GET", "/p/demo/jar/open?1234567", 200, "", "ok"},
	} {
		status, body, h := w.ask(t, want.method, want.path)
		if status != want.status || h.Get("Location") != want.location || !strings.HasPrefix(body, want.body) {
			t.Errorf("%s %s = %d %q to %q, want %d %q to %q", want.method, want.path, status, body, h.Get("Location"),
				want.status, want.body, want.location)
		}
	}
}
