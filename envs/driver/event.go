package driver

import "time"

// Phase is what a build is doing.
type Phase string

// The phases, in order.
const (
	Solve  Phase = "solve"
	Fetch  Phase = "fetch"
	Link   Phase = "link"
	Pip    Phase = "pip"
	Finish Phase = "finish"
)

// Phases are all phases in order.
var Phases = []Phase{Solve, Fetch, Link, Pip, Finish}

// EventType says what an Event tells.
type EventType string

// The types.
const (
	TypeState    EventType = "state"    // the build's state or phase has changed
	TypeProgress EventType = "progress" // so much of the phase is done
	TypeLog      EventType = "log"      // a line for people
	TypeResult   EventType = "result"   // the build has ended; nothing follows
)

// Event is one thing that happens in a build. Seq numbers those of one build: 1, 2, 3 … without holes.
type Event struct {
	Seq   uint64    `json:"seq"`
	Time  time.Time `json:"time"`
	Type  EventType `json:"type"`
	State string    `json:"state,omitempty"`
	Phase Phase     `json:"phase,omitempty"`
	// Done of Total packages (files in the phase finish), Bytes of TotalBytes.
	Done       int    `json:"done,omitempty"`
	Total      int    `json:"total,omitempty"`
	Bytes      int64  `json:"bytes,omitempty"`
	TotalBytes int64  `json:"total_bytes,omitempty"`
	Package    string `json:"package,omitempty"` // the one that is being worked on
	Text       string `json:"text,omitempty"`
	// Failure is set in the result of a build that failed.
	Failure *Failure `json:"failure,omitempty"`
}

// Sink takes events, one at a time; it fills Seq and Time. It must not block for long.
type Sink func(Event)
