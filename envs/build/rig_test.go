package build_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// real is what tests with real packages share: compiling a Python once is enough.
var real struct {
	once  sync.Once
	dir   string
	store *store.Store
	tools tools.Tools
	drv   driver.Driver
	err   error

	mu    sync.Mutex // guards locks
	locks map[string]*lock.Lock
}

func TestMain(m *testing.M) {
	if os.Getenv(envStore) != "" {
		os.Exit(builder())
	}
	code := m.Run()
	if real.drv != nil {
		real.drv.Close()
	}
	if real.dir != "" {
		removeAll(real.dir)
	}
	os.Exit(code)
}

// removeAll removes folders that were sealed as well.
func removeAll(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	os.RemoveAll(dir)
}

// rig is one store with the tools to build into it.
type rig struct {
	t     testing.TB
	store *store.Store
	tools tools.Tools
	drv   driver.Driver
	chans []string
}

// setup gives the rig with the store that the tests of this package share.
func setup(t testing.TB) *rig {
	t.Helper()
	channel := testchannel.Dir(t)
	real.once.Do(func() { real.err = prepare() })
	if real.err != nil {
		t.Fatal(real.err)
	}
	return &rig{t: t, store: real.store, tools: real.tools, drv: real.drv, chans: []string{"file://" + channel}}
}

func prepare() (err error) {
	if real.tools, err = findTools(context.Background()); err != nil {
		return err
	}
	if real.dir, err = os.MkdirTemp("", "hb"); err != nil { // short: see store.MaxRoot
		return err
	}
	real.locks = map[string]*lock.Lock{}
	real.drv = conda.New(conda.Config{Tools: real.tools, CacheDir: filepath.Join(real.dir, "solver")})
	real.store, err = store.Open(filepath.Join(real.dir, "s"))
	return err
}

func findTools(ctx context.Context) (tools.Tools, error) {
	dir := os.Getenv("HOPYARD_TEST_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return tools.Tools{}, err
		}
		dir = filepath.Join(cache, "hopyard", "test", "tools")
	}
	return tools.Build(ctx, tools.Config{Dir: dir})
}

// fresh gives a rig with a store of its own.
func (r *rig) fresh() *rig {
	r.t.Helper()
	other := *r
	other.store = newStore(r.t)
	return &other
}

func newStore(t testing.TB) *store.Store {
	t.Helper()
	dir, err := os.MkdirTemp("", "hb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(dir) })
	s, err := store.Open(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// solve solves an environment.yml.
func (r *rig) solve(text string) *lock.Lock {
	r.t.Helper()
	real.mu.Lock()
	defer real.mu.Unlock()
	if l, ok := real.locks[text]; ok {
		return l
	}
	s, err := spec.Parse([]byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	l, err := r.drv.Solve(r.t.Context(), driver.Request{Spec: s, Channels: r.chans}, func(driver.Event) {})
	if err != nil {
		r.t.Fatal(err)
	}
	real.locks[text] = l
	return l
}

// specOf is an environment.yml of conda packages.
func specOf(packages ...string) string {
	return "dependencies:\n  - " + strings.Join(packages, "\n  - ") + "\n"
}

// private are options that nobody else has, so that the prefix is this test's alone.
func private(t testing.TB) store.Options {
	return store.Options{Variables: map[string]string{"TEST": t.Name()}}
}

// order orders a build and gives its id.
func (r *rig) order(l *lock.Lock, o store.Options, change ...func(*store.Order)) string {
	r.t.Helper()
	order := store.Order{Lock: l, Options: o, Tools: store.Tools(r.tools)}
	for _, c := range change {
		c(&order)
	}
	id := store.ID(l, o)
	if err := r.store.Order(r.t.Context(), id, order); err != nil {
		r.t.Fatal(err)
	}
	return id
}

// build builds and gives the manifest.
func (r *rig) build(l *lock.Lock, o store.Options, change ...func(*store.Order)) *store.Manifest {
	r.t.Helper()
	id := r.order(l, o, change...)
	if err := build.Run(r.t.Context(), build.Config{Store: r.store, ID: id}); err != nil {
		r.t.Fatalf("build: %v\n%s", err, r.log(id))
	}
	m, ok := r.store.Find(id)
	if !ok {
		r.t.Fatalf("no manifest after a build that went well")
	}
	return m
}

func (r *rig) log(id string) string {
	b, _ := os.ReadFile(r.store.Events(id))
	return string(b)
}

// events reads what the builder of id told.
func events(t testing.TB, s *store.Store, id string) []driver.Event {
	t.Helper()
	b, err := os.ReadFile(s.Events(id))
	if err != nil {
		t.Fatal(err)
	}
	var all []driver.Event
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e driver.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("event %q: %v", lines.Text(), err)
		}
		all = append(all, e)
	}
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has the number %d", i+1, e.Seq)
		}
	}
	return all
}

// python runs a program on a prefix as a kernel would, with the variables of its activation, and gives its output.
func python(t testing.TB, m *store.Manifest, args ...string) string {
	t.Helper()
	cmd := activated(t, m, append([]string{m.Python}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// kernel is what most environments of the tests hold.
var kernel = []string{"python 3.11.*", "ipykernel", "numpy", "pip"}
