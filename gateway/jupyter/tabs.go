package jupyter

import (
	"sync"

	"github.com/gorilla/websocket"
)

// tabKey is what a client comes back under.
type tabKey struct{ kernel, session string }

// tabs are the kernel websockets of this gateway that are served, one of each session.
type tabs struct {
	mu  sync.Mutex
	all map[tabKey]*tab
}

// take makes t the tab of its key if there is none. It returns the one that there is now.
func (s *tabs) take(t *tab) *tab {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.all[t.key]; old != nil {
		return old
	}
	if s.all == nil {
		s.all = map[tabKey]*tab{}
	}
	s.all[t.key] = t
	return t
}

func (s *tabs) drop(t *tab) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[t.key] == t {
		delete(s.all, t.key)
	}
}

// open serves t: at once if its session has no other websocket. Of two, nobody knows yet which is meant. A client that has lost its
// connection comes back while we hold the old one to be open, and the new one is meant. But a Jupyter server in front of us, whose
// browser tries a subprotocol first that it does not speak, opens two within milliseconds, in any order, and forgets one of them
// without closing it. So the second waits for the end of the first, or for its own first message: a client that is there has something
// to say, which ends the other.
func (t *tab) open() {
	holder := t.h.tabs.take(t)
	if holder == t {
		t.start()
	} else {
		go t.wait(holder)
	}
	go t.read()
}

// wait starts t when nobody has its session any more.
func (t *tab) wait(holder *tab) {
	for ; holder != t; holder = t.h.tabs.take(t) {
		select {
		case <-holder.gone:
		case <-t.gone:
			return
		}
	}
	t.start()
}

// insist starts t, and ends whoever has its session. What that one has got must be known before the client goes on. It reports whether
// t is served.
func (t *tab) insist() bool {
	for !t.done.Load() {
		holder := t.h.tabs.take(t)
		if holder == t {
			return t.start()
		}
		holder.lost(websocket.CloseNormalClosure, "this session has connected again")
		<-holder.gone
	}
	return false
}

// start attaches t, which has its session, to the kernel. It reports whether t is served.
func (t *tab) start() bool {
	if err := t.attach(); err != nil {
		t.h.cfg.Log.WarnContext(t.ctx, "kernel websocket", "kernel", t.key.kernel, "error", err)
		t.end(websocket.CloseInternalServerErr, "the kernel cannot be reached")
	}
	if t.done.Load() {
		t.h.tabs.drop(t) // it may have ended before it got the session
		return false
	}
	return true
}
