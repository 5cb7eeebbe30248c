package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// flooded is what came of one flood through one server.
type flooded struct {
	*tally
	sent int
	took time.Duration
	cpu  time.Duration
	over bool // the kernel's idle came
}

func (f *flooded) rate() float64 { return float64(f.got) / f.took.Seconds() }

// flood lets the fake kernel write small stream messages as fast as they are read. A peer gets fewer of them, once before
// and once after us: what is compared is the rate.
func (b *benchmark) flood(ctx context.Context) error {
	var peers []*server
	defer func() {
		for _, s := range peers {
			_ = b.stop(s)
		}
	}()
	names := []string{asShipped, nagleOff, limitsOff}
	theirs := make([][]flooded, len(names))
	for _, name := range names {
		s, err := b.startPeer(ctx, name)
		if err != nil {
			return err
		}
		peers = append(peers, s)
	}
	all := func() error {
		for i, s := range peers {
			f, err := s.flood(ctx, b.messages/50, 20*time.Second)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			theirs[i] = append(theirs[i], f)
		}
		return nil
	}
	if err := all(); err != nil {
		return err
	}
	ours, err := b.startHopyard(ctx)
	if err != nil {
		return err
	}
	peers = append(peers, ours)
	f, err := ours.flood(ctx, b.messages, 5*time.Minute)
	if err != nil {
		return err
	}
	peers = peers[:len(names)]
	if err := errors.Join(b.stop(ours), all()); err != nil {
		return err
	}
	b.floodRows(f, names, theirs)
	return nil
}

// flood runs one flood and counts what comes until it is over, or until the limit.
func (s *server) flood(ctx context.Context, n int, limit time.Duration) (flooded, error) {
	kernel, c, err := s.warm(ctx, fakeKernel)
	if err != nil {
		return flooded{}, err
	}
	defer s.stopKernel(kernel) //nolint:errcheck // the server ends next
	defer c.close()
	progress("  %s: %d messages", s.name, n)
	f := flooded{tally: newTally(n), sent: n}
	pids := s.programs()
	cpu, begin := cpuOf(pids...), time.Now()
	id, err := c.execute(fmt.Sprintf("flood %d", n))
	if err != nil {
		return f, err
	}
	for p := (pending{id: id}); !p.done() && f.took < limit; f.took = time.Since(begin) {
		m, err := c.next(limit)
		if err != nil {
			break // a server that loses the idle leaves us waiting: what came counts
		}
		p.see(m)
		f.see(m)
		f.over = p.idle
	}
	f.cpu = cpuOf(pids...) - cpu
	return f, ctx.Err()
}

func (b *benchmark) floodRows(ours flooded, names []string, theirs [][]flooded) {
	b.atMost("messages lost", float64(ours.lost(ours.sent)), "", 0)
	b.atMost("messages doubled", float64(ours.doubled), "", 0)
	b.atMost("messages out of order", float64(ours.disordered), "", 0)
	cost := func(f flooded) float64 { return float64(f.cpu.Microseconds()) / float64(max(1, f.got)) }
	for i, name := range names {
		var got, lost, spent, rate float64
		for _, f := range theirs[i] {
			got += float64(f.got)
			lost += float64(f.lost(f.last + 1))
			spent += cost(f) / float64(len(theirs[i]))
			rate += f.rate() / float64(len(theirs[i]))
		}
		b.beside("messages delivered a second", ours.rate(), rate, "/s", name, ours.rate()/rate, 15)
		b.beside("processor time a message", cost(ours), spent, "µs", name, spent/cost(ours), 0)
		b.beside("messages lost of a hundred", 100*float64(ours.lost(ours.sent))/float64(ours.sent), 100*lost/max(1, got+lost), "", name, 0, 0)
	}
}
