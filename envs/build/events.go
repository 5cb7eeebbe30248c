package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

// The states that a builder tells; they are those of envs.State.
const (
	stateBuilding = "building"
	stateReady    = "ready"
	stateFailed   = "failed"
	stateCanceled = "canceled"
)

// between is the least time between two progress events that say the same but for a number: nobody reads faster.
const between = 50 * time.Millisecond

// events appends what happens to the builder's file. It is safe for concurrent use.
type events struct {
	mu      sync.Mutex // guards below
	file    *os.File
	seq     uint64
	phase   driver.Phase
	written time.Time
	pending *driver.Event // progress that was held back
}

// openEvents goes on with the file at path: its numbers have no holes.
func openEvents(path string) (*events, error) {
	seq, err := countLines(path)
	if err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	ev := &events{file: f, seq: seq}
	ev.tell(driver.Event{Type: driver.TypeState, State: stateBuilding})
	return ev, nil
}

// countLines counts the whole lines and cuts off half a one, which a killed builder left.
func countLines(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var lines uint64
	whole := 0
	for i, c := range b {
		if c == '\n' {
			lines, whole = lines+1, i+1
		}
	}
	if whole < len(b) {
		err = os.Truncate(path, int64(whole))
	}
	return lines, err
}

// tell appends e, and before it that its phase has begun. Progress may be held back until something else is told or
// enough time has gone by.
func (ev *events) tell(e driver.Event) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if e.Phase == "" {
		e.Phase = ev.phase
	}
	if e.Phase != ev.phase {
		ev.flush()
		ev.phase = e.Phase
		if e.Type != driver.TypeState {
			ev.append(driver.Event{Type: driver.TypeState, State: stateBuilding, Phase: e.Phase})
		}
	}
	if e.Type == driver.TypeProgress {
		if time.Since(ev.written) < between {
			ev.pending = &e
			return
		}
		ev.pending, ev.written = nil, time.Now()
	}
	ev.flush()
	ev.append(e)
}

func (ev *events) flush() {
	if ev.pending != nil {
		ev.append(*ev.pending)
		ev.pending = nil
	}
}

// append writes one line. A line that cannot be written is lost: the build itself matters more, and its manifest is the truth.
func (ev *events) append(e driver.Event) {
	ev.seq++
	e.Seq, e.Time = ev.seq, time.Now().UTC()
	if e.Type == driver.TypeState && e.State == "" {
		e.State = stateBuilding
	}
	b, err := json.Marshal(e)
	if err == nil {
		_, err = ev.file.Write(append(b, '\n'))
	}
	if err != nil {
		ev.seq--
	}
}

// say tells a line for people.
func (ev *events) say(format string, args ...any) {
	ev.tell(driver.Event{Type: driver.TypeLog, Text: fmt.Sprintf(format, args...)})
}

// result ends the file.
func (ev *events) result(failure *driver.Failure) {
	e := driver.Event{Type: driver.TypeResult, State: stateReady, Failure: failure}
	if failure != nil {
		e.State = stateFailed
		if failure.Cause == driver.Canceled {
			e.State = stateCanceled
		}
	}
	ev.tell(e)
}

func (ev *events) close() { _ = ev.file.Close() }
