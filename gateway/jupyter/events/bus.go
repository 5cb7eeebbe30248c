// Package events tells Jupyter clients what happens in their project: the event bus, POST /api/events and the websocket
// /api/events/subscribe. Clients take events as hints and list again, so an event may be lost, and is when a client is too
// slow; it never holds up whoever publishes it.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
)

// The schemas of the events that are known here.
const (
	ContentsService = "https://events.jupyter.org/jupyter_server/contents_service/v1"
	KernelActions   = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"
	GatewayClient   = "https://events.jupyter.org/jupyter_server/gateway_client/v1"
)

// Event is one thing that happened. Data are the fields that its schema asks for.
type Event struct {
	Schema string
	Data   map[string]any
}

// Contents makes the event of something done to a path: get, save, rename, copy, delete. Source is where it came from, for
// rename and copy.
func Contents(action, path, source string) Event {
	data := map[string]any{"action": action, "path": path}
	if source != "" {
		data["source_path"] = source
	}
	return Event{ContentsService, data}
}

// Kernel makes the event of something that was done to a kernel: start, interrupt, restart, shutdown.
func Kernel(action, id, name, message string) Event {
	return Event{KernelActions, map[string]any{
		"action": action, "kernel_id": id, "kernel_name": name, "status": "success", "msg": message,
	}}
}

// frame is the event as it goes over the websocket: the data with the schema's id among them.
func (e Event) frame() ([]byte, error) {
	all := make(map[string]any, len(e.Data)+1)
	maps.Copy(all, e.Data)
	all["schema_id"] = e.Schema
	return json.Marshal(all)
}

// ErrClosed means that the Subscription or the Bus has been closed.
var ErrClosed = errors.New("events: closed")

// backlog is how many events wait for a slow subscriber. When it is full the oldest gives way to the newest.
const backlog = 256

// Bus brings the events of a project to those who listen to it, in this process. It is safe for concurrent use.
type Bus struct {
	mu   sync.Mutex // guards subs, and the sending to their channels
	subs map[string]map[*Subscription]struct{}
}

// NewBus makes a Bus.
func NewBus() *Bus { return &Bus{subs: map[string]map[*Subscription]struct{}{}} }

// Publish tells all who listen to the project. It never waits.
func (b *Bus) Publish(project string, e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.subs[project]) == 0 {
		return
	}
	frame, err := e.frame()
	if err != nil { // data that is no JSON: a mistake of ours that no client can mend
		panic(err)
	}
	for s := range b.subs[project] {
		s.put(frame)
	}
}

// Subscribe listens to a project from now on. The caller closes the Subscription.
func (b *Bus) Subscribe(project string) *Subscription {
	s := &Subscription{bus: b, project: project, frames: make(chan []byte, backlog)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs[project] == nil {
		b.subs[project] = map[*Subscription]struct{}{}
	}
	b.subs[project][s] = struct{}{}
	return s
}

// Subscription yields events. Next and Close may be called at the same time.
type Subscription struct {
	bus     *Bus
	project string
	frames  chan []byte // sent to and closed under bus.mu
	closed  bool        // guarded by bus.mu
}

func (s *Subscription) put(frame []byte) {
	for {
		select {
		case s.frames <- frame:
			return
		default:
		}
		select {
		case <-s.frames:
		default:
		}
	}
}

// Next waits for the next event and gives it as one JSON text. It returns ErrClosed after Close, or the context's cause.
func (s *Subscription) Next(ctx context.Context) ([]byte, error) {
	select {
	case f, ok := <-s.frames:
		if !ok {
			return nil, ErrClosed
		}
		return f, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close ends the Subscription. It is idempotent.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.frames)
	delete(s.bus.subs[s.project], s)
	if len(s.bus.subs[s.project]) == 0 {
		delete(s.bus.subs, s.project)
	}
}
