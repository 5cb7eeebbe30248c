package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopyard/hopyard/kernels/wire"
)

// survivor is a client that comes back under the same session id whenever its connection breaks, and misses nothing.
type survivor struct {
	*tally
	s       *server
	kernel  string
	c       *channels
	cell    pending
	replies int
	idles   int
	count   atomic.Int64 // messages so far
	wait    func() bool  // not yet
	backs   int          // how often it came back
}

// join opens the client's websocket and makes sure that it is heard.
func (s *server) join(ctx context.Context, kernel string, n int) (*survivor, error) {
	c, err := s.open(ctx, kernel)
	if err != nil {
		return nil, err
	}
	v := &survivor{tally: newTally(n), s: s, kernel: kernel, c: c}
	return v, c.run("1", time.Minute, nil)
}

// follow reads until the cell is over for this client. Only who sent the cell gets the reply.
func (v *survivor) follow(ctx context.Context, mine bool) error {
	defer func() { v.c.close() }()
	const patience = 30 * time.Second
	heard := time.Now()
	for v.idles == 0 || mine && v.replies == 0 {
		for v.wait != nil && v.wait() {
			time.Sleep(time.Millisecond)
			heard = time.Now()
		}
		m, err := v.c.next(patience)
		if err != nil {
			if time.Since(heard) > patience {
				return fmt.Errorf("silence after %d messages: %w", v.got, err)
			}
			if err := v.back(ctx); err != nil {
				return err
			}
			continue
		}
		heard = time.Now()
		v.note(m)
	}
	return nil
}

func (v *survivor) note(m wire.Message) {
	if !bytes.Contains(m.Parent, []byte(v.cell.id)) {
		return
	}
	v.count.Add(1)
	v.see(m)
	switch {
	case m.Channel == wire.Shell:
		v.replies++
	case wire.IsType(m.Header, "status") && bytes.Contains(m.Content, []byte(`"idle"`)):
		v.idles++
	}
}

// back connects again, as often as it takes.
func (v *survivor) back(ctx context.Context) error {
	v.c.close()
	v.backs++
	for end := time.Now().Add(30 * time.Second); ; {
		c, err := v.s.dial(ctx, v.kernel, v.c.session, busyBuffer)
		if err == nil {
			v.c = c
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("the gateway does not come back: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kill floods two clients while the gateway is killed again and again: one reads at full speed, the other at a hundredth
// of it until the first has all, and then at full speed too.
func (b *benchmark) kill(ctx context.Context) error {
	s, err := b.startHopyard(ctx)
	if err != nil {
		return err
	}
	defer b.stopAll([]*server{s})
	kernel, err := s.startKernel(ctx, fakeKernel)
	if err != nil {
		return err
	}
	fast, err := s.join(ctx, kernel, b.messages)
	if err != nil {
		return err
	}
	slow, err := s.join(ctx, kernel, b.messages)
	if err != nil {
		return err
	}
	var finished atomic.Bool
	slow.wait = func() bool { return !finished.Load() && slow.count.Load() > fast.count.Load()/100 }
	begin := time.Now()
	if fast.cell.id, err = fast.c.execute(fmt.Sprintf("flood %d", b.messages)); err != nil {
		return err
	}
	slow.cell.id = fast.cell.id
	var readers sync.WaitGroup
	errs := make([]error, 2)
	readers.Go(func() {
		defer finished.Store(true)
		errs[0] = fast.follow(ctx, true)
		progress("  the fast client has %d of %d after %.1f s", fast.got, b.messages, time.Since(begin).Seconds())
	})
	readers.Go(func() { errs[1] = slow.follow(ctx, false) })
	kills, err := s.killUntil(&readers, b.killEvery)
	if err != nil {
		return err
	}
	b.figure("gateway killed", float64(kills), "times")
	for i, v := range []*survivor{fast, slow} {
		b.survived([]string{"fast", "slow"}[i], v, errs[i])
	}
	b.figure("seconds until both had all", time.Since(begin).Seconds(), "s")
	return nil
}

// killUntil kills the gateway and starts it anew, again and again, until the readers have ended.
func (s *server) killUntil(readers *sync.WaitGroup, every time.Duration) (kills int, err error) {
	done := make(chan struct{})
	go func() {
		readers.Wait()
		close(done)
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return kills, err
		case <-tick.C:
			if err != nil {
				continue // the readers give up by themselves
			}
			s.proc.kill()
			kills++
			err = s.again()
		}
	}
}

func (b *benchmark) survived(who string, v *survivor, err error) {
	if err != nil {
		b.fail(fmt.Errorf("%s client: %w", who, err))
	}
	b.atMost(who+" client: messages lost", float64(v.lost(b.messages)), "", 0)
	b.atMost(who+" client: messages doubled", float64(v.doubled+max(0, v.replies-1)+max(0, v.idles-1)), "", 0)
	b.atMost(who+" client: messages out of order", float64(v.disordered), "", 0)
	b.figure(who+" client: reconnected", float64(v.backs), "times")
}
