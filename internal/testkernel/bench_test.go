package testkernel_test

import (
	"fmt"
	"testing"

	"github.com/hopyard/hopyard/internal/testkernel"
	"github.com/hopyard/hopyard/kernels/wire"
)

// BenchmarkFlood is one message of a flood from another process, received and verified.
func BenchmarkFlood(b *testing.B) {
	path, err := testkernel.Build(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	k := connected(b, "ipc", path)
	k.execute(fmt.Sprintf("flood %d", b.N))
	k.waitFor("execute_input")
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		frames, err := k.open[wire.IOPub].Recv()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := k.signer.FromFrames(frames, wire.IOPub); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCell is a cell that answers at once, from its request to its idle and its reply.
func BenchmarkCell(b *testing.B) {
	path, err := testkernel.Build(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	k := connected(b, "ipc", path)
	for b.Loop() {
		if _, status := k.outputs("1"); status != "ok" {
			b.Fatal(status)
		}
	}
}
