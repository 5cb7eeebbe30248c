package lab_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/lab"
	"github.com/hopyard/hopyard/plugins/storage"
)

type entry struct {
	ID, Version, Raw      string
	Settings              map[string]any
	Schema                json.RawMessage
	Warning               string
	Created, LastModified *string
}

// UnmarshalJSON reads last_modified besides.
func (e *entry) UnmarshalJSON(text []byte) error {
	type plain entry
	var times struct {
		LastModified *string `json:"last_modified"`
	}
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	err := json.Unmarshal(text, &times)
	e.LastModified = times.LastModified
	return err
}

const themes = "/lab/api/settings/@jupyterlab/apputils-extension:themes"

func TestSettingsListsEveryPluginWithItsSchemaAsShipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	list := decode[struct{ Settings []entry }](t, w.get("/lab/api/settings?1234567")).Settings
	var ids []string
	for _, e := range list {
		ids = append(ids, e.ID)
		if e.Raw != "{}" || e.Settings == nil || e.Created != nil || e.LastModified != nil {
			t.Errorf("%s = %+v, want nothing saved", e.ID, e)
		}
	}
	want := []string{
		"@jupyterlab/apputils-extension:notification", "@jupyterlab/apputils-extension:themes",
		"@jupyterlab/codemirror-extension:plugin", "@jupyterlab/translation-extension:plugin", "@x/ext:plugin",
	}
	if !slices.Equal(ids, want) {
		t.Errorf("ids = %v, want %v", ids, want)
	}
	if got := string(list[1].Schema); got != `{"jupyter.lab.setting-icon":"ui:x","type":"object","properties":{"theme":{"type":"string","default":"Light"}},"additionalProperties":false}` {
		t.Errorf("schema = %s", got)
	}
	if list[4].Version != "2.0" || list[3].Version != "N/A" {
		t.Errorf("versions = %s and %s, want 2.0 and N/A", list[4].Version, list[3].Version)
	}
	only := w.get("/lab/api/settings?ids_only=true&1234567").Body.String()
	if !strings.HasPrefix(only, `{"settings":[{"id":"@jupyterlab/apputils-extension:notification"},`) || strings.Contains(only, "schema") {
		t.Errorf("ids only = %s", only)
	}
}

func TestSettingsKeepWhatWasTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	const raw = "{\n// dark\ntheme: 'JupyterLab Dark',}"
	body, _ := json.Marshal(map[string]string{"raw": raw})
	w.want(w.do(http.MethodPut, themes, string(body)), http.StatusNoContent)
	first := decode[entry](t, w.get(themes))
	if first.Raw != raw || first.Settings["theme"] != "JupyterLab Dark" || first.Created == nil || len(*first.Created) != len("2006-01-02T15:04:05.000000Z") {
		t.Errorf("settings = %+v, want them as typed", first)
	}
	w.want(w.do(http.MethodPut, strings.ReplaceAll(themes, ":", "%3A"), `{"raw":"{}"}`), http.StatusNoContent)
	second := decode[entry](t, w.get(themes))
	if *second.Created != *first.Created || second.Raw != "{}" {
		t.Errorf("settings = %+v, want the first creation time %s", second, *first.Created)
	}
	all := decode[struct{ Settings []entry }](t, w.get("/lab/api/settings/")).Settings
	if all[1].Created == nil || all[0].Created != nil {
		t.Error("the list does not show what was saved, or more")
	}

	for _, other := range []door.Caller{{User: "bob", Project: "demo"}, {User: "ada", Project: "other"}} {
		w.who = &other
		if got := decode[entry](t, w.get(themes)); got.Created != nil {
			t.Errorf("%s in %s sees %+v", other.User, other.Project, got)
		}
	}
}

func TestSettingsRefuseWhatTheSchemaDoesNotAllow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{themes, `{"raw":"{\"theme\": 5}"}`, 400, "/theme"},
		{themes, `{"raw":"{\"thme\": \"x\"}"}`, 400, "thme"},
		{themes, `{"raw":"[]"}`, 400, "want object"},
		{themes, `{"raw":"{theme"}`, 400, "line 1, column 7"},
		{themes, `{"raw":5}`, 400, "Invalid JSON"},
		{themes, `{}`, 400, "raw"},
		{themes, `{`, 400, "Invalid JSON"},
		{themes, `{"raw":"{theme:'` + strings.Repeat("x", storage.MaxValue) + `'}"}`, 413, "too large"},
		{"/lab/api/settings/@jupyterlab/nope:nope", `{"raw":"{}"}`, 404, "@jupyterlab/nope:nope"},
		{"/lab/api/settings/", `{"raw":"{}"}`, 404, "Schema"},
		{"/lab/api/settings/@jupyterlab/codemirror-extension:plugin", `{"raw":"{}"}`, 400, "cannot be used"}, // never fetches a reference
	} {
		rec := w.do(http.MethodPut, c.path, c.body)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.says) {
			t.Errorf("PUT %s %.60s: %d %s; want %d with %q", c.path, c.body, rec.Code, rec.Body, c.status, c.says)
		}
	}
	w.want(w.get("/lab/api/settings/@jupyterlab/nope:nope"), http.StatusNotFound)
	if got := decode[entry](t, w.get(themes)); got.Created != nil {
		t.Errorf("something was saved: %+v", got)
	}
}

func TestSettingsSavedUnderAnotherSchemaAreCheckedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	const key = "jupyter/settings/demo/ada/@jupyterlab/apputils-extension:themes"
	value := `{"raw":"{\"old\":1}","settings":{"old":1},"tree":"an older one","created":"2026-01-02T03:04:05Z","modified":"2026-01-02T03:04:05Z"}`
	if _, err := w.store.Apply(t.Context(), storage.Put(key, []byte(value))); err != nil {
		t.Fatal(err)
	}
	got := decode[entry](t, w.get(themes))
	if got.Raw != `{"old":1}` || len(got.Settings) != 0 || !strings.Contains(got.Warning, "old") {
		t.Errorf("settings = %+v, want the text, no values and a warning", got)
	}
}

func TestOverridesChangeDefaultsAndKeepTheOrder(t *testing.T) {
	t.Parallel()
	site := `{// ours
	"@x/ext:plugin": {a: {"l": {"n": 3}}, "new": true}}`
	w := newWorld(t, openFake(t), func(c *lab.Config) { c.Overrides = []byte(site) })
	got := string(decode[entry](t, w.get("/lab/api/settings/@x/ext:plugin")).Schema)
	want := `{"title":"Ext","type":"object","properties":{"z":{"type":"number","default":1},"a":{"type":"object","default":{"k":1,"l":{"m":2,"n":3}}},"new":{"default":true}},"additionalProperties":false}`
	if got != want {
		t.Errorf("schema = %s\nwant %s", got, want)
	}
	news := string(decode[entry](t, w.get("/lab/api/settings/@jupyterlab/apputils-extension:notification")).Schema)
	if !strings.Contains(news, `"fetchNews":{"default":"false"}`) {
		t.Errorf("schema = %s, want our own default besides the site's", news)
	}
	if _, err := lab.New(lab.Config{Tree: openFake(t), Overrides: []byte("[]")}); err == nil {
		t.Error("New took overrides that are no object")
	}
}

type layout struct {
	Data     map[string]any
	Metadata map[string]string
}

func TestWorkspacesAreSavedListedAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	const path = "/lab/api/workspaces/auto-x"
	if got := decode[layout](t, w.get(path)); len(got.Data) != 0 || got.Metadata["id"] != "auto-x" {
		t.Errorf("unknown workspace = %+v, want an empty one", got)
	}
	w.want(w.do(http.MethodPut, path, `{"data":{"a":1},"metadata":{"id":"auto-x","note":"n"}}`), http.StatusNoContent)
	got := decode[layout](t, w.get(path))
	if got.Data["a"] != 1.0 || got.Metadata["note"] != "n" || got.Metadata["last_modified"] == "" || got.Metadata["created"] == "" {
		t.Errorf("workspace = %+v, want what was put and its times", got)
	}
	type list struct {
		Workspaces struct {
			IDs    []string
			Values []layout
		}
	}
	if got := decode[list](t, w.get("/lab/api/workspaces?123")).Workspaces; !slices.Equal(got.IDs, []string{"auto-x"}) || got.Values[0].Data["a"] != 1.0 {
		t.Errorf("list = %+v, want the one", got)
	}
	w.who = &door.Caller{User: "bob", Project: "demo"}
	if got := w.get("/lab/api/workspaces/").Body.String(); strings.TrimSpace(got) != `{"workspaces":{"ids":[],"values":[]}}` {
		t.Errorf("another user's list = %s, want none", got)
	}
	w.who = &door.Caller{User: "ada", Project: "demo"}
	w.want(w.do(http.MethodDelete, path, ""), http.StatusNoContent)
	w.want(w.do(http.MethodDelete, path, ""), http.StatusNotFound)
}

func TestWorkspacesRefuseWhatIsNotOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	long := strings.Repeat("x", 2*storage.MaxKey)
	for path, c := range map[string]struct {
		body   string
		status int
	}{
		"/lab/api/workspaces/a":       {`{"data":{},"metadata":{"id":"b"}}`, 400},
		"/lab/api/workspaces/b":       {`{"data":{}}`, 400},
		"/lab/api/workspaces/c":       {`{"metadata":{"id":"c"}}`, 400},
		"/lab/api/workspaces/d":       {`{"metadata":{"id":"d"}, "data"`, 400},
		"/lab/api/workspaces/":        {`{"data":{},"metadata":{"id":""}}`, 400},
		"/lab/api/workspaces/" + long: {`{"data":{},"metadata":{"id":"` + long + `"}}`, 413},
		"/lab/api/workspaces/e":       {`{"data":{"x":"` + strings.Repeat("x", storage.MaxValue) + `"},"metadata":{"id":"e"}}`, 413},
	} {
		if rec := w.do(http.MethodPut, path, c.body); rec.Code != c.status {
			t.Errorf("PUT %.40s: %d %s, want %d", path, rec.Code, rec.Body, c.status)
		}
	}
	w.want(w.get("/lab/api/workspaces/"+long), http.StatusOK)
}

func TestTheSmallEndpointsAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	for path, want := range map[string]string{
		"/lab/api/translations?1":       `{"data":{"en":{"displayName":"English","nativeName":"English"}},"message":""}`,
		"/lab/api/translations/":        `{"data":{"en":{"displayName":"English","nativeName":"English"}},"message":""}`,
		"/lab/api/translations/default": `{"data":{},"message":""}`,
		"/lab/api/translations/en":      `{"data":{},"message":""}`,
		"/lab/api/build":                `{"message":"","status":"stable"}`,
		"/lab/api/news":                 `{"news":[]}`,
		"/lab/api/update":               `{"notification":null}`,
		"/lab/api/extensions":           `[]`,
		"/lab/api/plugins":              `{"allLocked":true,"lockRules":[]}`,
		"/lsp/status":                   `{"sessions":{},"specs":{},"version":2}`,
		"/lab/api/listings/@jupyterlab/extensionmanager-extension/listings.json": `{"allowed_extensions":[],"allowed_extensions_uris":[],"blocked_extensions":[],"blocked_extensions_uris":[]}`,
	} {
		rec := w.get(path)
		if got := strings.TrimSpace(rec.Body.String()); rec.Code != http.StatusOK || got != want {
			t.Errorf("%s: %d %s, want %s", path, rec.Code, got, want)
		}
	}
	w.want(w.get("/lab/api/nothing"), http.StatusNotFound)
}

func TestLicencesComeInThreeFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	type answer struct {
		Bundles map[string]struct {
			Packages []struct{ Name, VersionInfo, LicenseID, ExtractedText string }
		}
	}
	all := decode[answer](t, w.get("/lab/api/licenses//?123")).Bundles
	if len(all) != 3 || all["JupyterLab"].Packages[0].ExtractedText == "" || all["@x/ext"].Packages == nil {
		t.Errorf("bundles = %+v, want all three with texts", all)
	}
	one := decode[answer](t, w.get("/lab/api/licenses?full_text=0&bundles=Jupyter+Notebook")).Bundles
	if len(one) != 1 || one["Jupyter Notebook"].Packages[0].Name != "other" {
		t.Errorf("bundles = %+v, want the one asked for", one)
	}
	table := w.get("/lab/api/licenses?format=csv&download=1&full_text=1")
	if want := "name,bundle,license_id,version_info,extracted_text\ndep,JupyterLab,MIT,1.0,\"Do what, you want\"\nother,Jupyter Notebook,BSD,2,\n"; table.Body.String() != want {
		t.Errorf("csv = %q, want %q", table.Body, want)
	}
	if got := table.Header().Get("Content-Disposition"); got != `attachment; filename="jupyterlab-licenses.csv"` {
		t.Errorf("Content-Disposition = %q", got)
	}
	if got := w.get("/lab/api/licenses?format=markdown").Body.String(); !strings.HasPrefix(got, "# JupyterLab\n\n## dep\n\nMIT 1.0\n\n```\nDo what, you want\n```\n") {
		t.Errorf("markdown = %q", got)
	}
}
