package main

import (
	"context"
	"time"
)

// agentsMeasured is how many kernels run while the agents' memory is taken: what they share is divided among them.
const agentsMeasured = 30

// memory measures the gateway at start, and what an agent costs beside its kernel.
func (b *benchmark) memory(ctx context.Context) error {
	ours, err := b.startHopyard(ctx)
	if err != nil {
		return err
	}
	peers, err := b.startPeers(ctx, asShipped)
	defer func() { b.stopAll(append(peers, ours)) }()
	if err != nil {
		return err
	}
	time.Sleep(settle)
	start := usageOf(ours.proc.pid())
	b.atMost("gateway at start, RSS", float64(start.RSS)/1024, "MB", 40)
	b.figure("gateway at start, PSS", float64(start.PSS)/1024, "MB")
	for _, s := range peers {
		rss := usageOf(s.proc.pid()).RSS
		b.beside("server at start, RSS", float64(start.RSS)/1024, float64(rss)/1024, "MB", s.name, float64(rss)/float64(start.RSS), 0)
	}
	err = parallel(agentsMeasured, func(int) error {
		_, c, err := ours.warm(ctx, fakeKernel)
		if err == nil {
			c.close()
		}
		return err
	})
	if err != nil {
		return err
	}
	time.Sleep(settle)
	var each samples
	for _, pid := range ours.agents() {
		each = append(each, float64(usageOf(pid).PSS)/1024)
	}
	b.atMost("an agent at 30 kernels, PSS, median", each.at(0.5), "MB", 8)
	b.figure("an agent at 30 kernels, PSS, largest", each.at(1), "MB")
	b.figure("gateway at 30 kernels, RSS", float64(usageOf(ours.proc.pid()).RSS)/1024, "MB")
	return nil
}
