package memory_test

import (
	"testing"

	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/queue/queuetest"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/plugins/storage/storagetest"
)

func TestStorage(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, newStorage)
}

func BenchmarkStorage(b *testing.B) { storagetest.Benchmark(b, newStorage) }

func newStorage(testing.TB) storagetest.World {
	s := memory.NewStorage()
	return storagetest.World{Open: func(testing.TB) storage.Backend { return s }}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(testing.TB) queuetest.World {
		q := memory.NewQueue()
		return queuetest.World{Open: func(testing.TB) queue.Queue { return q }}
	})
}
