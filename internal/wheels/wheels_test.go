package wheels_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/testscript"
	"github.com/hopyard/hopyard/internal/wheels"
)

// world is a machine with a pip of its own: a script that "downloads" from a folder and writes down each call.
type world struct {
	t                     *testing.T
	python, store, counts string
	cache                 string
}

const pip = `#!/bin/sh
# python -m pip download … --dest DIR --requirement FILE
echo "$@" >> "$(dirname "$0")/calls"
while [ $# -gt 0 ]; do
  case "$1" in --dest) dest=$2;; --requirement) reqs=$2;; esac
  shift
done
for name in $(sed 's/==.*//' "$reqs"); do
  file="$(dirname "$0")/store/$name-1-py3-none-any.whl"
  [ -f "$file" ] || { echo "ERROR: No matching distribution found for $name" >&2; exit 1; }
  echo "  Downloading $(basename "$file") (1 kB)"
  cp "$file" "$dest/"
done
`

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, python: filepath.Join(dir, "python"), store: filepath.Join(dir, "store"), counts: filepath.Join(dir, "calls"), cache: filepath.Join(dir, "cache", "wheels")}
	testscript.Write(t, w.python, pip)
	if err := os.Mkdir(w.store, 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

// publish puts a wheel into the registry and returns its pin.
func (w *world) publish(name, text string) wheels.Wheel {
	w.t.Helper()
	file := name + "-1-py3-none-any.whl"
	if err := os.WriteFile(filepath.Join(w.store, file), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	return wheels.Wheel{Name: name, Version: "1", Filename: file, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text))}
}

func (w *world) fetcher() *wheels.Fetcher {
	return &wheels.Fetcher{Python: w.python, Cache: w.cache}
}

func (w *world) calls() int {
	text, _ := os.ReadFile(w.counts)
	return strings.Count(string(text), "\n")
}

func TestFetchDownloadsWhatTheCacheLacksAndTellsOfEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.publish("a", "content of a"), w.publish("b", "content of b")
	if _, err := w.fetcher().Fetch(t.Context(), []wheels.Wheel{a}); err != nil {
		t.Fatal(err)
	}
	var heard []string
	f := w.fetcher()
	f.Progress = func(p wheels.Progress) {
		line := p.Wheel.Name + " " + string(p.Phase)
		if p.Cached {
			line += " cached"
		}
		heard = append(heard, line)
	}
	paths, err := f.Fetch(t.Context(), []wheels.Wheel{b, a})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(w.cache, b.Filename), filepath.Join(w.cache, a.Filename)}
	if !slices.Equal(paths, want) {
		t.Errorf("paths = %v, want %v", paths, want)
	}
	if want := []string{"a ready cached", "b downloading", "b ready"}; !slices.Equal(heard, want) {
		t.Errorf("progress = %q, want %q", heard, want)
	}
	if w.calls() != 2 {
		t.Errorf("pip was called %d times, want 2", w.calls())
	}
}

func TestFetchTwiceAtOnceDownloadsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.publish("a", "content of a")
	var both sync.WaitGroup
	for range 4 {
		both.Go(func() {
			if _, err := w.fetcher().Fetch(t.Context(), []wheels.Wheel{a}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if w.calls() != 1 {
		t.Errorf("pip was called %d times, want 1", w.calls())
	}
}

func TestFetchRefusesAFileWithAnotherHash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.publish("a", "content of a")
	w.publish("a", "something else")
	if _, err := w.fetcher().Fetch(t.Context(), []wheels.Wheel{a}); err == nil {
		t.Fatal("Fetch took a file that is not the pinned one")
	}
	left, err := os.ReadDir(w.cache)
	if err != nil || len(left) != 1 || left[0].Name() != ".lock" {
		t.Errorf("cache holds %v, %v; want the lock alone", left, err)
	}
}

func TestFetchReplacesADamagedCacheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.publish("a", "content of a")
	paths, err := w.fetcher().Fetch(t.Context(), []wheels.Wheel{a})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], []byte("cut sho"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.fetcher().Fetch(t.Context(), []wheels.Wheel{a}); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(paths[0]); string(text) != "content of a" {
		t.Errorf("the cache holds %q", text)
	}
}

func TestFetchExplainsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	missing := w.publish("missing", "never reached")
	if err := os.Remove(filepath.Join(w.store, missing.Filename)); err != nil {
		t.Fatal(err)
	}
	noPip := filepath.Join(t.TempDir(), "python")
	testscript.Write(t, noPip, "#!/bin/sh\necho \"$0: No module named pip\" >&2; exit 1\n")
	for name, c := range map[string]struct {
		change func(*wheels.Fetcher)
		says   string
	}{
		"offline":   {func(f *wheels.Fetcher) { f.Offline = true }, missing.Filename},
		"no python": {func(f *wheels.Fetcher) { f.Python = "/nowhere/python" }, "/nowhere/python"},
		"no pip":    {func(f *wheels.Fetcher) { f.Python = noPip }, "python3-pip"},
		"pip fails": {func(*wheels.Fetcher) {}, "No matching distribution"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &wheels.Fetcher{Python: w.python, Cache: t.TempDir()}
			c.change(f)
			_, err := f.Fetch(t.Context(), []wheels.Wheel{missing})
			if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Fetch = %v, want an unavailable problem that says %q", err, c.says)
			}
		})
	}
}

func TestFetchSweepsWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	left := filepath.Join(w.cache, ".filling-123")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := w.fetcher().Fetch(t.Context(), []wheels.Wheel{w.publish("a", "a")}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there", left)
	}
}

func TestParseReadsPins(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("0f", 32)
	got, err := wheels.Parse(strings.NewReader("# comment\n\na-b==1.2 --hash=sha256:" + sum + " # a_b-1.2-py3-none-any.whl 42\n"))
	want := wheels.Wheel{Name: "a-b", Version: "1.2", Filename: "a_b-1.2-py3-none-any.whl", SHA256: sum, Size: 42}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("Parse = %v, %v; want %v", got, err, want)
	}
	for _, line := range []string{
		"a==1", "a==1 --hash=sha256:00 # a.whl 1", "a>=1 --hash=sha256:" + sum + " # a.whl 1", "a==1 --hash=sha256:" + sum + " # ../a.whl 1",
		"a==1 --hash=sha256:" + sum + " # a.tar.gz 1", "-r==1 --hash=sha256:" + sum + " # a.whl 1", "a==1 --hash=sha256:" + sum + " # a.whl x",
		"a==1.* --hash=sha256:" + sum + " # a.whl 1",
	} {
		if got, err := wheels.Parse(strings.NewReader(line)); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", line, got)
		}
	}
}
