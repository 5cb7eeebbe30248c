package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
)

type list[T any] struct {
	Items []T
	Next  string
}

func TestMe(t *testing.T) {
	t.Parallel()
	s := open(t)
	var me struct {
		User, Name string
		Admin      bool
		Projects   []struct{ Name, Role string }
	}
	s.call(t, "sam", "GET", "/me", "", 200, &me)
	if me.User != "sam" || me.Admin || len(me.Projects) != 1 || me.Projects[0].Role != "data_scientist" {
		t.Errorf("me = %+v, want sam, data scientist in demo", me)
	}
	s.call(t, "admin", "GET", "/me", "", 200, &me)
	if !me.Admin || len(me.Projects) != 0 {
		t.Errorf("me = %+v, want the administrator without projects", me)
	}
	s.refused(t, "", "GET", "/me", "", 401, problem.Unauthenticated)
}

func TestTokenOfAProjectWorksThereAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, "olga", "POST", "/projects", `{"name":"other"}`, 201, nil)
	var made struct {
		projects.Token
		Secret string `json:"token"`
	}
	s.call(t, "olga", "POST", "/tokens", `{"project":"demo","ttl":"1h","note":"for a test"}`, 201, &made)
	if left := time.Until(made.Expires); left > time.Hour || left < 59*time.Minute || made.Note != "for a test" {
		t.Errorf("token = %+v, want one for an hour", made)
	}
	s.tokens["limited"] = made.Secret
	s.call(t, "limited", "GET", "/projects/demo/members", "", 200, nil)
	var me struct {
		User, Name string
		Admin      bool
		Projects   []struct{ Name, Role string }
	}
	s.call(t, "limited", "GET", "/me", "", 200, &me)
	if len(me.Projects) != 1 || me.Projects[0].Name != "demo" {
		t.Errorf("me = %+v, want demo alone", me)
	}
	s.refused(t, "limited", "GET", "/projects/other", "", 404, problem.NotFound)
	s.refused(t, "limited", "GET", "/projects", "", 403, problem.Denied)
	s.refused(t, "limited", "POST", "/tokens", "", 403, problem.Denied)

	s.refused(t, "sam", "DELETE", "/tokens/"+made.ID, "", 404, problem.NotFound)
	s.call(t, "olga", "DELETE", "/tokens/"+made.ID, "", 204, nil)
	s.refused(t, "limited", "GET", "/me", "", 401, problem.Unauthenticated)
	for _, ttl := range []string{"soon", "-1h", "8761h", "0s"} {
		s.refused(t, "olga", "POST", "/tokens", `{"ttl":"`+ttl+`"}`, 400, problem.Invalid)
	}
	s.refused(t, "eve", "POST", "/tokens", `{"project":"demo"}`, 404, problem.NotFound)
}

func TestUsersShowTheirNamesToAllAndTheRestToAdministrators(t *testing.T) {
	t.Parallel()
	s := open(t)
	var names list[map[string]any]
	s.call(t, "eve", "GET", "/users?limit=2", "", 200, &names)
	if len(names.Items) != 2 || names.Next != "eve" || len(names.Items[0]) != 2 {
		t.Errorf("users = %+v, want two names and a cursor", names)
	}
	var users list[projects.User]
	s.call(t, "admin", "GET", "/users?after=eve", "", 200, &users)
	if len(users.Items) != 2 || users.Items[0].Name != "olga" || users.Items[0].Created.IsZero() {
		t.Errorf("users = %+v, want all of olga and sam", users)
	}
	s.refused(t, "admin", "GET", "/users?limit=0", "", 400, problem.Invalid)
	s.refused(t, "eve", "GET", "/users/nobody", "", 404, problem.NotFound)
	one := map[string]any{}
	s.call(t, "eve", "GET", "/users/sam", "", 200, &one)
	if len(one) != 2 {
		t.Errorf("sam for eve = %v, want names only", one)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	s := open(t)
	var u projects.User
	h := s.call(t, "admin", "POST", "/users", `{"name":"new","display_name":"New One","password":"new-password"}`, 201, &u)
	if u.DisplayName != "New One" || h.Get("Location") != "/api/v1/users/new" {
		t.Errorf("user = %+v at %q", u, h.Get("Location"))
	}
	s.refused(t, "admin", "POST", "/users", `{"name":"new"}`, 409, problem.Conflict)
	s.refused(t, "admin", "POST", "/users", `{"name":"x","password":"short"}`, 400, problem.Invalid)
	s.refused(t, "admin", "POST", "/users", `{"name":"x","admin":true}`, 400, problem.Invalid)
	s.refused(t, "olga", "POST", "/users", `{"name":"x"}`, 403, problem.Denied)

	s.call(t, "sam", "PATCH", "/users/sam", `{"display_name":"Sam S."}`, 200, &u)
	s.refused(t, "sam", "PATCH", "/users/sam", `{"admin":true}`, 403, problem.Denied)
	s.refused(t, "sam", "PATCH", "/users/olga", `{"display_name":"x"}`, 403, problem.Denied)
	s.call(t, "admin", "PATCH", "/users/sam", `{"disabled":true}`, 200, &u)
	s.refused(t, "sam", "GET", "/me", "", 401, problem.Unauthenticated)
	s.call(t, "admin", "PATCH", "/users/sam", `{"disabled":false}`, 200, &u)
	s.call(t, "sam", "GET", "/me", "", 200, nil)
	s.refused(t, "admin", "PATCH", "/users/admin", `{"admin":false}`, 409, problem.Conflict)
	s.refused(t, "admin", "DELETE", "/users/olga", "", 409, problem.Conflict)
	s.call(t, "admin", "DELETE", "/users/sam", "", 204, nil)
	s.refused(t, "admin", "DELETE", "/users/sam", "", 404, problem.NotFound)
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, "sam", "PUT", "/users/sam/password", `{"password":"first-password"}`, 204, nil)
	s.refused(t, "sam", "PUT", "/users/sam/password", `{"password":"second-password"}`, 403, problem.Denied)
	s.refused(t, "sam", "PUT", "/users/olga/password", `{"password":"second-password"}`, 403, problem.Denied)
	s.refused(t, "sam", "PUT", "/users/sam/password", `{"password":"short"}`, 400, problem.Invalid)
	s.call(t, "admin", "PUT", "/users/sam/password", `{"password":"third-password"}`, 204, nil)

	login, err := s.people.LogIn(t.Context(), "sam", "third-password", "")
	must(t, err)
	cookie := "Cookie: " + auth.Cookie + "=" + login.Secret
	body := `{"password":"fourth-password","current":"third-password"}`
	h := s.send(t, "PUT", "/users/sam/password", body, 204, nil, cookie)
	s.send(t, "GET", "/me", "", 401, nil, cookie)
	fresh, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
	s.send(t, "GET", "/me", "", 200, nil, "Cookie: "+fresh)
}

func TestLoginLinks(t *testing.T) {
	t.Parallel()
	s := open(t)
	var link struct {
		URL     string
		Expires time.Time
	}
	s.call(t, "admin", "POST", "/users/sam/login-links", "", 201, &link)
	code, ok := strings.CutPrefix(link.URL, s.URL+"/login/link/")
	if !ok {
		t.Fatalf("link = %q, want it on %s", link.URL, s.URL)
	}
	if l, err := s.people.UseLink(t.Context(), code, ""); err != nil || l.User != "sam" {
		t.Errorf("the link logs in %q, %v, want sam", l.User, err)
	}
	s.refused(t, "sam", "POST", "/users/olga/login-links", "", 403, problem.Denied)
	s.refused(t, "admin", "POST", "/users/nobody/login-links", "", 404, problem.NotFound)
}

func TestProjects(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.runs.add(workloads.Info{ID: "k1", Project: "demo", Owner: "sam", State: workloads.Running, LastActivity: time.Unix(1_700_000_000, 0)})
	s.runs.add(workloads.Info{ID: "k0", Project: "demo", Owner: "sam", State: workloads.Ended})
	type project struct {
		Name, Description, Role string
		Created                 time.Time
		Members, Running        int
		LastActivity            time.Time `json:"last_activity"`
	}
	var mine list[project]
	s.call(t, "sam", "GET", "/projects", "", 200, &mine)
	if len(mine.Items) != 1 || mine.Items[0].Role != "data_scientist" || mine.Items[0].Members != 2 || mine.Items[0].Running != 1 ||
		mine.Items[0].LastActivity.Unix() != 1_700_000_000 {
		t.Errorf("sam's projects = %+v", mine.Items)
	}
	s.call(t, "eve", "GET", "/projects", "", 200, &mine)
	if mine.Items == nil || len(mine.Items) != 0 {
		t.Errorf("eve's projects = %#v, want an empty list", mine.Items)
	}
	s.call(t, "admin", "GET", "/projects", "", 200, &mine)
	if len(mine.Items) != 1 || mine.Items[0].Role != "" {
		t.Errorf("the administrator's list = %+v, want demo without a role", mine.Items)
	}

	var p project
	s.call(t, "eve", "POST", "/projects", `{"name":"eves","description":"hers"}`, 201, &p)
	if p.Role != "data_owner" || p.Members != 1 {
		t.Errorf("new project = %+v", p)
	}
	s.refused(t, "eve", "POST", "/projects", `{"name":"demo"}`, 409, problem.Conflict)
	s.refused(t, "eve", "POST", "/projects", `{"name":"a__b"}`, 400, problem.Invalid)
	s.call(t, "eve", "PATCH", "/projects/eves", `{"description":"still hers"}`, 200, &p)
	s.refused(t, "olga", "GET", "/projects/eves", "", 404, problem.NotFound)
	s.refused(t, "olga", "DELETE", "/projects/demo", "", 409, problem.Conflict)
	s.call(t, "eve", "DELETE", "/projects/eves", "", 204, nil)
	s.refused(t, "eve", "GET", "/projects/eves", "", 404, problem.NotFound)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	s := open(t)
	var m projects.Member
	s.call(t, "olga", "PUT", "/projects/demo/members/eve", `{"role":"data_owner"}`, 200, &m)
	if m.User != "eve" || m.Role != projects.DataOwner {
		t.Errorf("member = %+v", m)
	}
	var all list[projects.Member]
	s.call(t, "sam", "GET", "/projects/demo/members", "", 200, &all)
	if len(all.Items) != 3 {
		t.Errorf("members = %+v, want three", all.Items)
	}
	s.refused(t, "sam", "PUT", "/projects/demo/members/sam", `{"role":"data_owner"}`, 403, problem.Denied)
	s.refused(t, "sam", "DELETE", "/projects/demo/members/eve", "", 403, problem.Denied)
	s.call(t, "sam", "DELETE", "/projects/demo/members/sam", "", 204, nil)
	s.call(t, "eve", "DELETE", "/projects/demo/members/eve", "", 204, nil)
	s.refused(t, "olga", "DELETE", "/projects/demo/members/olga", "", 409, problem.Conflict)
	s.refused(t, "olga", "PUT", "/projects/demo/members/olga", `{"role":"data_scientist"}`, 409, problem.Conflict)
	s.refused(t, "olga", "PUT", "/projects/demo/members/nobody", `{"role":"data_scientist"}`, 404, problem.NotFound)
	s.refused(t, "olga", "PUT", "/projects/demo/members/sam", `{"role":"king"}`, 400, problem.Invalid)
}

func TestOwnWorkloadsAreStoppedByAnybodyAndOthersByOwners(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, w := range []workloads.Info{{ID: "olgas", Owner: "olga"}, {ID: "sams", Owner: "sam"}, {ID: "k3", Owner: "sam"}} {
		w.Project, w.State = "demo", workloads.Running
		s.runs.add(w)
	}
	s.refused(t, "sam", "POST", "/projects/demo/workloads/olgas/stop", "", 403, problem.Denied)
	s.call(t, "sam", "POST", "/projects/demo/workloads/sams/stop", "", 202, nil)
	s.call(t, "olga", "DELETE", "/projects/demo/workloads/sams", "", 204, nil)
	s.call(t, "admin", "DELETE", "/projects/demo/workloads/sams", "", 204, nil)
	s.refused(t, "olga", "DELETE", "/projects/demo/workloads/nothing", "", 404, problem.NotFound)
	s.refused(t, "eve", "DELETE", "/projects/demo/workloads/sams", "", 404, problem.NotFound)
	want := []string{"demo/sams by sam", "demo/sams by olga", "demo/sams by admin"}
	if !slices.Equal(s.runs.stopped, want) {
		t.Errorf("stopped %v, want %v", s.runs.stopped, want)
	}

	var ids []string
	for path := "/projects/demo/workloads?limit=2"; ; {
		var part list[workloads.Info]
		s.call(t, "sam", "GET", path, "", 200, &part)
		for _, w := range part.Items {
			ids = append(ids, w.ID)
		}
		if part.Next == "" {
			break
		}
		path = "/projects/demo/workloads?limit=2&after=" + part.Next
	}
	if fmt.Sprint(ids) != "[olgas sams k3]" {
		t.Errorf("pages hold %v", ids)
	}
	var one workloads.Info
	s.call(t, "sam", "GET", "/projects/demo/workloads/k3", "", 200, &one)
}

func TestWhoHasNoPlaceAnyMoreRunsNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, w := range []workloads.Info{{ID: "k1", Owner: "sam", Project: "demo"}, {ID: "k2", Owner: "sam", Project: "other"}, {ID: "k3", Owner: "olga", Project: "demo"}} {
		s.runs.add(w)
	}
	s.call(t, "olga", "DELETE", "/projects/demo/members/sam", "", 204, nil)
	if want := []string{"demo/k1 by olga"}; !slices.Equal(s.runs.stopped, want) {
		t.Errorf("removing a member stopped %v, want %v", s.runs.stopped, want)
	}
	s.call(t, "admin", "DELETE", "/users/sam", "", 204, nil)
	slices.Sort(s.runs.stopped)
	if want := []string{"demo/k1 by admin", "demo/k1 by olga", "other/k2 by admin"}; !slices.Equal(s.runs.stopped, want) {
		t.Errorf("removing the account stopped %v, want %v", s.runs.stopped, want)
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, "olga", "PUT", "/projects/demo/members/eve", `{"role":"data_scientist"}`, 200, nil)
	var log list[projects.Entry]
	s.call(t, "olga", "GET", "/projects/demo/audit?limit=1", "", 200, &log)
	if len(log.Items) != 1 || log.Items[0].Action != "member_set" || log.Items[0].User != "olga" || log.Items[0].Remote != "127.0.0.1" || log.Next == "" {
		t.Errorf("log = %+v, want what olga did", log)
	}
	s.refused(t, "sam", "GET", "/projects/demo/audit", "", 403, problem.Denied)
	s.refused(t, "olga", "GET", "/audit", "", 403, problem.Denied)
	s.call(t, "admin", "GET", "/audit", "", 200, &log)
}

func TestAnswersHaveTagsOfTheirContent(t *testing.T) {
	t.Parallel()
	s := open(t)
	tag := s.call(t, "sam", "GET", "/projects", "", 200, nil).Get("ETag")
	header := "Authorization: Bearer " + s.tokens["sam"]
	s.send(t, "GET", "/projects", "", 304, nil, header, "If-None-Match: "+tag)
	s.send(t, "GET", "/projects", "", 304, nil, header, `If-None-Match: "x", W/`+tag)
	s.runs.add(workloads.Info{ID: "k", Project: "demo", State: workloads.Running})
	s.send(t, "GET", "/projects", "", 200, nil, header, "If-None-Match: "+tag)
}

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, body := range []string{"{", `{"name":1}`, `{"nome":"x"}`, `{"name":"x"} {}`, "[]", "null x"} {
		s.refused(t, "olga", "POST", "/projects", body, 400, problem.Invalid)
	}
	s.refused(t, "olga", "POST", "/projects", `{"description":"`+strings.Repeat("x", 2<<20)+`"}`, 413, problem.TooLarge)
	s.refused(t, "olga", "DELETE", "/me", "", 405, problem.Invalid)
	s.refused(t, "olga", "GET", "/nothing", "", 404, problem.NotFound)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	s := open(t)
	var v struct{ Version, Commit string }
	s.call(t, "sam", "GET", "/version", "", 200, &v)
	if v.Version != "1.2.3" || v.Commit != "abc" {
		t.Errorf("version = %+v", v)
	}
}

// TestDescriptionMatchesTheRoutes compares openapi.json with what is registered, both ways.
func TestDescriptionMatchesTheRoutes(t *testing.T) {
	t.Parallel()
	s := open(t)
	var doc struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/openapi.json", nil)
	must(t, err)
	resp, err := s.Client().Do(req)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	must(t, json.NewDecoder(resp.Body).Decode(&doc))
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi = %q, want 3.1.0", doc.OpenAPI)
	}
	described := map[string]bool{}
	for path, methods := range doc.Paths {
		for method := range methods {
			if method != "parameters" {
				described[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	for _, route := range s.api.Door().Routes {
		parts := strings.Split(route.Path, "/")
		for i, part := range parts {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		key := route.Method + " " + strings.Join(parts, "/")
		if !described[key] {
			t.Errorf("%s is not described", key)
		}
		delete(described, key)
	}
	for key := range described {
		t.Errorf("%s is described and is no route", key)
	}
}

// TestDescriptionHasWhatItRefersTo follows every $ref.
func TestDescriptionHasWhatItRefersTo(t *testing.T) {
	t.Parallel()
	s := open(t)
	var doc map[string]any
	s.send(t, "GET", "/openapi.json", "", 200, &doc)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && !resolves(doc, ref) {
				t.Errorf("%s leads nowhere", ref)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
}

func resolves(doc map[string]any, ref string) bool {
	var at any = doc
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return false
		}
		at = m[name]
	}
	return at != nil
}
