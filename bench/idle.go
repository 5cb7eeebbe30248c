package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// crowd are idle websockets, each a client of its own, spread over kernels.
type crowd struct {
	s       *server
	kernels []string
	busy    []*channels // one for each kernel, to run cells
	mu      sync.Mutex
	idle    []*channels // guarded by mu
	over    atomic.Bool
	cut     atomic.Int64 // ended by the server
}

// gather starts the kernels that websockets are opened on.
func (s *server) gather(ctx context.Context, kernels int) (*crowd, error) {
	c := &crowd{s: s}
	for range kernels {
		kernel, ch, err := s.warm(ctx, fakeKernel)
		if err != nil {
			return nil, err
		}
		c.kernels, c.busy = append(c.kernels, kernel), append(c.busy, ch)
	}
	return c, nil
}

// grow opens websockets until there are n.
func (c *crowd) grow(ctx context.Context, n int) error {
	have := len(c.idle)
	return parallel(n-have, func(i int) error {
		ch, err := c.s.dial(ctx, c.kernels[(have+i)%len(c.kernels)], newID(), idleBuffer)
		if err != nil {
			return fmt.Errorf("websocket %d: %w", have+i+1, err)
		}
		c.mu.Lock()
		c.idle = append(c.idle, ch)
		c.mu.Unlock()
		go c.drain(ch)
		return nil
	})
}

// drain reads what an idle client is sent, as a browser does.
func (c *crowd) drain(ch *channels) {
	for {
		if _, err := ch.next(time.Hour); err != nil {
			if !c.over.Load() {
				c.cut.Add(1)
			}
			return
		}
	}
}

// cells runs a cell on every kernel and returns how long each took, in milliseconds.
func (c *crowd) cells() (took samples, err error) {
	for _, ch := range c.busy {
		begin := time.Now()
		if err := ch.run("1", time.Minute, nil); err != nil {
			return took, err
		}
		took = append(took, milliseconds(time.Since(begin)))
	}
	return took, nil
}

func (c *crowd) leave() {
	c.over.Store(true)
	for _, ch := range append(c.idle, c.busy...) {
		ch.close()
	}
}

// settle is how long memory may take to come to rest.
const settle = 8 * time.Second

// idle measures what one more idle websocket costs.
func (b *benchmark) idle(ctx context.Context) error {
	ours, err := b.startHopyard(ctx)
	if err != nil {
		return err
	}
	defer b.stopAll([]*server{ours})
	c, err := ours.gather(ctx, 20)
	if err != nil {
		return err
	}
	defer c.leave()
	first, err := b.crowded(ctx, c, b.sockets/5)
	if err != nil {
		return err
	}
	if _, err := b.crowded(ctx, c, b.sockets); err != nil || b.alone {
		return err
	}
	return b.idlePeer(ctx, first)
}

// added is what each of the last websockets took: kB of RSS and files in the server's process.
type added struct{ rss, files float64 }

// crowded takes the difference that the websockets up to n make.
func (b *benchmark) crowded(ctx context.Context, c *crowd, n int) (added, error) {
	time.Sleep(settle)
	gateway, agents := usageOf(c.s.proc.pid()), usageOf(c.s.agents()...)
	more := float64(n - len(c.idle))
	begin := time.Now()
	if err := c.grow(ctx, n); err != nil {
		return added{}, err
	}
	progress("  %d websockets opened in %.1f s", int(more), time.Since(begin).Seconds())
	time.Sleep(settle)
	gateway2, agents2 := usageOf(c.s.proc.pid()), usageOf(c.s.agents()...)
	at := fmt.Sprintf(" for each of %d", n)
	each := added{float64(gateway2.RSS-gateway.RSS) / more, float64(gateway2.Files-gateway.Files) / more}
	b.atMost("gateway's RSS"+at, each.rss, "kB", 40)
	b.figure("gateway's PSS"+at, float64(gateway2.PSS-gateway.PSS)/more, "kB")
	b.atMost("gateway's files"+at, each.files, "", 2)
	b.figure("agents' PSS"+at, float64(agents2.PSS-agents.PSS)/more, "kB")
	b.figure("agents' files"+at, float64(agents2.Files-agents.Files)/more, "")
	took, err := c.cells()
	if err != nil {
		return each, fmt.Errorf("a cell with %d websockets open: %w", n, err)
	}
	b.figure(fmt.Sprintf("a cell with %d open, p50", n), took.at(0.5), "ms")
	b.atMost(fmt.Sprintf("websockets of %d cut by the server", n), float64(c.cut.Load()), "", 0)
	return each, nil
}

// peerSockets is what one process of jupyter_server can hold: it dies beyond 250.
const peerSockets = 200

func (b *benchmark) idlePeer(ctx context.Context, ours added) error {
	s, err := b.startPeer(ctx, asShipped)
	if err != nil {
		return err
	}
	defer b.stopAll([]*server{s})
	c, err := s.gather(ctx, 1)
	if err != nil {
		return err
	}
	defer c.leave()
	time.Sleep(settle)
	before := usageOf(s.proc.pid())
	if err := c.grow(ctx, peerSockets); err != nil {
		return err
	}
	time.Sleep(settle)
	after := usageOf(s.proc.pid())
	rss, files := float64(after.RSS-before.RSS)/peerSockets, float64(after.Files-before.Files)/peerSockets
	b.beside(fmt.Sprintf("RSS of a websocket, %d there", peerSockets), ours.rss, rss, "kB", s.name, rss/ours.rss, 0)
	b.beside(fmt.Sprintf("files of a websocket, %d there", peerSockets), ours.files, files, "", s.name, files/ours.files, 0)
	return nil
}
