package build_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// solveAt solves with a channel that a server has.
func (r *rig) solveAt(server *testchannel.Server, packages ...string) *lock.Lock {
	r.t.Helper()
	s, err := spec.Parse([]byte(specOf(packages...)))
	if err != nil {
		r.t.Fatal(err)
	}
	l, err := r.drv.Solve(r.t.Context(), driver.Request{Spec: s, Channels: []string{server.Channel()}}, func(driver.Event) {})
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func TestEvilDownloadsAreRefused(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	r := setup(t)
	for _, name := range []string{"symlink-outside", "paths-traversal", "entry-traversal", "tar-traversal", "wrong-hash"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := (&rig{t: t, store: r.store, tools: r.tools, drv: r.drv}).fresh()
			id := r.order(r.solveAt(server, name), private(t))
			err := build.Run(t.Context(), build.Config{Store: r.store, ID: id})
			if f := driver.FailureOf(err); err == nil || f.Cause != driver.PackageBroken && f.Cause != driver.HashMismatch || f.Package != name {
				t.Errorf("build = %v, want that the package is refused", err)
			}
			leftNothing(t, r.store)
		})
	}
}

func TestBuilderGoesOnWithTheDownloadsOfOneThatWasKilled(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	r := setup(t).fresh()
	l := r.solveAt(server, "clobber-one")
	server.Slow(50)
	id := r.order(l, private(t))
	cmd := startBuilder(t, r.store, id)
	waitFor(t, r.store, id, `"package":"clobber-one"`)
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	server.Slow(0)
	if _, err := r.store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(server.Requests())
	r.build(l, private(t))
	wentOn := 0
	for _, asked := range server.Requests()[before:] {
		if strings.HasSuffix(asked.Path, ".conda") && asked.Range != "" {
			wentOn++
		}
	}
	if wentOn == 0 {
		t.Error("the download began again")
	}
	if damage, err := r.store.Scrub(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("the cache that a killed builder used: %v, %v", damage, err)
	}
}
