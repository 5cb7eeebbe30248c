package conda_test

import (
	"fmt"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// An installation over HTTP with nothing in the cache.
func BenchmarkColdInstall(b *testing.B) {
	server := testchannel.Serve(b)
	d := newDriver(b)
	l := solve(b, d, wants(b, server.Channel(), "python=3.11", "ipykernel", "numpy", "pip"))
	for b.Loop() {
		if err := d.Install(b.Context(), l, place(b.TempDir(), "one"), func(driver.Event) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// What bench compares with py-rattler alone: a solve whose channels have been read, and an installation whose packages are in
// the cache.
func BenchmarkWarmSolve(b *testing.B) {
	d := newDriver(b)
	req := wants(b, local(b), "python=3.11", "ipykernel", "numpy", "pip")
	solve(b, d, req)
	for b.Loop() {
		solve(b, d, req)
	}
}

func BenchmarkWarmInstall(b *testing.B) {
	d, dir := newDriver(b), b.TempDir()
	l := solve(b, d, wants(b, local(b), "python=3.11", "ipykernel", "numpy", "pip"))
	n := 0
	install := func() {
		n++
		if err := d.Install(b.Context(), l, place(dir, fmt.Sprint(n)), func(driver.Event) {}); err != nil {
			b.Fatal(err)
		}
	}
	install()
	for b.Loop() {
		install()
	}
}
