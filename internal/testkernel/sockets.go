package testkernel

import (
	"fmt"
	"strings"
	"sync"
)

// router is a ROUTER socket: it knows its peers by identity, and a new connection takes an identity over.
type router struct {
	inbox chan inbound // full: peers are not read

	mu    sync.Mutex // guards peers, named
	peers map[string]*peer
	named int // connections without an identity so far
}

// inbound is a message and the peer that it came from.
type inbound struct {
	identity string
	frames   [][]byte
}

func newRouter() *router {
	return &router{inbox: make(chan inbound, 64), peers: make(map[string]*peer)}
}

func (r *router) serve(p *peer) {
	r.add(p)
	defer r.remove(p)
	for {
		frames, err := p.recv()
		if err != nil {
			return
		}
		r.inbox <- inbound{p.identity, frames}
	}
}

func (r *router) add(p *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.identity == "" {
		r.named++
		p.identity = fmt.Sprintf("\x00%d", r.named)
	}
	r.peers[p.identity] = p
}

func (r *router) remove(p *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peers[p.identity] == p {
		delete(r.peers, p.identity)
	}
}

// send writes a framed message to the peer of that name. Like any ROUTER it drops what nobody is there for.
func (r *router) send(identity string, framed []byte) {
	r.mu.Lock()
	p := r.peers[identity]
	r.mu.Unlock()
	if p != nil {
		p.write(framed)
	}
}

// publisher is a PUB socket that waits for its subscribers instead of dropping.
type publisher struct {
	mu   sync.Mutex // guards subs and their topics
	subs map[*peer]map[string]bool
}

func newPublisher() *publisher {
	return &publisher{subs: make(map[*peer]map[string]bool)}
}

// serve reads a subscriber's subscriptions: 1 or 0 and a prefix of topics.
func (s *publisher) serve(p *peer) {
	topics := make(map[string]bool)
	s.mu.Lock()
	s.subs[p] = topics
	s.mu.Unlock()
	for {
		frames, err := p.recv()
		s.mu.Lock()
		if err != nil {
			delete(s.subs, p)
		} else if f := frames[0]; len(f) > 0 && f[0] == 1 {
			topics[string(f[1:])] = true
		} else if len(f) > 0 {
			delete(topics, string(f[1:]))
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// publish writes framed messages, all of that topic, to whoever subscribed, and returns when they are written.
func (s *publisher) publish(topic string, framed []byte) {
	for _, p := range s.subscribers(topic) {
		if p.write(framed) != nil {
			p.conn.Close() // which ends its serve
		}
	}
}

func (s *publisher) subscribers(topic string) (peers []*peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, topics := range s.subs {
		for prefix := range topics {
			if strings.HasPrefix(topic, prefix) {
				peers = append(peers, p)
				break
			}
		}
	}
	return peers
}
