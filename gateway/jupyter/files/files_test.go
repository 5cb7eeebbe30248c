package files_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/files"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/hopyard/hopyard/kernels/contents/nbconvert"
	"github.com/labstack/echo/v4"
)

// world is the door over one folder, with a client.
type world struct {
	t    testing.TB
	url  string
	dir  string
	user string
	bus  *events.Bus
	// client is the world's own: the end of another test's server closes the idle connections that all others share.
	client *http.Client
	prefix string // of the environment
}

type noEnv struct{ prefix string }

func (e noEnv) Resolve(context.Context, string) (kernels.Environment, error) {
	return kernels.Environment{Name: "test", Prefix: e.prefix, Bin: e.prefix + "/bin", Python: e.prefix + "/bin/python"}, nil
}

func setup(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), user: "ann", bus: events.NewBus()}
	log := slog.New(slog.DiscardHandler)
	records := memory.NewStorage()
	store := contents.New(func(string) (string, error) { return w.dir, nil }, records, log)
	t.Cleanup(func() { _ = store.Close() })
	runner := func(_ context.Context, job nbconvert.Job) error {
		return os.WriteFile(filepath.Join(mkdir(t, job.Dir, "out"), "n.html"), []byte("<script>1</script>"), 0o600)
	}
	main := filepath.Join(mkdir(t, t.TempDir(), "lib/python3.11/site-packages/nbconvert"), "__main__.py")
	if err := os.WriteFile(main, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	prefix, _, _ := strings.Cut(main, "/lib/")
	w.prefix = prefix
	h := files.NewHandler(files.Config{Store: store, Converter: nbconvert.New(noEnv{prefix}, runner), Records: records, Events: w.bus})
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = shape.Error(c, err, "id") }
	for _, r := range h.Routes() {
		e.Add(r.Method, "/p/:project/jupyter"+r.Path, func(c echo.Context) error {
			door.WithCaller(c, &door.Caller{User: w.user, Project: c.Param("project"), Token: true})
			return r.Handle(c)
		})
	}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	w.url, w.client = s.URL+"/p/demo/jupyter", s.Client()
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

func TestEnvironmentWithoutNbconvertOffersNoFormats(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if got := w.want(200, "GET", "/api/nbconvert", "").json(t); len(got) == 0 {
		t.Error("an environment with nbconvert offers nothing")
	}
	if err := os.RemoveAll(filepath.Join(w.prefix, "lib")); err != nil {
		t.Fatal(err)
	}
	if got := w.want(200, "GET", "/api/nbconvert", "").json(t); len(got) != 0 {
		t.Errorf("an environment without nbconvert offers %v", got)
	}
}

func mkdir(t testing.TB, parts ...string) string {
	t.Helper()
	dir := filepath.Join(parts...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// answer is what came back, its body read.
type answer struct {
	*http.Response
	body string
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s: %v in %.200s", a.Request.URL, err, a.body)
	}
	return v
}

func (w *world) do(method, path, body string, header ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp, string(b)}
}

func (w *world) want(status int, method, path, body string) answer {
	w.t.Helper()
	a := w.do(method, path, body)
	if a.StatusCode != status {
		w.t.Errorf("%s %s = %d %.300s, want %d", method, path, a.StatusCode, a.body, status)
	}
	return a
}

func (w *world) file(path, content string) {
	w.t.Helper()
	full := filepath.Join(w.dir, path)
	mkdir(w.t, filepath.Dir(full))
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func TestModelsHaveAllTheirKeys(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("d/a.txt", "x")
	when := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	for _, path := range []string{"", "?content=0", "/d?1234567", "/d/a.txt", "/d/a.txt?content=0", "/d/a.txt?content=0&hash=1"} {
		m := w.want(200, "GET", "/api/contents"+path, "").json(t)
		for key := range strings.FieldsSeq("name path type writable created last_modified mimetype content format size hash hash_algorithm") {
			if _, ok := m[key]; !ok {
				t.Errorf("GET %s has no %s", path, key)
			}
		}
		if !when.MatchString(m["created"].(string)) || !when.MatchString(m["last_modified"].(string)) {
			t.Errorf("GET %s has times %v, %v", path, m["created"], m["last_modified"])
		}
	}
	if m := w.want(200, "GET", "/api/contents/d/a.txt?hash=1&content=0", "").json(t); m["hash_algorithm"] != "sha256" || m["content"] != nil || m["format"] != nil {
		t.Errorf("model = %v", m)
	}
	dir := w.want(200, "GET", "/api/contents/d", "").json(t)
	if dir["format"] != "json" || dir["size"] != nil || dir["content"].([]any)[0].(map[string]any)["path"] != "d/a.txt" {
		t.Errorf("directory = %v", dir)
	}
}

func TestStatusesAreJupyters(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("a.txt", "x")
	w.file("b.bin", "\xff")
	w.file("full/x", "x")
	w.file("bad.ipynb", "{")
	const text = `{"type":"file","format":"text","content":"x"}`
	for _, c := range []struct {
		status             int
		method, path, body string
		reason             string
	}{
		{200, "GET", "/api/contents/a.txt?type=strange", "", ""},
		{400, "GET", "/api/contents/a.txt?format=foo", "", ""},
		{400, "GET", "/api/contents/a.txt?content=2", "", ""},
		{400, "GET", "/api/contents/a.txt?hash=x", "", ""},
		{400, "GET", "/api/contents/a.txt?type=directory", "", "bad type"},
		{400, "GET", "/api/contents/full?type=file", "", "bad type"},
		{400, "GET", "/api/contents/b.bin?format=text", "", "bad format"},
		{400, "GET", "/api/contents/bad.ipynb", "", ""},
		{404, "GET", "/api/contents/none.txt", "", ""},
		{404, "GET", "/api/contents/.hidden", "", ""},
		{201, "PUT", "/api/contents/new.txt", text, ""},
		{200, "PUT", "/api/contents/new.txt", text, ""},
		{201, "PUT", "/api/contents/dir", `{"type":"directory"}`, ""},
		{400, "PUT", "/api/contents/a.txt", `{"copy_from":"b.bin"}`, ""},
		{400, "PUT", "/api/contents/a.txt", `{nope`, ""},
		{400, "PUT", "/api/contents/a.txt", `[]`, ""},
		{400, "PUT", "/api/contents/a.txt", `{"type":"file"}`, ""},
		{400, "PUT", "/api/contents/.a", text, ""},
		{400, "PUT", "/api/contents/x.ipynb", `{"type":"notebook","content":{"nbformat":4}}`, ""},
		{400, "PUT", "/api/contents/c.bin", `{"type":"file","format":"text","content":"x","chunk":0}`, ""},
		{404, "PUT", "/api/contents/none/x.txt", text, ""},
		{201, "POST", "/api/contents", `{"type":"notebook"}`, ""},
		{201, "POST", "/api/contents", ``, ""},
		{201, "POST", "/api/contents/full", `{"copy_from":"/a.txt"}`, ""},
		{400, "POST", "/api/contents/a.txt", ``, ""},
		{404, "POST", "/api/contents/none", ``, ""},
		{404, "POST", "/api/contents", `{"copy_from":"none"}`, ""},
		{400, "POST", "/api/contents", `{"copy_from":".ssh/id"}`, ""},
		{400, "PATCH", "/api/contents/a.txt", ``, ""},
		{200, "PATCH", "/api/contents/a.txt", `{}`, ""},
		{409, "PATCH", "/api/contents/a.txt", `{"path":"b.bin"}`, ""},
		{404, "PATCH", "/api/contents/none", `{"path":"c"}`, ""},
		{400, "PATCH", "/api/contents/a.txt", `{"path":".c"}`, ""},
		{200, "PATCH", "/api/contents/a.txt", `{"path":"/full/a2.txt"}`, ""},
		{201, "POST", "/api/contents/b.bin/checkpoints", ``, ""},
		{200, "GET", "/api/contents/b.bin/checkpoints", ``, ""},
		{204, "POST", "/api/contents/b.bin/checkpoints/checkpoint", ``, ""},
		{204, "DELETE", "/api/contents/b.bin/checkpoints/checkpoint", ``, ""},
		{404, "DELETE", "/api/contents/b.bin/checkpoints/checkpoint", ``, ""},
		{200, "GET", "/api/contents/none.txt/checkpoints", ``, ""},
		{404, "POST", "/api/contents/none.txt/checkpoints", ``, ""},
		{405, "PUT", "/api/contents/b.bin/checkpoints", `{}`, ""},
		{201, "POST", "/api/contents/Untitled.ipynb/trust", ``, ""},
		{404, "POST", "/api/contents/none.ipynb/trust", ``, ""},
		{204, "DELETE", "/api/contents/full", ``, ""},
		{404, "DELETE", "/api/contents/full", ``, ""},
		{400, "DELETE", "/api/contents/.x", ``, ""},
		{400, "DELETE", "/api/contents", ``, ""},
		{404, "GET", "/files/none", ``, ""},
		{404, "GET", "/files/.x", ``, ""},
		{400, "GET", "/files/dir", ``, "bad type"},
		{404, "GET", "/view/none", ``, ""},
		{404, "GET", "/nbconvert/nope/Untitled.ipynb", ``, ""},
		{404, "GET", "/nbconvert/html/none.ipynb", ``, ""},
		{200, "GET", "/nbconvert/html/Untitled.ipynb", ``, ""},
		{302, "GET", "/nbconvert/html/b.bin", ``, ""},
		{200, "POST", "/nbconvert/html", `{"name":"x.ipynb","content":{"nbformat":4,"cells":[]}}`, ""},
		{400, "POST", "/nbconvert/html", `{}`, ""},
		{200, "GET", "/api/nbconvert", ``, ""},
		{400, "GET", "/api/resolvePath", ``, ""},
		{204, "POST", "/api/security/csp-report", `{}`, ""},
		{413, "PATCH", "/api/config/tree", `{"a":"` + strings.Repeat("x", 4<<20) + `"}`, ""},
	} {
		a := w.want(c.status, c.method, c.path, c.body)
		if a.StatusCode < 400 {
			continue
		}
		m := a.json(t)
		if got, _ := m["reason"].(string); got != c.reason || m["message"] == "" {
			t.Errorf("%s %s = %v, want reason %q", c.method, c.path, m, c.reason)
		}
	}
}

func TestNamesSurviveTheURL(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, name := range []string{"a b.txt", "ü中.txt", "100%.txt", "a+b.txt", "c#d.txt", "q?r.txt", "%41.txt", "x&y=z;.txt", "😀.txt", "checkpoints", "trust", `q"'.txt`} {
		for _, dir := range []string{"", "d " + name} {
			if dir != "" {
				w.want(201, "PUT", "/api/contents/"+encode(dir), `{"type":"directory"}`)
				dir += "/"
			}
			url := strings.TrimPrefix(encode(strings.TrimSuffix(dir, "/"))+"/"+encode(name), "/")
			w.want(201, "PUT", "/api/contents/"+url, fmt.Sprintf(`{"type":"file","format":"text","content":%q}`, name))
			if m := w.want(200, "GET", "/api/contents/"+url, "").json(t); m["path"] != dir+name || m["name"] != name || m["content"] != name {
				t.Errorf("GET %s = %v", url, m)
			}
			if a := w.want(200, "GET", "/files/"+url, ""); a.body != name {
				t.Errorf("GET /files/%s = %q", url, a.body)
			}
			if _, err := os.Stat(filepath.Join(w.dir, dir+name)); err != nil {
				t.Error(err)
			}
			w.want(204, "DELETE", "/api/contents/"+url, "")
		}
	}
}

func TestNoEncodingLeadsOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	secret := filepath.Base(w.dir) + "-secret"
	if err := os.WriteFile(filepath.Join(filepath.Dir(w.dir), secret), []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, up := range []string{"..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "%252e%252e%252f", "x/..%2f..%2f", "%2f", "%c0%ae%c0%ae/", "%00/"} {
		for _, base := range []string{"/api/contents/", "/files/", "/view/", "/nbconvert/html/"} {
			for _, method := range []string{"GET", "DELETE", "PUT"} {
				a := w.do(method, base+up+secret, `{"type":"file","format":"text","content":"x"}`)
				if a.StatusCode < 400 && !strings.Contains(up, "%25") && up != "%2f" || strings.Contains(a.body, "SECRET") {
					t.Errorf("%s %s%s = %d %s", method, base, up, a.StatusCode, a.body)
				}
			}
		}
	}
	if b, err := os.ReadFile(filepath.Join(filepath.Dir(w.dir), secret)); err != nil || string(b) != "SECRET" {
		t.Errorf("the secret became %q, %v", b, err)
	}
}

// encode encodes all that a browser's encodeURIComponent encodes.
func encode(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func TestUserBytesAreConfined(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("evil.html", "<script>fetch('/api/v1/me')</script>")
	w.file("evil.svg", "<svg/>")
	w.file("n.ipynb", `{"nbformat":4,"cells":[]}`)
	w.file("noext", "text")
	w.file("data", "\x00\x01")
	w.file("x.csv.gz", "\x1f\x8b")
	for path, want := range map[string]string{
		"/files/evil.html": "text/html; charset=UTF-8", "/files/evil.svg": "image/svg+xml", "/files/n.ipynb": "application/x-ipynb+json",
		"/files/noext": "text/plain; charset=UTF-8", "/files/data": "application/octet-stream", "/files/x.csv.gz": "application/gzip",
		"/nbconvert/html/n.ipynb": "text/html; charset=utf-8",
	} {
		a := w.want(200, "GET", path, "")
		csp := a.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "sandbox allow-scripts") || strings.Contains(csp, "allow-same-origin") {
			t.Errorf("GET %s has CSP %q", path, csp)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Content-Type") != want {
			t.Errorf("GET %s has %v, want type %s", path, a.Header, want)
		}
	}
	view := w.want(200, "GET", "/view/evil.html", "")
	if !strings.Contains(view.body, `src="/p/demo/jupyter/files/evil.html"`) || strings.Contains(view.body, "fetch") {
		t.Errorf("view = %s", view.body)
	}
}

func TestNoPageOfOursRunsAFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("evil.js", "fetch('/api/v1/me')")
	for dest, want := range map[string]int{"script": 403, "serviceworker": 403, "worker": 403, "image": 200, "document": 200, "iframe": 200, "empty": 200} {
		if a := w.do("GET", "/files/evil.js", "", "Sec-Fetch-Dest", dest); a.StatusCode != want || want == 403 && strings.Contains(a.body, "fetch") {
			t.Errorf("as %s = %d %s, want %d", dest, a.StatusCode, a.body, want)
		}
	}
}

func TestFilesAnswerRangesConditionsAndDownloads(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("é a.txt", "0123456789")
	url := "/files/" + encode("é a.txt")
	a := w.do("GET", url, "", "Range", "bytes=2-4")
	if a.StatusCode != 206 || a.body != "234" {
		t.Errorf("range = %d %q", a.StatusCode, a.body)
	}
	if b := w.do("GET", url, "", "If-None-Match", a.Header.Get("ETag")); b.StatusCode != 304 {
		t.Errorf("condition = %d", b.StatusCode)
	}
	b := w.do("GET", url+"?download=1", "")
	if got := b.Header.Get("Content-Disposition"); got != "attachment; filename*=utf-8''%C3%A9%20a.txt" {
		t.Errorf("Content-Disposition = %q", got)
	}
}

func TestLocationsAndRedirectsPointBelowTheProject(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.want(201, "PUT", "/api/contents/"+encode("a b#.txt"), `{"type":"file","format":"text","content":"x"}`)
	if got := a.Header.Get("Location"); got != "/p/demo/jupyter/api/contents/a%20b%23.txt" {
		t.Errorf("Location = %q", got)
	}
	a = w.want(302, "GET", "/api/notebooks/a%20b.ipynb?x=1", "")
	if got := a.Header.Get("Location"); got != "/p/demo/jupyter/api/contents/a%20b.ipynb?x=1" {
		t.Errorf("redirect = %q", got)
	}
	w.want(307, "PUT", "/api/notebooks/x", "{}")
}

func TestAFolderMayBeCalledCheckpoints(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("model/checkpoints/step1.bin", "x")
	a := w.want(200, "GET", "/api/contents/model/checkpoints", "").json(t)
	if a["type"] != "directory" {
		t.Errorf("model = %v", a)
	}
	if a := w.want(200, "GET", "/api/contents/model/checkpoints/step1.bin", "").json(t); a["type"] != "file" {
		t.Errorf("model = %v", a)
	}
}

func TestConfigSectionsMerge(t *testing.T) {
	t.Parallel()
	w := setup(t)
	const path = "/api/config/notebook"
	if a := w.want(200, "GET", path, ""); strings.TrimSpace(a.body) != "{}" {
		t.Errorf("a new section = %s", a.body)
	}
	w.want(204, "PUT", path, `{"a":{"b":1,"c":2},"d":3}`)
	if a := w.want(200, "PATCH", path, `{"a":{"b":null,"x":{"y":null}},"d":null,"e":[1]}`); strings.TrimSpace(a.body) != `{"a":{"c":2},"e":[1]}` {
		t.Errorf("merged = %s", a.body)
	}
	w.want(404, "GET", "/api/config/a-b", "")
	w.want(404, "GET", "/api/config/..%2fx", "")
	w.want(400, "PUT", path, `[1]`)
	w.want(400, "PATCH", path, ``)
	w.user = "bob"
	if a := w.want(200, "GET", path, ""); strings.TrimSpace(a.body) != "{}" {
		t.Errorf("another user's section = %s", a.body)
	}
}

func TestWhatIsDoneIsHeard(t *testing.T) {
	t.Parallel()
	w := setup(t)
	sub := w.bus.Subscribe("demo")
	w.want(201, "PUT", "/api/contents/a.txt", `{"type":"file","format":"text","content":"x"}`)
	w.want(200, "GET", "/api/contents/a.txt", "")
	w.want(200, "PATCH", "/api/contents/a.txt", `{"path":"b.txt"}`)
	w.want(201, "POST", "/api/contents", `{"copy_from":"b.txt"}`)
	w.want(204, "DELETE", "/api/contents/b.txt", "")
	for _, want := range []string{`save a.txt `, `get a.txt `, `rename b.txt a.txt`, `copy b-Copy1.txt b.txt`, `delete b.txt `} {
		frame, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Action, Path, Source_path, Schema_id string // the names of the wire
		}
		if err := json.Unmarshal(frame, &e); err != nil || e.Action+" "+e.Path+" "+e.Source_path != want || e.Schema_id != events.ContentsService {
			t.Errorf("heard %s, want %s", frame, want)
		}
	}
}

func TestATwoHundredMegabyteUploadIsStreamed(t *testing.T) {
	if testing.Short() {
		t.Skip("large")
	}
	w := setup(t)
	const blockSize, blocks = 3 << 18, 267 // a multiple of three bytes has no padding
	const size = blockSize * blocks
	block := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 2, 3}, blockSize/3))
	r, out := io.Pipe()
	go func() {
		_, err := io.WriteString(out, `{"type":"file","format":"base64","content":"`)
		for range blocks {
			if err == nil {
				_, err = io.WriteString(out, block)
			}
		}
		_, _ = io.WriteString(out, `"}`)
		_ = out.CloseWithError(err)
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.url+"/api/contents/big.bin", r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	info, err := os.Stat(filepath.Join(w.dir, "big.bin"))
	if resp.StatusCode != http.StatusCreated || err != nil || info.Size() != size {
		t.Errorf("PUT = %d, file %v, %v", resp.StatusCode, info, err)
	}
	a, err := w.client.Get(w.url + "/files/big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if n, err := io.Copy(io.Discard, a.Body); n != size || err != nil {
		t.Errorf("GET gave %d bytes, %v", n, err)
	}
}

// BenchmarkNotebook measures what the comparison with jupyter_server measures: a notebook of ten megabytes, through HTTP.
func BenchmarkNotebook(b *testing.B) {
	w := setup(b)
	var cells []any
	for i := range 1000 {
		cells = append(cells, map[string]any{
			"cell_type": "code", "id": fmt.Sprint("c", i), "metadata": map[string]any{}, "execution_count": i, "source": "print(1)",
			"outputs": []any{map[string]any{"output_type": "stream", "name": "stdout", "text": strings.Repeat("0123456789abcdef", 625)}},
		})
	}
	nb := map[string]any{"cells": cells, "metadata": map[string]any{}, "nbformat": 4, "nbformat_minor": 5}
	body, err := json.Marshal(map[string]any{"type": "notebook", "format": "json", "content": nb})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("put", func(b *testing.B) {
		for b.Loop() {
			if a := w.do("PUT", "/api/contents/big.ipynb", string(body)); a.StatusCode/100 != 2 {
				b.Fatal(a.StatusCode, a.body)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if a := w.do("GET", "/api/contents/big.ipynb?type=notebook&content=1&hash=1", ""); a.StatusCode != 200 || len(a.body) < 10_000_000 {
				b.Fatal(a.StatusCode, len(a.body))
			}
		}
	})
	b.Run("meta", func(b *testing.B) {
		for b.Loop() {
			w.do("GET", "/api/contents/big.ipynb?content=0&hash=1", "")
		}
	})
}
