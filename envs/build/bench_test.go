package build_test

import (
	"strconv"
	"testing"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/store"
)

// BenchmarkWarmBuild is a change of one package where all others are in the caches, from the order to the manifest.
func BenchmarkWarmBuild(b *testing.B) {
	r := setup(b)
	l := r.solve(specOf(kernel...))
	r.build(l, private(b))
	n := 0
	for b.Loop() {
		n++
		id := r.order(l, store.Options{Variables: map[string]string{"N": strconv.Itoa(n)}})
		if err := build.Run(b.Context(), build.Config{Store: r.store, ID: id}); err != nil {
			b.Fatal(err)
		}
	}
}
