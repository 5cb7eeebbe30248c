package jupyter_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

var jupyterTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

// fields looks whether a model has these fields and no others.
func fields(t *testing.T, what string, model map[string]any, want ...string) {
	t.Helper()
	got := slices.Sorted(maps.Keys(model))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s has the fields %q, want %q", what, got, want)
	}
}

// refused looks for Jupyter's shape of an error.
func refused(t *testing.T, what string, status int, answer any, want int, message string) {
	t.Helper()
	object, _ := answer.(map[string]any)
	text, _ := object["message"].(string)
	if _, ok := object["reason"]; status != want || !ok || !strings.Contains(text, message) {
		t.Errorf("%s = %d %v, want %d with %q", what, status, answer, want, message)
	}
}

func TestServerTellsOfItself(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if v := w.must(200, "GET", "/api", nil, "X-User: "); v["version"] != "2.21.1" {
		t.Errorf("version = %v", v)
	}
	s := w.must(200, "GET", "/api/status", nil)
	fields(t, "status", s, "started", "last_activity", "kernels", "connections")
	if s["kernels"] != 0.0 || !jupyterTime.MatchString(s["started"].(string)) || !jupyterTime.MatchString(s["last_activity"].(string)) {
		t.Errorf("status = %v", s)
	}
	w.kernel()
	if s := w.must(200, "GET", "/api/status", nil); s["kernels"] != 1.0 {
		t.Errorf("status = %v, want one kernel", s)
	}
	me := w.must(200, "GET", `/api/me?permissions=%7B%22kernels%22:[%22execute%22,%22dance%22],%22moon%22:[%22read%22]%7D`, nil)
	identity := me["identity"].(map[string]any)
	fields(t, "identity", identity, "username", "name", "display_name", "initials", "avatar_url", "color")
	if got := fmt.Sprint(me["permissions"]); got != "map[kernels:[execute] moon:[] updatable_fields:[]]" {
		t.Errorf("permissions = %s", got)
	}
	status, answer, _ := w.ask("GET", "/api/me?permissions=nonsense", nil)
	refused(t, "GET /api/me with nonsense", status, answer, 400, "JSON dict")
}

func TestStrangersAndReadersAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.kernel()
	for _, path := range []string{"/api/kernels", "/api/kernels/" + id, "/api/sessions", "/api/terminals", "/api/kernelspecs", "/api/status"} {
		status, answer, _ := w.ask("GET", path, nil, "X-User: ")
		refused(t, "GET "+path+" as nobody", status, answer, 403, "")
	}
	status, answer, _ := w.ask("DELETE", "/api/kernels/"+id, nil, "X-Role: site_user")
	refused(t, "DELETE without the right", status, answer, 403, "")
	if _, status, err := dial(t.Context(), w.URL, "/api/kernels/"+id+"/channels", "", "X-User: "); err == nil || status != 403 {
		t.Errorf("websocket as nobody = %d, want 403", status)
	}
}

func TestKernelspecsAreListed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	all := w.must(200, "GET", "/api/kernelspecs", nil)
	specs := all["kernelspecs"].(map[string]any)
	if all["default"] != "python3" || len(specs) != 2 {
		t.Errorf("kernelspecs = %v", all)
	}
	one := w.must(200, "GET", "/api/kernelspecs/python3", nil)
	fields(t, "kernelspec", one, "name", "spec", "resources")
	spec := one["spec"].(map[string]any)
	fields(t, "spec", spec, "argv", "env", "display_name", "language", "interrupt_mode", "metadata")
	logo := one["resources"].(map[string]any)["logo-64x64"].(string)
	if logo != "/p/demo/jupyter/kernelspecs/python3/logo-64x64.png" {
		t.Errorf("logo = %q", logo)
	}
	status, answer, header := w.ask("GET", strings.TrimPrefix(logo, "/p/demo/jupyter"), nil)
	if status != 200 || answer != "a picture" || !strings.Contains(header.Get("Content-Security-Policy"), "sandbox") ||
		!strings.HasPrefix(header.Get("Content-Type"), "image/png") {
		t.Errorf("logo = %d %q %v", status, answer, header)
	}
	for path, message := range map[string]string{
		"/api/kernelspecs/julia":               "Kernel spec julia not found",
		"/kernelspecs/julia/logo-64x64.png":    "Kernel spec julia not found",
		"/kernelspecs/python3/kernel.json":     "Kernel resource not found",
		"/kernelspecs/python3/..%2fdying%2fx":  "not found",
		"/kernelspecs/..%2f..%2fetc/passwd":    "not found",
		"/kernelspecs/python3/logo-32x32.png":  "Kernel resource not found",
		"/api/kernelspecs/..%2f..%2fetc":       "not found",
		"/kernelspecs/python3/logo-64x64.png/": "",
	} {
		status, answer, _ := w.ask("GET", path, nil)
		if message == "" { // a slash too many leads to the one without
			continue
		}
		refused(t, "GET "+path, status, answer, 404, message)
	}
}

func TestKernelsOverREST(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if _, answer, _ := w.ask("GET", "/api/kernels", nil); fmt.Sprint(answer) != "[]" {
		t.Errorf("kernels = %v, want an empty list", answer)
	}
	id := uuid.NewString()
	status, answer, header := w.ask("POST", "/api/kernels", map[string]any{"name": "python3", "kernel_id": id, "path": "some/where.ipynb"})
	k, _ := answer.(map[string]any)
	if status != 201 || header.Get("Location") != "/p/demo/jupyter/api/kernels/"+id {
		t.Fatalf("POST = %d %v %v", status, answer, header)
	}
	fields(t, "kernel", k, "id", "name", "last_activity", "execution_state", "connections")
	if k["id"] != id || k["name"] != "python3" || k["execution_state"] != "idle" || k["connections"] != 0.0 || !jupyterTime.MatchString(k["last_activity"].(string)) {
		t.Errorf("kernel = %v", k)
	}
	if got := w.must(200, "GET", "/api/kernels/"+id, nil); got["id"] != id {
		t.Errorf("GET = %v", got)
	}
	if _, answer, _ := w.ask("GET", "/api/kernels", nil, "X-User: bob"); fmt.Sprint(answer) != "[]" {
		t.Errorf("bob sees %v", answer)
	}
	status, answer, _ = w.ask("POST", "/api/kernels", map[string]any{"kernel_id": id})
	refused(t, "POST of a taken id", status, answer, 409, "exists")
	if status, answer, _ := w.ask("POST", "/api/kernels/"+id+"/interrupt", map[string]any{}); status != 204 || answer != nil {
		t.Errorf("interrupt = %d %v, want 204", status, answer)
	}
	if got := w.must(200, "POST", "/api/kernels/"+id+"/restart", nil); got["id"] != id {
		t.Errorf("restart = %v", got)
	}
	if status, answer, _ := w.ask("DELETE", "/api/kernels/"+id, nil); status != 204 || answer != nil {
		t.Errorf("DELETE = %d %v, want 204", status, answer)
	}
	for _, r := range []string{"GET ", "DELETE ", "POST /interrupt", "POST /restart"} {
		method, tail, _ := strings.Cut(r, " ")
		status, answer, _ := w.ask(method, "/api/kernels/"+id+tail, nil)
		refused(t, r+" of what is gone", status, answer, 404, "Kernel does not exist: "+id)
	}
	if _, status, err := dial(t.Context(), w.URL, "/api/kernels/"+id+"/channels", ""); err == nil || status != 404 {
		t.Errorf("websocket of what is gone = %d, want 404", status)
	}
}

func TestBadKernelRequests(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, c := range []struct {
		body    any
		status  int
		message string
	}{
		{"{", 400, "Invalid JSON"},
		{"[]", 400, "Invalid JSON"},
		{`{"name":7}`, 400, "Invalid JSON"},
		{map[string]any{"kernel_id": "../x"}, 400, "UUID"},
		{map[string]any{"path": "a\x00b"}, 400, "path"},
		{map[string]any{"name": "julia"}, 500, "No such kernel named julia"},
		{map[string]any{"name": "dying"}, 500, "No module named ipykernel"},
	} {
		status, answer, _ := w.ask("POST", "/api/kernels", c.body)
		refused(t, fmt.Sprintf("POST %v", c.body), status, answer, c.status, c.message)
	}
	if _, answer, _ := w.ask("GET", "/api/kernels", nil); fmt.Sprint(answer) != "[]" {
		t.Errorf("left: %v", answer)
	}
}

func TestGatewayClientsWorkInTheirFolder(t *testing.T) {
	t.Parallel()
	w := setup(t)
	dir := filepath.Join(w.files, "demo", "deep")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	k := w.must(201, "POST", "/api/kernels", map[string]any{"env": map[string]string{
		"KERNEL_WORKING_DIR": dir, "KERNEL_USERNAME": "root", "LD_PRELOAD": "x", "PATH": "/evil",
	}})
	ws := w.socket("/api/kernels/"+k["id"].(string)+"/channels", "")
	if got := run(t, ws, "env USER"); got != "ann" {
		t.Errorf("USER = %q, want ann: who one is comes from the login", got)
	}
	if got := run(t, ws, "env LD_PRELOAD"); got != "" {
		t.Errorf("LD_PRELOAD = %q", got)
	}
	if got, err := os.Readlink("/proc/" + run(t, ws, "pid") + "/cwd"); err != nil || got != dir {
		t.Errorf("working folder = %q, %v, want %q", got, err, dir)
	}
}

func TestSessionsOverREST(t *testing.T) {
	t.Parallel()
	w := setup(t)
	body := map[string]any{"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": map[string]any{"name": "python3"}}
	status, answer, header := w.ask("POST", "/api/sessions", body)
	s, _ := answer.(map[string]any)
	if status != 201 {
		t.Fatalf("POST = %d %v", status, answer)
	}
	id := s["id"].(string)
	if header.Get("Location") != "/p/demo/jupyter/api/sessions/"+id {
		t.Errorf("Location = %q", header.Get("Location"))
	}
	fields(t, "session", s, "id", "path", "name", "type", "kernel", "notebook")
	kernel := s["kernel"].(map[string]any)["id"].(string)
	if again := w.must(201, "POST", "/api/sessions", body); again["id"] != id {
		t.Errorf("second POST = %v, want the first session", again)
	}
	console := w.must(201, "POST", "/api/sessions", map[string]any{"path": "c", "type": "console", "name": "", "kernel": map[string]any{"id": kernel}})
	fields(t, "console", console, "id", "path", "name", "type", "kernel")
	old := w.must(201, "POST", "/api/sessions", map[string]any{"notebook": map[string]any{"path": "old.ipynb", "name": "old"}, "kernel": map[string]any{"id": kernel}})
	if old["path"] != "old.ipynb" || old["type"] != "notebook" {
		t.Errorf("session of an old client = %v", old)
	}
	if _, answer, _ := w.ask("GET", "/api/sessions", nil); len(answer.([]any)) != 3 {
		t.Errorf("sessions = %v, want 3", answer)
	}
	if _, answer, _ := w.ask("GET", "/api/sessions", nil, "X-User: bob"); fmt.Sprint(answer) != "[]" {
		t.Errorf("bob sees %v", answer)
	}
	if got := w.must(200, "PATCH", "/api/sessions/"+id, map[string]any{"path": "b.ipynb", "name": "b"}); got["path"] != "b.ipynb" || got["name"] != "b" {
		t.Errorf("PATCH = %v", got)
	}
	got := w.must(200, "PATCH", "/api/sessions/"+id, map[string]any{"kernel": map[string]any{"name": "python3"}})
	other := got["kernel"].(map[string]any)["id"].(string)
	if other == kernel {
		t.Error("PATCH of the kernel changes nothing")
	}
	status, answer, _ = w.ask("GET", "/api/kernels/"+kernel, nil)
	refused(t, "GET of the old kernel", status, answer, 404, "does not exist")
	if got := w.must(200, "GET", "/api/sessions/"+id, nil); got["path"] != "b.ipynb" {
		t.Errorf("GET = %v", got)
	}
	if status, _, _ := w.ask("DELETE", "/api/sessions/"+id, nil); status != 204 {
		t.Errorf("DELETE = %d, want 204", status)
	}
	status, answer, _ = w.ask("GET", "/api/sessions/"+id, nil)
	refused(t, "GET of what is gone", status, answer, 404, "Session not found")
	status, answer, _ = w.ask("GET", "/api/kernels/"+other, nil)
	refused(t, "GET of its kernel", status, answer, 404, "does not exist")
	if status, _, _ := w.ask("DELETE", "/api/sessions/"+console["id"].(string), nil); status != 410 && status != 404 {
		t.Errorf("DELETE of a session whose kernel has gone = %d, want 410 or 404", status)
	}
}

func TestBadSessionRequests(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.must(201, "POST", "/api/sessions", map[string]any{"path": "a", "type": "notebook"})["id"].(string)
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		message      string
	}{
		{"POST", "", "{", 400, "Invalid JSON"},
		{"POST", "", map[string]any{"type": "notebook"}, 400, "Missing field in JSON data: path"},
		{"POST", "", map[string]any{"path": "x"}, 400, "Missing field in JSON data: type"},
		{"POST", "", map[string]any{"path": strings.Repeat("x", 5000), "type": "notebook"}, 400, "at most"},
		{"POST", "", map[string]any{"path": "x", "type": "notebook", "kernel": map[string]any{"id": "none"}}, 404, "Kernel does not exist"},
		{"PATCH", "/none", map[string]any{"path": "x"}, 404, "Session not found"},
		{"PATCH", "/" + id, map[string]any{"kernel": map[string]any{"id": "none"}}, 400, "No such kernel: none"},
		{"DELETE", "/none", nil, 404, "Session not found"},
		{"GET", "/none", nil, 404, "Session not found"},
	} {
		status, answer, _ := w.ask(c.method, "/api/sessions"+c.path, c.body)
		refused(t, fmt.Sprintf("%s %s %.60v", c.method, c.path, c.body), status, answer, c.status, c.message)
	}
	for method, path := range map[string]string{"POST": "", "PATCH": "/" + id} {
		status, answer, _ := w.ask(method, "/api/sessions"+path, map[string]any{"path": "y", "type": "notebook", "kernel": map[string]any{"name": "julia"}})
		object, _ := answer.(map[string]any)
		if status != 501 || object["short_message"] != "julia not found" || !strings.Contains(fmt.Sprint(object["message"]), "'julia' kernel is not available") {
			t.Errorf("%s with an unknown kernel = %d %v, want 501 with both messages", method, status, answer)
		}
	}
}

func TestTerminalsOverREST(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if _, answer, _ := w.ask("GET", "/api/terminals", nil); fmt.Sprint(answer) != "[]" {
		t.Errorf("terminals = %v, want an empty list", answer)
	}
	term := w.must(http.StatusOK, "POST", "/api/terminals", nil)
	fields(t, "terminal", term, "name", "last_activity")
	if term["name"] != "1" || !jupyterTime.MatchString(term["last_activity"].(string)) {
		t.Errorf("terminal = %v", term)
	}
	if named := w.must(200, "POST", "/api/terminals", map[string]any{"name": "work", "cwd": ""}); named["name"] != "work" {
		t.Errorf("terminal = %v", named)
	}
	if _, answer, _ := w.ask("GET", "/api/terminals", nil); len(answer.([]any)) != 2 {
		t.Errorf("terminals = %v, want 2", answer)
	}
	if got := w.must(200, "GET", "/api/terminals/1", nil); got["name"] != "1" {
		t.Errorf("GET = %v", got)
	}
	status, answer, _ := w.ask("GET", "/api/terminals/1", nil, "X-User: bob")
	refused(t, "GET of another's", status, answer, 404, "Terminal not found: 1")
	status, answer, _ = w.ask("POST", "/api/terminals", map[string]any{"name": "a/b"})
	refused(t, "POST of a bad name", status, answer, 400, "letters and digits")
	if status, _, _ := w.ask("DELETE", "/api/terminals/1", nil); status != 204 {
		t.Errorf("DELETE = %d, want 204", status)
	}
	for _, method := range []string{"GET", "DELETE"} {
		status, answer, _ := w.ask(method, "/api/terminals/1", nil)
		refused(t, method+" of what is gone", status, answer, 404, "Terminal not found: 1")
	}
	if _, status, err := dial(t.Context(), w.URL, "/terminals/websocket/1", ""); err == nil || status != 404 {
		t.Errorf("websocket of what is gone = %d, want 404", status)
	}
}
