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
	files map[string]string
	lock  *lock.Lock
}

func open(t *testing.T) *site {
	t.Helper()
	s := &site{files: map[string]string{
		"/main/noarch/six-1.17.0-py_0.conda": "a conda package", "/i/idna-3.20-py3-none-any.whl": "a wheel",
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := s.files[r.URL.Path]
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
	b := bundle.Bundle{About: bundle.About{Environment: "base", Build: 3}, Content: s.lock, Spec: "dependencies: [six]\n"}
	err := bundle.Write(t.Context(), &out, b, bundle.Means{Dir: t.TempDir(), Fetcher: &wheels.Fetcher{Cache: t.TempDir()}, Tell: func(string) {}})
	return out.Bytes(), err
}

// unpacker is a driver that notes what it is to unpack.
type unpacker struct {
	driver.Driver
	got   []string
	cache string
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

func load(t *testing.T, text []byte, u *unpacker) (bundle.Bundle, bundle.Caches, error) {
	t.Helper()
	dir := t.TempDir()
	c := bundle.Caches{
		Dir: filepath.Join(dir, "scratch"), Packages: filepath.Join(dir, "pkgs"), Wheels: filepath.Join(dir, "wheels"),
		Fetcher: &wheels.Fetcher{Cache: filepath.Join(dir, "cache")}, Tell: func(string) {},
		Installer: func(context.Context) (driver.Driver, error) { return u, nil },
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
	if err != nil || b.Environment != "base" || b.Build != 3 || b.Content.ID() != s.lock.ID() || b.Spec != "dependencies: [six]\n" {
		t.Fatalf("Load() = %+v, %v", b.About, err)
	}
	if !slices.Equal(u.got, []string{"six: a conda package"}) || u.cache != c.Packages {
		t.Errorf("unpacked %v into %s", u.got, u.cache)
	}
	wheel, err := os.ReadFile(filepath.Join(c.Wheels, sum("a wheel"), "idna-3.20-py3-none-any.whl"))
	if err != nil || string(wheel) != "a wheel" {
		t.Errorf("the wheel is %q, %v", wheel, err)
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
		"nothing": nil, "no tar": []byte("hello"), "half": good[:len(good)/2],
		"leaves its folder": edited(t, good, "channel/noarch/six-1.17.0-py_0.conda", "../../evil", "x"),
		"another name":      edited(t, good, "environment.yml", "etc/passwd", "x"),
		"other package":     edited(t, good, "channel/noarch/six-1.17.0-py_0.conda", "", "another package"),
		"other wheel":       edited(t, good, "wheels/"+sum("a wheel")+"/idna-3.20-py3-none-any.whl", "", "another wheel"),
		"other lock":        edited(t, good, "lock.json", "", `{"version":1}`),
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

// FuzzLoad reads what is no bundle. It must end with a sentence and write nothing outside of its folder.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		c := bundle.Caches{Dir: filepath.Join(dir, "in"), Fetcher: &wheels.Fetcher{Cache: filepath.Join(dir, "in", "cache")}, Tell: func(string) {}}
		if err := os.Mkdir(c.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.Load(t.Context(), bytes.NewReader(text), c); err == nil {
			t.Skip("a bundle indeed")
		}
		if outside, _ := filepath.Glob(filepath.Join(dir, "*")); len(outside) != 1 {
			t.Errorf("it wrote %v", outside)
		}
	})
}
