package watch

import "sync"

// Bell wakes everybody who waits, however many they are. The zero value is ready; it is safe for concurrent use.
//
// Take Heard first, then look, then wait: what changes after the look has rung the bell that was taken.
type Bell struct {
	mu   sync.Mutex
	rung chan struct{} // guarded by mu; closed by the next Ring
}

// Heard returns a channel that the next Ring closes.
func (b *Bell) Heard() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// Ring wakes all who wait.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
