package uv_test

import (
	"archive/zip"
	"bytes"
	background "context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/uv"
)

// program is the real uv of the tool environment, which is built once per machine.
var program = sync.OnceValues(func() (string, error) {
	dir := os.Getenv("HOPYARD_TEST_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "hopyard", "test", "tools")
	}
	if found, ok := tools.Find(dir); ok {
		return found.UV, nil
	}
	built, err := tools.Build(background.Background(), tools.Config{Dir: dir})
	return built.UV, err
})

// here are the hosts of the servers of tests.
var here = []string{"127.0.0.1"}

// nobody is an index where nobody listens: a port which nobody is given who asks for any.
const nobody = "http://127.0.0.1:1/simple/"

// newTool is uv with a cache of its own.
func newTool(t *testing.T) *uv.Tool {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Skipf("no uv: %v", err)
	}
	return &uv.Tool{Path: path, Hosts: here, Cache: t.TempDir()}
}

// interpreter is a Python of this host.
func interpreter(t *testing.T) tools.Python {
	t.Helper()
	p, err := python()
	if err != nil {
		t.Skipf("no Python: %v", err)
	}
	return p
}

var python = sync.OnceValues(func() (tools.Python, error) { return tools.FindPython(background.Background(), "") })

// file is one file of a wheel. Mode 0 is a plain one.
type file struct {
	name, text string
	mode       fs.FileMode
}

// distribution is what a test puts on an index.
type distribution struct {
	name, version string
	tag           string // py3-none-any if empty
	requires      []string
	headers       string // further lines of METADATA
	uploaded      time.Time
	files         []file
	sdist         bool // instead of a wheel
	yanked        bool
}

func (d distribution) filename() string {
	stem := strings.ReplaceAll(d.name, "-", "_") + "-" + d.version
	switch {
	case d.sdist:
		return stem + ".tar.gz"
	case d.tag == "":
		return stem + "-py3-none-any.whl"
	}
	return stem + "-" + d.tag + ".whl"
}

func (d distribution) metadata() string {
	text := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s", d.name, d.version, d.headers)
	for _, r := range d.requires {
		text += "Requires-Dist: " + r + "\n"
	}
	return text + "\n"
}

// wheel packs the distribution.
func (d distribution) wheel(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	stem := strings.ReplaceAll(d.name, "-", "_")
	info := stem + "-" + d.version + ".dist-info/"
	files := append(slices.Clone(d.files),
		file{name: stem + ".py", text: "version = '" + d.version + "'\n"},
		file{name: info + "METADATA", text: d.metadata()},
		file{name: info + "WHEEL", text: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256([]byte(f.text))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.text))
	}
	files = append(files, file{name: info + "RECORD", text: record.String() + info + "RECORD,,\n"})
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		header.SetMode(f.mode | 0o644)
		w, err := archive.CreateHeader(header)
		if err == nil {
			_, err = w.Write([]byte(f.text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// locked is the wheel as a lock has it, at an address below base.
func locked(d distribution, content []byte, base string) lock.Wheel {
	sum := sha256.Sum256(content)
	return lock.Wheel{
		Name: d.name, Version: d.version, Filename: d.filename(), URL: base + "/files/" + d.filename(),
		SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)),
	}
}

// index is a package index with switches for bad days.
type index struct {
	*httptest.Server
	all      map[string][]distribution
	contents map[string][]byte

	mu       sync.Mutex
	requests []*http.Request
	before   func(http.ResponseWriter, *http.Request) bool // answers by itself and says so
	html     bool
}

func newIndex(t testing.TB, all ...distribution) *index {
	t.Helper()
	i := &index{all: map[string][]distribution{}, contents: map[string][]byte{}}
	for _, d := range all {
		i.all[d.name] = append(i.all[d.name], d)
		i.contents[d.filename()] = d.wheel(t)
	}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *index) simple() string { return i.URL + "/simple/" }

// wheel is what a lock would say of the distribution.
func (i *index) wheel(d distribution) lock.Wheel {
	return locked(d, i.contents[d.filename()], i.URL)
}

// answer has the function answer requests by itself where it says so.
func (i *index) answer(before func(http.ResponseWriter, *http.Request) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.before = before
}

// asHTML has pages in the old form.
func (i *index) asHTML(html bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.html = html
}

// seen are the requests whose path has the word.
func (i *index) seen(word string) []*http.Request {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(i.requests), func(r *http.Request) bool { return !strings.Contains(r.URL.Path, word) })
}

func (i *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.requests = append(i.requests, r.Clone(r.Context()))
	before := i.before
	i.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	dir, name := path.Split(strings.TrimSuffix(r.URL.Path, "/"))
	switch {
	case dir == "/files/" && strings.HasSuffix(name, ".metadata"):
		i.serveMetadata(w, r, strings.TrimSuffix(name, ".metadata"))
	case dir == "/files/" && i.contents[name] != nil:
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(i.contents[name]))
	case dir == "/simple/" && i.all[name] != nil:
		i.page(w, name)
	default:
		http.NotFound(w, r)
	}
}

func (i *index) serveMetadata(w http.ResponseWriter, r *http.Request, filename string) {
	for _, ds := range i.all {
		for _, d := range ds {
			if d.filename() == filename && d.tag == "" {
				_, _ = w.Write([]byte(d.metadata()))
				return
			}
		}
	}
	http.NotFound(w, r)
}

func (i *index) page(w http.ResponseWriter, name string) {
	var files []map[string]any
	var html strings.Builder
	for _, d := range i.all[name] {
		f := locked(d, i.contents[d.filename()], i.URL)
		entry := map[string]any{"filename": f.Filename, "url": "../../files/" + f.Filename, "hashes": map[string]string{"sha256": f.SHA256}, "size": f.Size, "yanked": d.yanked}
		if !d.uploaded.IsZero() {
			entry["upload-time"] = d.uploaded.UTC().Format(time.RFC3339)
		}
		if d.tag == "" && !d.sdist {
			entry["core-metadata"] = true
		}
		files = append(files, entry)
		yanked := map[bool]string{true: ` data-yanked="bad"`}[d.yanked]
		fmt.Fprintf(&html, "<a%s href=\"../../files/%s#sha256=%s\">file</a>\n", yanked, f.Filename, f.SHA256)
	}
	i.mu.Lock()
	asHTML := i.html
	i.mu.Unlock()
	if asHTML {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body>" + html.String() + "</body></html>"))
		return
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": name, "files": files})
}

// failure is err as a failure, which it must be, of the cause.
func failure(t *testing.T, err error, cause driver.Cause) *driver.Failure {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", cause)
	}
	f := driver.FailureOf(err)
	if f.Cause != cause {
		t.Fatalf("cause = %s (%s; tree %q; %v), want %s", f.Cause, f.Message, f.Tree, f.Err, cause)
	}
	return f
}

// has fails the test unless the text has the words.
func has(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}

// authFile is a file of credentials.
func authFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var ports = regexp.MustCompile(`:\d+$`)

func hostOnly(server *httptest.Server) string {
	return ports.ReplaceAllString(strings.TrimPrefix(server.URL, "http://"), "")
}

// sink collects events.
type sink struct {
	mu     sync.Mutex
	events []driver.Event
}

func (s *sink) tell(e driver.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *sink) last() driver.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		return driver.Event{}
	}
	return s.events[len(s.events)-1]
}

func (s *sink) texts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, e := range s.events {
		all = append(all, e.Text)
	}
	return strings.Join(all, "\n")
}
