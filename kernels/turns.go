package kernels

import (
	"context"
	"sync"
)

// turns lets those who do something with the same name do it one after the other. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when it is the next one's turn; guarded by mu
}

// wait waits for one's turn, which lasts until done is called.
func (t *turns) wait(ctx context.Context, name string) (done func(), err error) {
	for {
		t.mu.Lock()
		busy := t.taken[name]
		if busy == nil {
			if t.taken == nil {
				t.taken = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			t.taken[name] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, name)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
