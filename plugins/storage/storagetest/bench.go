package storagetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hopyard/hopyard/plugins/storage"
)

// Benchmark measures a backend with 10,000 records of 400 bytes, about what a stored session has.
func Benchmark(b *testing.B, setup func(tb testing.TB) World) {
	const records = 10_000
	value := bytes.Repeat([]byte("v"), 400)
	s := setup(b).open(b)
	s.fill("sessions/", records, value)

	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := s.Get(b.Context(), fmt.Sprintf("sessions/%06d", i*7919%records)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("List10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n := len(s.all(storage.Query{Prefix: "sessions/"})); n != records {
				b.Fatalf("List() has %d records, want %d", n, records)
			}
		}
	})
	b.Run("Apply", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s.apply(storage.Put(fmt.Sprintf("sessions/%06d", i%records), value))
		}
	})
	b.Run("ApplyParallel64", func(b *testing.B) {
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, err := s.Apply(b.Context(), storage.Put(fmt.Sprintf("sessions/%06d", i%records), value)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
