package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
)

const base = "/projects/demo/environments"

func TestEnvironmentsAreListedWithATag(t *testing.T) {
	t.Parallel()
	s := open(t)
	var v list[envs.Environment]
	tag := s.call(t, "sam", "GET", base, "", 200, &v).Get("ETag")
	if len(v.Items) != 1 || v.Items[0].Name != "base" || v.Next != "" {
		t.Errorf("list = %+v, want base alone", v)
	}
	s.send(t, "GET", base, "", 304, nil, "Authorization: Bearer "+s.tokens["sam"], "If-None-Match: "+tag)
	s.call(t, "sam", "GET", base+"/base", "", 200, nil)
	s.refused(t, "sam", "GET", base+"/nothing", "", 404, problem.NotFound)
	s.refused(t, "eve", "GET", base, "", 404, problem.NotFound)
}

func TestEnvironmentIsMadeFromOneSource(t *testing.T) {
	t.Parallel()
	s := open(t)
	h := s.call(t, "sam", "POST", base, `{"name":"new","text":"dependencies: [python]"}`, 201, nil)
	if at := h.Get("Location"); at != console.Base+base+"/new" {
		t.Errorf("it is at %q", at)
	}
	if got, want := s.envs.last(), `Create demo/new text "dependencies: [python]" from  lock false  build true by sam`; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}
	s.call(t, "sam", "POST", base, `{"name":"new","from":{"environment":"base"},"build":false}`, 201, nil)
	if got, want := s.envs.last(), `Create demo/new text "" from {demo base 0} lock false  build false by sam`; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}
	for _, body := range []string{
		`{"name":"x","text":"a","requirements":"b"}`, `{"name":"x","notebook":"a.ipynb","from":{"environment":"base"}}`,
		`{"name":"x","lock":"not a lock"}`, `{"name":"x","prefix":"/etc"}`,
	} {
		s.refused(t, "sam", "POST", base, body, 400, problem.Invalid)
	}
	s.refused(t, "sam", "POST", base, `{"name":"x","text":"`+strings.Repeat("x", 17<<20)+`"}`, 413, problem.TooLarge)
	s.refused(t, "admin", "POST", base, `{"name":"x","text":"a"}`, 404, problem.NotFound)
}

func TestEnvironmentIsMadeFromALock(t *testing.T) {
	t.Parallel()
	s := open(t)
	text, err := aLock().Encode()
	must(t, err)
	body, err := json.Marshal(map[string]any{"name": "new", "lock": string(text)})
	must(t, err)
	s.call(t, "sam", "POST", base, string(body), 201, nil)
	if got := s.envs.last(); !strings.Contains(got, "lock true") {
		t.Errorf("asked for %q, want a lock", got)
	}
}

// aLock is a valid lock of one package.
func aLock() *lock.Lock {
	return &lock.Lock{
		Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64", Channels: []string{"https://channel.example/main"},
		Packages: []lock.Package{{
			Name: "six", Version: "1.17.0", Build: "py_0", Subdir: "noarch", Size: 10,
			URL: "https://channel.example/main/noarch/six-1.17.0-py_0.conda", SHA256: strings.Repeat("ab", 32),
		}},
	}
}

func TestCloningAsksForRightsInTheOtherProject(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, "eve", "POST", "/projects", `{"name":"eves"}`, 201, nil)
	body := `{"name":"new","from":{"project":"eves","environment":"secret"}}`
	closed := s.refused(t, "sam", "POST", base, body, 404, problem.NotFound)
	missing := s.refused(t, "sam", "POST", base, strings.Replace(body, "eves", "nobodys", 1), 404, problem.NotFound)
	if strings.ReplaceAll(closed, "eves", "nobodys") != missing {
		t.Errorf("a project of others is told from none: %q, %q", closed, missing)
	}
	s.call(t, "eve", "PUT", "/projects/eves/members/sam", `{"role":"data_scientist"}`, 200, nil)
	s.call(t, "sam", "POST", base, body, 201, nil)

	_, limited, err := s.people.CreateToken(t.Context(), projects.By{}, projects.NewToken{User: "sam", Project: "demo"})
	must(t, err)
	s.tokens["limited"] = limited
	s.refused(t, "limited", "POST", base, body, 403, problem.Denied)
	s.call(t, "limited", "POST", base, `{"name":"new","from":{"project":"demo","environment":"base"}}`, 201, nil)
}

func TestNotebookNamesTheEnvironmentToMakeAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, c := range map[string]struct {
		says console.Provenance
		want string
	}{
		"the build is there":   {console.Provenance{Environment: "base", Build: 2, Lock: "aaaa"}, `Create demo/base text "" from {demo base 2} lock false  build`},
		"it is another build":  {console.Provenance{Environment: "base", Build: 2, Lock: "cccc"}, `Create demo/base text "" from  lock false cccc build`},
		"the build is removed": {console.Provenance{Environment: "gone", Build: 9, Lock: "cccc"}, `Create demo/gone text "" from  lock false cccc build`},
	} {
		s.provenance = c.says
		s.call(t, "sam", "POST", base, `{"notebook":"a.ipynb"}`, 201, nil)
		if got := s.envs.last(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: asked for %q, want %q", name, got, c.want)
		}
	}
	s.provenance = console.Provenance{}
	if m := s.refused(t, "sam", "POST", base, `{"notebook":"a.ipynb"}`, 409, problem.Conflict); !strings.Contains(m, "a.ipynb") {
		t.Errorf("refusal = %q, want the notebook's name", m)
	}
}

func TestOwnersDecideForTheProject(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PATCH", base + "/base", `{"default":true}`, 200, "Update demo/base default true"},
		{"DELETE", base + "/base", "", 204, "Delete demo/base by olga"},
		{"PATCH", base + "/base/builds/2", `{"pinned":true}`, 200, "Pin 2 true"},
		{"DELETE", base + "/base/builds/2", "", 204, "DeleteBuild 2 by olga"},
		{"POST", "/projects/demo/environments-collect", "", 200, "Collect demo by olga"},
	} {
		s.refused(t, "sam", c.method, c.path, c.body, 403, problem.Denied)
		s.call(t, "olga", c.method, c.path, c.body, c.status, nil)
		if got := s.envs.last(); got != c.want {
			t.Errorf("%s %s asked for %q, want %q", c.method, c.path, got, c.want)
		}
	}
	s.refused(t, "olga", "PATCH", base+"/base/builds/2", `{}`, 400, problem.Invalid)
	s.envs.fail["Delete"] = problem.New(problem.Conflict, "two kernels run on it")
	s.refused(t, "olga", "DELETE", base+"/base", "", 409, problem.Conflict)
}

func TestFailuresStandBesideTheError(t *testing.T) {
	t.Parallel()
	s := open(t)
	full := driver.Failure{
		Message: "what to do", Tree: "a\n  b", Package: "p", Near: []string{"q"}, Rule: "deny_packages", Line: 3, Column: 5,
	}
	for cause, want := range map[driver.Cause]struct {
		status int
		code   problem.Code
	}{
		driver.SpecInvalid: {400, problem.Invalid}, driver.PolicyDenied: {403, problem.Denied},
		driver.Unsatisfiable: {409, problem.Conflict}, driver.PackageMissing: {409, problem.Conflict},
		driver.ChannelUnreachable: {502, problem.Unavailable}, driver.AuthFailed: {502, problem.Unavailable},
		driver.TimedOut: {504, problem.Unavailable}, driver.DiskFull: {507, problem.NoSpace},
		driver.OutOfMemory: {507, problem.NoSpace}, driver.ToolFailed: {500, problem.Internal}, "new": {500, problem.Internal},
	} {
		f := full
		f.Cause = cause
		for _, err := range []error{&f, fmt.Errorf("solve: %w", &f), problem.New(problem.Invalid, "%w", &f)} {
			s.envs.fail["Solve"] = err
			var v struct {
				Error   struct{ Code, Message, ID string }
				Failure driver.Failure
			}
			s.call(t, "sam", "POST", base+"/base/solve", "", want.status, &v)
			if v.Error.Code != string(want.code) || v.Error.Message != "what to do" || fmt.Sprint(v.Failure) != fmt.Sprint(f) {
				t.Errorf("%s is answered with %+v, want %s and the failure", cause, v, want.code)
			}
		}
	}
	s.envs.fail["Solve"] = fmt.Errorf("secret path /srv/x")
	if m := s.refused(t, "sam", "POST", base+"/base/solve", "", 500, problem.Internal); strings.Contains(m, "secret") {
		t.Errorf("a fault shows %q", m)
	}
}

func TestSpecsAreChangedFromTheRevisionThatWasRead(t *testing.T) {
	t.Parallel()
	s := open(t)
	auth, path := "Authorization: Bearer "+s.tokens["sam"], base+"/base/spec"
	if tag := s.call(t, "sam", "GET", path, "", 200, nil).Get("ETag"); tag != `"r4"` {
		t.Errorf("ETag = %s, want \"r4\"", tag)
	}
	s.send(t, "GET", path, "", 304, nil, auth, `If-None-Match: "r4"`)
	s.call(t, "sam", "GET", path+"?revision=3", "", 200, nil)
	s.refused(t, "sam", "GET", path+"?revision=x", "", 400, problem.Invalid)

	body := `{"text":"dependencies: [numpy]","message":"numpy","build":true}`
	var v struct {
		Revision envs.Revision
		Build    *envs.Build
	}
	h := s.send(t, "PUT", path, body, 200, &v, auth, `If-Match: "r4"`)
	if h.Get("ETag") != `"r5"` || v.Revision.Number != 5 || v.Build == nil || v.Build.Number != 3 {
		t.Errorf("answer = %+v with tag %s, want revision 5 and build 3", v, h.Get("ETag"))
	}
	for _, stale := range []string{`"r3"`, `W/"r1"`, `"x"`} {
		s.send(t, "PUT", path, body, 409, nil, auth, "If-Match: "+stale)
	}
	s.send(t, "PUT", path, body, 200, nil, auth, "If-Match: *")
}

func TestSpecMayBeSentAsTheFileItself(t *testing.T) {
	t.Parallel()
	s := open(t)
	auth, path := "Authorization: Bearer "+s.tokens["sam"], base+"/base/spec"
	text := "# mine\ndependencies:\n  - numpy\n"
	for _, kind := range []string{"text/yaml", "application/yaml; charset=utf-8", "application/x-yaml"} {
		s.send(t, "PUT", path+"?build=true&message=more", text, 200, nil, auth, "Content-Type: "+kind)
		if got, want := s.envs.last(), fmt.Sprintf("SetSpec %q %q build true", text, "more"); got != want {
			t.Errorf("%s asked for %q, want %q", kind, got, want)
		}
	}
	s.send(t, "PUT", path, text, 200, nil, auth, "Content-Type: text/yaml")
	if got := s.envs.last(); !strings.HasSuffix(got, "build false") {
		t.Errorf("asked for %q, want no build", got)
	}
	s.send(t, "PUT", path+"?build=maybe", text, 400, nil, auth, "Content-Type: text/yaml")
	s.send(t, "PUT", path, strings.Repeat("x", 1<<20+1), 413, nil, auth, "Content-Type: text/yaml")
	s.send(t, "PUT", path, text, 400, nil, auth, "Content-Type: application/json")
}

func TestPackagesAreListedWholeAndEncodedOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range 700 {
		s.envs.items = append(s.envs.items, store.Item{Name: fmt.Sprintf("p%03d", i), Version: "1", From: "conda"})
	}
	var v list[store.Item]
	tag := s.call(t, "sam", "GET", base+"/base/packages?limit=10", "", 200, &v).Get("ETag")
	if len(v.Items) != 700 || v.Next != "" {
		t.Errorf("%d packages and next %q, want all 700", len(v.Items), v.Next)
	}
	s.send(t, "GET", base+"/base/packages?build=2", "", 304, nil, "Authorization: Bearer "+s.tokens["sam"], "If-None-Match: "+tag)
	s.call(t, "sam", "GET", base+"/base/packages", "", 200, nil)
	if s.envs.listed != 1 {
		t.Errorf("the packages were read %d times, want once", s.envs.listed)
	}
	s.refused(t, "sam", "GET", base+"/base/packages?build=9", "", 404, problem.NotFound)
	s.refused(t, "sam", "GET", base+"/base/packages?build=-1", "", 400, problem.Invalid)
}

func TestPackagesOfAnEnvironmentWithoutABuildAreNone(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.envs.envs[0].Active = nil
	var v list[store.Item]
	s.call(t, "sam", "GET", base+"/base/packages", "", 200, &v)
	if v.Items == nil || len(v.Items) != 0 {
		t.Errorf("packages = %v, want an empty list", v.Items)
	}
}

func TestPackagesAreEditedAndTriedByName(t *testing.T) {
	t.Parallel()
	s := open(t)
	edit := `{"add":[{"name":"pandas","from":"conda","version":">=2"}],"remove":["scipy"],"upgrade":["numpy"],"message":"for the report"}`
	s.call(t, "sam", "POST", base+"/base/packages", edit, 202, nil)
	if got, want := s.envs.last(), `Edit {[{pandas conda >=2}] [scipy] [numpy]} "for the report"`; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}
	s.refused(t, "sam", "POST", base+"/base/packages", `{}`, 400, problem.Invalid)
	s.refused(t, "sam", "POST", base+"/base/packages", `{"add":[{"name":"x","url":"y"}]}`, 400, problem.Invalid)

	for body, want := range map[string]string{
		``:                     `Solve text "-" edit <nil>`,
		`{"text":"a"}`:         `Solve text "a" edit <nil>`,
		`{"remove":["scipy"]}`: `Solve text "-" edit &{[] [scipy] []}`,
	} {
		s.call(t, "sam", "POST", base+"/base/solve", body, 200, nil)
		if got := s.envs.last(); got != want {
			t.Errorf("%s asked for %q, want %q", body, got, want)
		}
	}
	s.refused(t, "sam", "POST", base+"/base/solve", `{"text":"a","remove":["b"]}`, 400, problem.Invalid)
}

func TestPackagesAreSearched(t *testing.T) {
	t.Parallel()
	s := open(t)
	var v list[driver.Found]
	s.call(t, "sam", "GET", "/projects/demo/packages?q=num&from=pip&limit=5", "", 200, &v)
	if got, want := s.envs.last(), `Search "num" "pip" 5`; got != want || v.Items == nil {
		t.Errorf("asked for %q, want %q and a list", got, want)
	}
	for _, query := range []string{"", "?q=", "?q=x&from=npm", "?q=x&limit=101", "?q=" + strings.Repeat("x", 201)} {
		s.refused(t, "sam", "GET", "/projects/demo/packages"+query, "", 400, problem.Invalid)
	}
}

func TestPolicyIsToldInWordsAndValues(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.envs.view = envs.PolicyView{
		Kind: lock.Venv, Why: "no channel answers", Rules: policy.Rules{DenyPackages: []string{"left-pad"}}, Words: []string{"No left pads."},
	}
	var v map[string]any
	s.call(t, "sam", "GET", "/projects/demo/environments-policy", "", 200, &v)
	text := fmt.Sprint(v)
	if v["kind"] != "venv" || v["why"] != "no channel answers" || !strings.Contains(text, "No left pads.") || !strings.Contains(text, "left-pad") {
		t.Errorf("policy = %s", text)
	}
}

func TestMistakesInRulesStandAtTheirFields(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, "admin", "PUT", "/projects/demo/members/admin", `{"role":"data_owner"}`, 200, nil)
	wrong := policy.Rules{DenyPackages: []string{"*"}, WheelHosts: []string{"a b", "http://c"}}.Validate()
	s.envs.fail["Update"] = problem.New(problem.Invalid, "the rules cannot be: %w", wrong)
	var e struct {
		Error  any
		Fields map[string]string
	}
	s.call(t, "admin", "PATCH", base+"/base", `{"default":true,"policy":{"deny_packages":["*"]}}`, 400, &e)
	if len(e.Fields) != 2 || !strings.Contains(e.Fields["deny_packages"], "everything") || strings.Count(e.Fields["wheel_hosts"], "is no host") != 2 {
		t.Errorf("fields = %v, want each with what is wrong in it", e.Fields)
	}
}

func TestUsageAndActivation(t *testing.T) {
	t.Parallel()
	s := open(t)
	var u envs.Usage
	s.call(t, "sam", "GET", "/projects/demo/environments-usage", "", 200, &u)
	if u.Rule == "" || u.Builds != 3 {
		t.Errorf("usage = %+v", u)
	}
	s.envs.resolved = envs.Resolved{Name: "base", Build: 2, Prefix: "/e/b", Bin: "/e/b/bin"}
	var v map[string]any
	s.call(t, "sam", "GET", base+"/base/activation", "", 200, &v)
	if v["bin"] != "/e/b/bin" || v["variables"] == nil {
		t.Errorf("activation = %v, want a bin and an object of variables", v)
	}
}

func TestChangesOfEnvironmentsAreInTheFeed(t *testing.T) {
	t.Parallel()
	s := open(t)
	sam, eve := s.listen(t, "sam", "", ""), s.listen(t, "eve", "", "")
	for _, events := range []<-chan event{sam, eve} {
		next(t, events, func(e event) bool { return e.id != "" })
	}
	s.envs.changes <- envs.Change{Project: "demo", Environment: "base"}
	change(t, sam, "environments", "demo", "base", "")
	s.call(t, "eve", "PATCH", "/users/eve", `{"display_name":"Eve"}`, 200, nil)
	change(t, eve, "users", "", "eve", "base")
	s.envs.changes <- envs.Change{}
	next(t, sam, func(e event) bool { return e.name == "resync" })
}

func TestGatewayWithoutEnvironmentsSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *console.Config) { c.Environments = nil })
	if m := s.refused(t, "sam", "GET", base, "", http.StatusNotImplemented, problem.Unsupported); m == "" {
		t.Error("there is no sentence")
	}
}
