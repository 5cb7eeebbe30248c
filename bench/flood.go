package main

import (
	"context"
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

// rate is in messages a second.
func (f *flooded) rate() float64 { return float64(f.got) / f.took.Seconds() }

// cost is in microseconds of processor time a message.
func (f *flooded) cost() float64 { return float64(f.cpu.Microseconds()) / float64(max(1, f.got)) }

// flood lets the fake kernel write small stream messages as fast as they are read. A peer gets fewer of them, once before
// and once after us: what is compared is the rate.
func (b *benchmark) flood(ctx context.Context) error {
	peers, err := b.startPeers(ctx, asShipped, nagleOff, limitsOff)
	defer func() { b.stopAll(peers) }()
	if err != nil {
		return err
	}
	theirs := make(map[string][]flooded)
	floodPeers := func() error {
		for _, s := range peers {
			f, err := s.flood(ctx, b.messages/50, 20*time.Second)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			theirs[s.name] = append(theirs[s.name], f)
		}
		return nil
	}
	if err := floodPeers(); err != nil {
		return err
	}
	ours, err := b.floodOurs(ctx)
	if err != nil {
		return err
	}
	if err := floodPeers(); err != nil {
		return err
	}
	b.atMost("messages lost", float64(ours.lost(ours.sent)), "", 0)
	b.atMost("messages doubled", float64(ours.doubled), "", 0)
	b.atMost("messages out of order", float64(ours.disordered), "", 0)
	b.figure("messages delivered a second", ours.rate(), "/s")
	b.figure("processor time a message", ours.cost(), "µs")
	for _, s := range peers {
		b.floodRows(ours, s.name, theirs[s.name])
	}
	return nil
}

func (b *benchmark) floodOurs(ctx context.Context) (flooded, error) {
	s, err := b.startHopyard(ctx)
	if err != nil {
		return flooded{}, err
	}
	defer b.stopAll([]*server{s})
	return s.flood(ctx, b.messages, 5*time.Minute)
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

func (b *benchmark) floodRows(ours flooded, peer string, theirs []flooded) {
	var got, lost, spent, rate float64
	for _, f := range theirs {
		got += float64(f.got)
		lost += float64(f.lost(f.last + 1))
		spent += f.cost() / float64(len(theirs))
		rate += f.rate() / float64(len(theirs))
	}
	b.beside("messages delivered a second", ours.rate(), rate, "/s", peer, ours.rate()/rate, 15)
	b.beside("processor time a message", ours.cost(), spent, "µs", peer, spent/ours.cost(), 0)
	b.beside("messages lost of a hundred", 100*float64(ours.lost(ours.sent))/float64(ours.sent), 100*lost/max(1, got+lost), "", peer, 0, 0)
}
