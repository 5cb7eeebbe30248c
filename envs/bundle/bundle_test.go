package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/bundle"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
)

// site is a channel and an index behind HTTP, and an environment of one package and one wheel from them.
type site struct {
	files    map[string]string
	lock     *lock.Lock
	password string // that it asks for; empty for none
	auth     string // file of credentials
	private  []string
	closed   []string
	cache    string // of wheels
}

// starter is a wheel of a first environment.
func starter() wheels.Wheel {
	return wheels.Wheel{Name: "first", Version: "1", Filename: "first-1-py3-none-any.whl", SHA256: sum("a first wheel")}
}

func open(t *testing.T) *site {
	t.Helper()
	s := &site{cache: t.TempDir(), files: map[string]string{
		"/main/noarch/six-1.17.0-py_0.conda": "a conda package", "/i/idna-3.20-py3-none-any.whl": "a wheel",
	}}
	if err := os.WriteFile(filepath.Join(s.cache, starter().Filename), []byte("a first wheel"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.Path
		_, password, _ := r.BasicAuth()
		below, token := strings.CutPrefix(at, "/t/"+s.password)
		if s.password != "" && token {
			at, password = below, s.password
		}
		text, ok := s.files[at]
		if password != s.password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	s.lock = &lock.Lock{
		Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64", Python: "3.11", Channels: []string{server.URL + "/main"},
		Packages: []lock.Package{{
			Name: "six", Version: "1.17.0", Build: "py_0", Subdir: "noarch", URL: server.URL + "/main/noarch/six-1.17.0-py_0.conda",
			SHA256: sum("a conda package"), Size: 15, Depends: []string{"python"},
		}},
		Wheels: []lock.Wheel{{
			Name: "idna", Version: "3.20", Filename: "idna-3.20-py3-none-any.whl", URL: server.URL + "/i/idna-3.20-py3-none-any.whl", SHA256: sum("a wheel"), Size: 7,
		}},
	}
	return s
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func (s *site) write(t *testing.T) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	b := bundle.Bundle{Environments: []bundle.Environment{{Name: "base", Build: 3, Content: s.lock, Spec: "dependencies: [six]\n", Private: s.private, Closed: s.closed}}}
	err := bundle.Write(t.Context(), &out, b, bundle.Means{
		Dir: t.TempDir(), Fetcher: &wheels.Fetcher{Cache: s.cache, Offline: true}, Starters: map[string][]wheels.Wheel{"3.13": {starter()}},
		AuthFile: s.auth, Tell: func(string) {},
	})
	return out.Bytes(), err
}

// unpacker is a driver that notes what it is to unpack.
type unpacker struct {
	driver.Driver
	got    []string
	cache  string
	domain string // of all locks, where it is not everybody's
	// domainOf is that of a lock, where it matters what is in it.
	domainOf func(*lock.Lock) string
}

func (u *unpacker) Install(_ context.Context, l *lock.Lock, at driver.Place, _ driver.Sink) error {
	for _, p := range l.Packages {
		text, err := os.ReadFile(strings.TrimPrefix(p.URL, "file://"))
		if err != nil {
			return err
		}
		u.got = append(u.got, p.Name+": "+string(text))
	}
	u.cache = at.Packages
	return nil
}

func (u *unpacker) Close() error { return nil }

func caches(dir string) bundle.Caches {
	below := func(name string) func(string) string {
		return func(domain string) string { return filepath.Join(dir, name, "d"+domain) }
	}
	return bundle.Caches{
		Dir: filepath.Join(dir, "scratch"), Packages: below("pkgs"), Wheels: below("wheels"), Domain: func(*lock.Lock) string { return "" },
		Fetcher: &wheels.Fetcher{Cache: filepath.Join(dir, "cache"), Offline: true}, Starters: map[string][]wheels.Wheel{"3.13": {starter()}}, Tell: func(string) {},
	}
}

func load(t *testing.T, text []byte, u *unpacker) (bundle.Bundle, bundle.Caches, error) {
	t.Helper()
	dir := t.TempDir()
	c := caches(dir)
	c.Installer = func(context.Context) (driver.Driver, error) { return u, nil }
	if u.domain != "" {
		c.Domain = func(*lock.Lock) string { return u.domain }
	}
	if u.domainOf != nil {
		c.Domain = u.domainOf
	}
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Load(t.Context(), bytes.NewReader(text), c)
	return b, c, err
}

func TestWhatIsBundledIsInTheCachesOfTheOtherHost(t *testing.T) {
	t.Parallel()
	s := open(t)
	text, err := s.write(t)
	if err != nil {
		t.Fatal(err)
	}
	u := &unpacker{}
	b, c, err := load(t, text, u)
	if err != nil || len(b.Environments) != 1 {
		t.Fatalf("Load() = %+v, %v", b, err)
	}
	if e := b.Environments[0]; e.Name != "base" || e.Build != 3 || e.Content.ID() != s.lock.ID() || e.Spec != "dependencies: [six]\n" {
		t.Errorf("Load() = %+v", e)
	}
	if !slices.Equal(u.got, []string{"six: a conda package"}) || u.cache != c.Packages("") {
		t.Errorf("unpacked %v into %s", u.got, u.cache)
	}
	wheel, err := os.ReadFile(filepath.Join(c.Wheels(""), sum("a wheel"), "idna-3.20-py3-none-any.whl"))
	if err != nil || string(wheel) != "a wheel" {
		t.Errorf("the wheel is %q, %v", wheel, err)
	}
	if _, err := c.Fetcher.Fetch(t.Context(), []wheels.Wheel{starter()}); err != nil {
		t.Errorf("the wheel of a first environment = %v", err)
	}
	again, err := s.write(t)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the same environment makes another bundle: %v", err)
	}
}

func TestChannelInABundleHasItsIndex(t *testing.T) {
	t.Parallel()
	text, err := open(t).write(t)
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Info     struct{ Subdir string }
		Packages map[string]struct {
			Name, SHA256 string
			Depends      []string
		} `json:"packages.conda"`
	}
	if err := json.Unmarshal(files(t, text)["channel/noarch/repodata.json"], &index); err != nil {
		t.Fatal(err)
	}
	if p := index.Packages["six-1.17.0-py_0.conda"]; index.Info.Subdir != "noarch" || p.Name != "six" || p.SHA256 != sum("a conda package") || len(p.Depends) != 1 {
		t.Errorf("index = %+v", index)
	}
}

func files(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for in := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArtifactsThatAreNotThoseOfTheLockMakeNoBundle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*site)
		cause  driver.Cause
	}{
		"changed":     {func(s *site) { s.files["/main/noarch/six-1.17.0-py_0.conda"] = "a candy package" }, driver.HashMismatch},
		"longer":      {func(s *site) { s.files["/main/noarch/six-1.17.0-py_0.conda"] += "!" }, driver.HashMismatch},
		"removed":     {func(s *site) { delete(s.files, "/main/noarch/six-1.17.0-py_0.conda") }, driver.PackageMissing},
		"wrong wheel": {func(s *site) { s.files["/i/idna-3.20-py3-none-any.whl"] = "a whale" }, driver.HashMismatch},
	} {
		s := open(t)
		c.change(s)
		if _, err := s.write(t); driver.FailureOf(err).Cause != c.cause {
			t.Errorf("%s: Write() = %v, want %s", name, err, c.cause)
		}
	}
}

func TestBundlesThatWereTamperedWithAreRefused(t *testing.T) {
	t.Parallel()
	good, err := open(t).write(t)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "no tar": []byte("hello"), "half": good[:len(good)/2], "no end": edited(t, good, "bundle.end", "cache/end", ""),
		"lacks a package":   edited(t, good, "channel/noarch/six-1.17.0-py_0.conda", "channel/noarch/repodata.json", "{}"),
		"has one twice":     edited(t, good, "channel/noarch/repodata.json", "channel/noarch/six-1.17.0-py_0.conda", "a conda package"),
		"name of a path":    edited(t, good, "bundle.json", "", strings.ReplaceAll(string(files(t, good)["bundle.json"]), `"base"`, `"../base"`)),
		"terminal":          edited(t, good, "bundle.json", "", strings.ReplaceAll(string(files(t, good)["bundle.json"]), `"build": 3`, `"build": 3, "private": ["\u001b]0;x\u0007"]`)),
		"leaves its folder": edited(t, good, "channel/noarch/six-1.17.0-py_0.conda", "../../evil", "x"),
		"another name":      edited(t, good, "environments/1/environment.yml", "etc/passwd", "x"),
		"other package":     edited(t, good, "channel/noarch/six-1.17.0-py_0.conda", "", "another package"),
		"other wheel":       edited(t, good, "wheels/"+sum("a wheel")+"/idna-3.20-py3-none-any.whl", "", "another wheel"),
		"other first wheel": edited(t, good, "cache/first-1-py3-none-any.whl", "", "another"),
		"other lock":        edited(t, good, "environments/1/lock.json", "", `{"version":1}`),
		"other layout":      edited(t, good, "bundle.json", "", `{"version":9}`),
	} {
		u := &unpacker{}
		if _, _, err := load(t, text, u); problem.CodeOf(err) != problem.Invalid && problem.CodeOf(err) != problem.Unsupported {
			t.Errorf("%s: Load() = %v, want a sentence", name, err)
		}
		if len(u.got) > 0 {
			t.Errorf("%s: %v was unpacked", name, u.got)
		}
	}
}

// edited gives a bundle with another content, and another name if there is one, for one file.
func edited(t *testing.T, text []byte, name, rename, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for in := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(in)
		if h.Name == name {
			body, h.Size = []byte(content), int64(len(content))
			if rename != "" {
				h.Name = rename
			}
		}
		if err := errors.Join(w.WriteHeader(h), second(w.Write(body))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func second(_ int, err error) error { return err }

func TestPasswordsFetchAndAreNotCarried(t *testing.T) {
	t.Parallel()
	for name, credential := range map[string]string{
		"password": `{"BasicHTTP": {"username": "u", "password": "s3cr3t"}}`,
		"token":    `{"CondaToken": "s3cr3t"}`,
	} {
		s := open(t)
		s.password = "s3cr3t"
		if name == "token" {
			s.lock.Wheels = nil // tokens are for channels alone
		}
		_, err := s.write(t)
		if f := driver.FailureOf(err); f.Cause != driver.AuthFailed || !strings.Contains(f.Message, "--credentials") {
			t.Errorf("%s: Write() without it = %v", name, err)
		}
		s.auth = filepath.Join(t.TempDir(), "auth.json")
		if err := os.WriteFile(s.auth, []byte(`{"127.0.0.1": `+credential+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := s.write(t)
		if err != nil || bytes.Contains(text, []byte(s.password)) {
			t.Errorf("%s: Write() = %v, carried: %v", name, err, bytes.Contains(text, []byte(s.password)))
		}
	}
}

func TestWhatIsPrivateStaysSo(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.private = []string{"hush"}
	text, err := s.write(t)
	if err != nil {
		t.Fatal(err)
	}
	u := &unpacker{}
	if _, c, err := load(t, text, u); problem.CodeOf(err) != problem.Conflict || !strings.Contains(err.Error(), "hush") || len(u.got) > 0 {
		t.Errorf("Load() where nobody knows the channel = %v, unpacked %v", err, u.got)
	} else if left, _ := filepath.Glob(filepath.Join(filepath.Dir(c.Dir), "*", "*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	u.domain = "quiet" // as it is called here
	_, c, err := load(t, text, u)
	if err != nil || u.cache != c.Packages("quiet") {
		t.Errorf("Load() = %v, into %s", err, u.cache)
	}
	if _, err := os.Stat(c.Wheels("")); err == nil {
		t.Error("there is a cache of wheels for everybody")
	}
}

// TestWhatIsPrivateStaysSoWhereAnotherChannelIs loads an environment of two channels where the one that is private is not known, and
// the other one is private.
func TestWhatIsPrivateStaysSoWhereAnotherChannelIs(t *testing.T) {
	t.Parallel()
	s := open(t)
	there := func(l *lock.Lock) string { return of(l, ".conda", "hush") }
	s.private, s.closed = []string{"hush"}, bundle.Closed(s.lock, there)
	text, err := s.write(t)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, want := range map[string]problem.Code{".conda": "", ".whl": problem.Conflict} {
		u := &unpacker{domainOf: func(l *lock.Lock) string { return of(l, suffix, "other") }}
		if _, _, err := load(t, text, u); (err != nil || want != "") && problem.CodeOf(err) != want {
			t.Errorf("Load() where %s are private = %v", suffix, err)
		}
	}
}

// of is a trust domain of the locks that have an artifact with an ending.
func of(l *lock.Lock, suffix, domain string) string {
	for _, p := range l.Packages {
		if strings.HasSuffix(p.URL, suffix) {
			return domain
		}
	}
	for _, w := range l.Wheels {
		if strings.HasSuffix(w.URL, suffix) {
			return domain
		}
	}
	return ""
}

func TestEmptyBundleBringsAGatewayUp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := bundle.Means{Dir: t.TempDir(), Fetcher: &wheels.Fetcher{Cache: open(t).cache, Offline: true}, Pins: []wheels.Wheel{starter()}, Tell: func(string) {}}
	if err := bundle.Write(t.Context(), &out, bundle.Bundle{}, m); err != nil {
		t.Fatal(err)
	}
	if _, c, err := load(t, out.Bytes(), &unpacker{}); err != nil {
		t.Errorf("Load() = %v", err)
	} else if _, err := c.Fetcher.Fetch(t.Context(), m.Pins); err != nil {
		t.Errorf("the wheel is not in the cache: %v", err)
	}
}

func TestFilesThatGrowWhenTheyAreReadAreRefused(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	h := &tar.Header{Typeflag: tar.TypeReg, Name: "bundle.json", Mode: 0o600, Size: 2, Format: tar.FormatPAX, PAXRecords: map[string]string{"HOPYARD.hole": "1"}}
	if err := errors.Join(w.WriteHeader(h), second(w.Write([]byte("{}"))), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(t, out.Bytes(), &unpacker{}); problem.CodeOf(err) != problem.Invalid || !strings.Contains(err.Error(), "plain file") {
		t.Errorf("Load() = %v", err)
	}
}

// FuzzLoad reads what is no bundle, or one with other bytes at some place. It must end with a sentence and write nothing outside of its
// folder; what it takes are the artifacts of the lock, unchanged.
func FuzzLoad(f *testing.F) {
	good := bare(f)
	f.Add([]byte("hello"), uint32(0), false)
	f.Add(good, uint32(0), false)
	for _, at := range []uint32{0, 100, 512, 1024, 1536, 2048} {
		f.Add([]byte("x"), at, true)
		f.Add([]byte("g\x00\x00\x00../../evil"), at, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint32, into bool) {
		if into { // other bytes in a good one
			whole := bytes.Clone(good)
			copy(whole[int(at)%len(whole):], text)
			text = whole
		}
		dir := t.TempDir()
		c := caches(filepath.Join(dir, "in"))
		if err := os.MkdirAll(c.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := bundle.Load(t.Context(), bytes.NewReader(text), c)
		if err != nil && problem.CodeOf(err) == problem.Internal {
			t.Errorf("Load() = %v, want a sentence", err)
		}
		if outside, _ := filepath.Glob(filepath.Join(dir, "*")); len(outside) != 1 {
			t.Errorf("it wrote %v", outside)
		}
		if kept, err := os.ReadFile(filepath.Join(dir, "in", "cache", starter().Filename)); err == nil && string(kept) != "a first wheel" {
			t.Errorf("it took %q", kept)
		}
	})
}

// bare is a bundle without environments.
func bare(f *testing.F) []byte {
	f.Helper()
	cache := f.TempDir()
	if err := os.WriteFile(filepath.Join(cache, starter().Filename), []byte("a first wheel"), 0o600); err != nil {
		f.Fatal(err)
	}
	var out bytes.Buffer
	m := bundle.Means{Dir: f.TempDir(), Fetcher: &wheels.Fetcher{Cache: cache, Offline: true}, Pins: []wheels.Wheel{starter()}, Tell: func(string) {}}
	if err := bundle.Write(f.Context(), &out, bundle.Bundle{}, m); err != nil {
		f.Fatal(err)
	}
	return out.Bytes()
}
