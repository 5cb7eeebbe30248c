package build_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/testscript"
)

const standby = "00112233445566aa"

// counted gives the rig tools whose interpreter notes each start of a helper, and says how often that was.
func (r *rig) counted() (starts func() int) {
	r.t.Helper()
	dir := r.t.TempDir()
	notes, python := filepath.Join(dir, "starts"), filepath.Join(dir, "python")
	testscript.Write(r.t, python, fmt.Sprintf("#!/bin/sh\necho start >> %q\nexec %q \"$@\"\n", notes, r.tools.Python))
	r.tools.Python = python
	return func() int {
		text, _ := os.ReadFile(notes)
		return strings.Count(string(text), "\n")
	}
}

// standby starts a builder ahead of its order, and returns when it waits.
func (r *rig) standby(ctx context.Context, life time.Duration, resembling ...*lock.Lock) <-chan error {
	r.t.Helper()
	o := store.Order{Tools: store.Tools(r.tools)}
	for _, l := range resembling {
		o.Lock = l
	}
	if err := r.store.PrepareStandby(standby, o); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- build.Standby(ctx, build.StandbyConfig{Store: r.store, Name: standby, Life: life}) }()
	return ended
}

// waits waits until something holds.
func waits(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// gone looks that a standby has left nothing.
func (r *rig) gone() {
	r.t.Helper()
	if left, _ := filepath.Glob(filepath.Join(r.store.Dir(), "work", "standby-*")); len(left) > 0 {
		r.t.Errorf("left %q", left)
	}
}

func TestStandbyBuildsWithTheHelperThatFits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*store.Order)
		starts int
	}{
		"its own where the order is as it was told ahead": {func(*store.Order) {}, 1},
		"another where the channels have moved":           {func(o *store.Order) { o.Alias = "https://elsewhere.example" }, 2},
		"another in another trust domain":                 {func(o *store.Order) { o.Options.Domain = "inside" }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t).fresh()
			starts := r.counted()
			order := store.Order{Lock: r.solve(specOf("symlink-inside")), Tools: store.Tools(r.tools)}
			c.change(&order)
			id := store.ID(order.Lock, order.Options)
			ended := r.standby(t.Context(), patience)
			waits(t, "its helper starts", func() bool { return starts() == 1 })
			if err := r.store.Order(t.Context(), id, order); err != nil {
				t.Fatal(err)
			}
			waits(t, "it takes the order", func() bool { return r.store.Assign(standby, id) == nil })
			if err := <-ended; err != nil {
				t.Fatalf("Standby() = %v\n%s", err, r.log(id))
			}
			if _, ok := r.store.Find(id); !ok {
				t.Error("nothing was built")
			}
			if n := starts(); n != c.starts {
				t.Errorf("%d helpers, want %d", n, c.starts)
			}
			r.gone()
		})
	}
}

func TestModulesThatWereStagedAheadBecomeThoseOfTheLock(t *testing.T) {
	t.Parallel()
	wanted := specOf("python=3.11", "traitlets=5.14.3", "wheel")
	for name, ahead := range map[string]string{
		"the same":         wanted,
		"one less":         specOf("python=3.11", "traitlets=5.14.3"),
		"one more":         specOf("python=3.11", "traitlets=5.14.3", "wheel", "urllib3"),
		"another version":  specOf("python=3.11", "traitlets=5.16.1", "wheel"),
		"nothing of it":    specOf("symlink-inside"),
		"never built here": specOf("python=3.11", "pip"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t).fresh()
			guess, l := r.solve(ahead), r.solve(wanted)
			if name != "never built here" {
				r.build(guess, private(t))
			}
			without := r.build(l, private(t))
			want := compiledIn(t, without)
			ended := r.standby(t.Context(), patience, guess)
			if name != "nothing of it" {
				waits(t, "modules are staged", func() bool {
					staged, _ := filepath.Glob(filepath.Join(r.store.Dir(), "work", "standby-"+standby, "pyc", "w*", "*"))
					return len(staged) > 0
				})
			}
			id := r.order(l, store.Options{Variables: map[string]string{"BY": "standby"}})
			waits(t, "it takes the order", func() bool { return r.store.Assign(standby, id) == nil })
			if err := <-ended; err != nil {
				t.Fatalf("Standby() = %v\n%s", err, r.log(id))
			}
			m, ok := r.store.Find(id)
			if !ok {
				t.Fatal("nothing was built")
			}
			got := compiledIn(t, m)
			if len(got) < 500 || !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
				t.Fatalf("%d modules are compiled, want the %d that there are without a standby", len(got), len(want))
			}
			for path := range want {
				own := strings.Contains(path, "_sysconfigdata_") // its source holds the prefix
				if os.SameFile(got[path], want[path]) == own {
					t.Errorf("%s is not what it is without a standby", path)
				}
			}
			if got, want := pathsIn(t, m), pathsIn(t, without); !slices.Equal(got, want) {
				t.Errorf("the prefix has %d files and folders, want the %d that there are without a standby", len(got), len(want))
			}
			r.gone()
		})
	}
}

// pathsIn gives all that is in a prefix, and what it is, sorted.
func pathsIn(t *testing.T, m *store.Manifest) (all []string) {
	t.Helper()
	err := filepath.WalkDir(m.Prefix, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		all = append(all, strings.TrimPrefix(path, m.Prefix)+" "+info.Mode().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// compiledIn gives the compiled modules of a prefix by their paths below it.
func compiledIn(t *testing.T, m *store.Manifest) map[string]os.FileInfo {
	t.Helper()
	found := map[string]os.FileInfo{}
	err := filepath.WalkDir(m.Prefix, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".pyc" {
			return err
		}
		info, err := d.Info()
		below, relErr := filepath.Rel(m.Prefix, path)
		found[below] = info
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestStandbyThatNobodyWantsEndsWell(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh()
	if err := <-r.standby(t.Context(), time.Millisecond); err != nil {
		t.Errorf("Standby() = %v, want it to end well", err)
	}
	r.gone()
}

func TestStandbyEndsWhenItIsStopped(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh()
	ctx, cancel := context.WithCancel(t.Context())
	ended := r.standby(ctx, patience)
	waits(t, "it waits", func() bool { return r.store.Waits(standby) })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Standby() = %v, want it canceled", err)
	}
	r.gone()
}

func TestStandbyWithoutAHelperSaysWhyInTheBuild(t *testing.T) {
	t.Parallel()
	r := setup(t).fresh()
	l := r.solve(specOf("symlink-inside"))
	r.tools.Python = filepath.Join(t.TempDir(), "none")
	ended := r.standby(t.Context(), patience)
	id := r.order(l, private(t))
	waits(t, "it takes the order", func() bool { return r.store.Assign(standby, id) == nil })
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "helper cannot be started") {
		t.Errorf("Standby() = %v, want why no helper starts", err)
	}
	r.gone()
}
