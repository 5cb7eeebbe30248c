package wheels

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/filelock"
	"github.com/hopyard/hopyard/internal/problem"
)

// Phase is how far one wheel has come.
type Phase string

// The phases of a wheel. A cached wheel has only the last one.
const (
	Downloading Phase = "downloading"
	Ready       Phase = "ready" // verified and in the cache
)

// Progress tells that a wheel reached a phase.
type Progress struct {
	Wheel Wheel
	Phase Phase
	// Cached says that a Ready wheel was there before.
	Cached bool
}

// Fetcher fetches pinned wheels into a cache that all data directories and processes of a user share. It is safe for
// concurrent use.
type Fetcher struct {
	// Python runs pip: a path or a name on PATH; empty means python3.
	Python string
	// For is the version of Python, "3.13", that the wheels are for; empty means that of Python.
	For string
	// Cache is the folder of verified wheels; empty means DefaultCache.
	Cache string
	// Offline makes a missing wheel a problem instead of a download.
	Offline bool
	// Progress, when set, hears of each wheel. Calls of one Fetch come one after another.
	Progress func(Progress)
}

// DefaultCache is ${XDG_CACHE_HOME:-~/.cache}/hopyard/wheels.
func DefaultCache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", problem.New(problem.Unavailable, "there is no folder for downloads: set HOME or XDG_CACHE_HOME (%w)", err)
	}
	return filepath.Join(dir, "hopyard", "wheels"), nil
}

// Fetch returns the paths of the pinned wheels, in the order of pins, downloading those that the cache lacks. Each file
// has the pinned hash. The folder of all paths is the cache, fit for pip's --find-links. Processes that want the same
// wheels wait for one another instead of downloading twice.
//
// Errors for people are problem.Unavailable: offline with wheels missing, no pip, or pip's own last words.
func (f *Fetcher) Fetch(ctx context.Context, pins []Wheel) ([]string, error) {
	for _, w := range pins {
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("pinned wheel: %w", err)
		}
	}
	cache, err := f.cache()
	if err != nil {
		return nil, err
	}
	if missing, err := f.missing(ctx, cache, pins, true); err != nil {
		return nil, err
	} else if len(missing) > 0 {
		if err := f.fill(ctx, cache, missing); err != nil {
			return nil, err
		}
	}
	paths := make([]string, len(pins))
	for i, w := range pins {
		paths[i] = filepath.Join(cache, w.Filename)
	}
	return paths, nil
}

func (f *Fetcher) cache() (string, error) {
	if f.Cache != "" {
		return filepath.Abs(f.Cache)
	}
	return DefaultCache()
}

// missing gives the wheels that the cache lacks or holds with a wrong content. It tells of those present if asked to.
func (f *Fetcher) missing(ctx context.Context, cache string, pins []Wheel, tell bool) ([]Wheel, error) {
	var missing []Wheel
	for _, w := range pins {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		err := verify(filepath.Join(cache, w.Filename), w.SHA256)
		switch {
		case err == nil:
			if tell {
				f.tell(Progress{Wheel: w, Phase: Ready, Cached: true})
			}
		case errors.Is(err, os.ErrNotExist), errors.Is(err, errWrongHash):
			missing = append(missing, w)
		default:
			return nil, fmt.Errorf("look for %s in the cache: %w", w.Filename, err)
		}
	}
	return missing, nil
}

// fill downloads what is missing, alone among all processes that share the cache.
func (f *Fetcher) fill(ctx context.Context, cache string, missing []Wheel) error {
	if f.Offline {
		return offline(cache, missing)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("make the cache of wheels: %w", err)
	}
	lock, err := filelock.Wait(ctx, filepath.Join(cache, ".lock"))
	if err != nil {
		return fmt.Errorf("wait for the cache of wheels: %w", err)
	}
	defer lock.Close()
	// Somebody else may have fetched them while we waited.
	if missing, err = f.missing(ctx, cache, missing, true); err != nil || len(missing) == 0 {
		return err
	}
	sweep(cache)
	tmp, err := os.MkdirTemp(cache, tmpPrefix)
	if err != nil {
		return fmt.Errorf("make room for downloads: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := f.download(ctx, tmp, missing); err != nil {
		return err
	}
	for _, w := range missing {
		if err := admit(filepath.Join(tmp, w.Filename), filepath.Join(cache, w.Filename), w); err != nil {
			return err
		}
		f.tell(Progress{Wheel: w, Phase: Ready})
	}
	return nil
}

// tmpPrefix begins the names of folders that are still being filled.
const tmpPrefix = ".filling-"

// sweep removes what killed processes left half done. The caller holds the lock, so nobody is using it.
func sweep(parent string) {
	left, _ := filepath.Glob(filepath.Join(parent, tmpPrefix+"*"))
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
}

// download has pip put the pins into dir.
func (f *Fetcher) download(ctx context.Context, dir string, pins []Wheel) error {
	python := f.Python
	if python == "" {
		python = "python3"
	}
	reqs := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(reqs, requirements(pins), 0o600); err != nil {
		return fmt.Errorf("write pip's requirements: %w", err)
	}
	args := []string{
		"-m", "pip", "download",
		"--require-hashes", "--no-deps", "--only-binary", ":all:",
		"--disable-pip-version-check", "--no-input", "--progress-bar", "off",
		"--dest", dir, "--requirement", reqs,
	}
	if f.For != "" {
		args = append(args, "--python-version", f.For)
	}
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.WaitDelay = 5 * time.Second
	var words tail
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read pip: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return problem.New(problem.Unavailable, "Python cannot be started as %q; install Python 3.11 or newer, or name it in the configuration (%w)", python, err)
	}
	f.follow(out, pins)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return pipProblem(python, words.String(), err)
	}
	return nil
}

// follow turns pip's lines into progress. pip speaks of a wheel when it begins to download it: its URL or file name, then the
// size. A ".metadata" after the name is not the wheel yet.
func (f *Fetcher) follow(out io.Reader, pins []Wheel) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if verb != "Downloading" && verb != "Using" {
			continue
		}
		for _, w := range pins {
			if strings.Contains(rest, w.Filename+" ") {
				f.tell(Progress{Wheel: w, Phase: Downloading})
			}
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line too long to scan must not block pip
}

func (f *Fetcher) tell(p Progress) {
	if f.Progress != nil {
		f.Progress(p)
	}
}

// admit moves a download into the cache once its hash is the pinned one.
func admit(from, to string, w Wheel) error {
	switch err := verify(from, w.SHA256); {
	case errors.Is(err, os.ErrNotExist):
		return problem.New(problem.Unavailable, "pip brought another file for %s %s than %s; this machine's Python is not the one that the pin is for", w.Name, w.Version, w.Filename)
	case err != nil:
		return fmt.Errorf("verify %s: %w", w.Filename, err)
	}
	if err := os.Chmod(from, 0o644); err != nil {
		return fmt.Errorf("admit %s: %w", w.Filename, err)
	}
	return os.Rename(from, to)
}

var errWrongHash = errors.New("content is not the pinned one")

// verify reads the file and compares its hash.
func verify(path, want string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != want {
		return fmt.Errorf("%s: %w", filepath.Base(path), errWrongHash)
	}
	return nil
}

func offline(cache string, missing []Wheel) error {
	names := make([]string, len(missing))
	for i, w := range missing {
		names[i] = w.Filename
	}
	return problem.New(problem.Unavailable, "offline, and these wheels are not in %s: %s; put them there or start once without --offline", cache, strings.Join(names, ", "))
}

func pipProblem(python, words string, err error) error {
	if strings.Contains(words, "No module named pip") {
		return problem.New(problem.Unavailable, "%s has no pip; on Debian: apt install python3-pip python3-venv", python)
	}
	return problem.New(problem.Unavailable, "pip could not download the pinned wheels: %s (%w)", strings.TrimSpace(words), err)
}

// tail keeps the last words of a program.
type tail struct{ buf []byte }

const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf) }
