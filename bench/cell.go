package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// runner is somebody through whom a cell can be run.
type runner struct {
	name string
	peer bool
	run  func() error
	cpu  func() time.Duration // of what is between the client and the kernel
	took samples              // milliseconds
	used time.Duration
}

// cell measures what a server adds to one small cell: execute → reply and idle, less the same over ZeroMQ directly.
func (b *benchmark) cell(ctx context.Context) error {
	ours, err := b.startHopyard(ctx)
	if err != nil {
		return err
	}
	peers, err := b.startPeers(ctx, asShipped, nagleOff)
	servers := append([]*server{ours}, peers...)
	defer func() { b.stopAll(servers) }()
	if err != nil {
		return err
	}
	return errors.Join(b.cellOn(ctx, fakeKernel, b.fake, servers), b.cellOn(ctx, realKernel, b.real, servers))
}

func (b *benchmark) cellOn(ctx context.Context, spec string, argv []string, servers []*server) error {
	var runners []*runner
	for _, transport := range []string{"ipc", "tcp"} {
		d, err := b.startDirect(ctx, argv, transport)
		if err != nil {
			return err
		}
		defer d.stop()
		runners = append(runners, &runner{name: transport, run: func() error { return d.run("1", time.Minute) }})
	}
	for _, s := range servers {
		kernel, c, err := s.warm(ctx, spec)
		if err != nil {
			return err
		}
		defer s.stopKernel(kernel) //nolint:errcheck // the server ends next
		defer c.close()
		runners = append(runners, &runner{
			name: s.name, peer: s.data == "", run: func() error { return c.run("1", time.Minute, nil) },
			cpu: func() time.Duration { return cpuOf(s.programs()...) },
		})
	}
	if err := interleave(ctx, runners, b.cells); err != nil {
		return err
	}
	b.cellRows(spec, runners)
	return nil
}

// interleave runs n cells through each, ten at a time. A peer gets fewer turns: it takes long, and its figures need not be
// as fine.
func interleave(ctx context.Context, runners []*runner, n int) error {
	const turn, seldom = 10, 4
	for round := range n / turn {
		for _, r := range runners {
			if r.peer && round%seldom != 0 {
				continue
			}
			if err := r.round(ctx, turn); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

func (r *runner) round(ctx context.Context, n int) error {
	var before time.Duration
	if r.cpu != nil {
		before = r.cpu()
	}
	for range n {
		at := time.Now()
		if err := errors.Join(r.run(), ctx.Err()); err != nil {
			return err
		}
		r.took = append(r.took, milliseconds(time.Since(at)))
	}
	if r.cpu != nil {
		r.used += r.cpu() - before
	}
	return nil
}

func (b *benchmark) cellRows(spec string, runners []*runner) {
	ipc, tcp, ours, peers := runners[0], runners[1], runners[2], runners[3:]
	b.figure(spec+": over ZeroMQ directly, p50", ipc.took.at(0.5), "ms")
	added := ours.took.at(0.5) - ipc.took.at(0.5)
	b.atMost(spec+": added, p50", added, "ms", 0.3)
	b.figure(spec+": added, least", ours.took.at(0)-ipc.took.at(0), "ms")
	goals := map[string]float64{asShipped: 50, nagleOff: 5}
	for _, peer := range peers {
		theirs := peer.took.at(0.5) - tcp.took.at(0.5)
		b.beside(spec+": added, p50", added, theirs, "ms", peer.name, theirs/added, goals[peer.name])
	}
	b.figure(spec+": processor time a cell", ours.perCell(), "ms")
	for _, peer := range peers {
		b.beside(spec+": execute to reply and idle, p95", ours.took.at(0.95), peer.took.at(0.95), "ms", peer.name, peer.took.at(0.95)/ours.took.at(0.95), 0)
		b.beside(spec+": processor time a cell", ours.perCell(), peer.perCell(), "ms", peer.name, peer.perCell()/ours.perCell(), 0)
	}
}

func (r *runner) perCell() float64 { return milliseconds(r.used) / float64(max(1, len(r.took))) }
