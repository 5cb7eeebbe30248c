package main

import (
	"context"
	"errors"
	"math/bits"
	"os"
	"slices"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

// toggles are changes of one package and their opposites. In the order of a Gray code they give a lock each time that was never built.
var toggles = []struct{ do, undo map[string]any }{
	{adding("wheel"), removing("wheel")},
	{adding("traitlets=5.14.3"), adding("traitlets=5.16.1")},
	{adding("setuptools"), removing("setuptools")},
	{adding("urllib3"), removing("urllib3")},
}

// mark is a small package that is in the environments of this case alone, so that nobody else has built them.
const mark = "odd-names"

// changes is how many of them are measured: less than give the lock with all of them, with which the caches are filled.
const changes = 9

// change measures a change of one package where all packages are in the caches, beside an installation of the same records.
func (b *benchmark) change(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	const project, name = "change", "python"
	if err := s.fillCaches(ctx); err != nil {
		return err
	}
	if err := s.project(ctx, project); err != nil {
		return err
	}
	if _, _, _, err := s.edit(ctx, project, name, adding(mark)); err != nil {
		return err
	}
	var ours, alone, inside samples
	parts := map[string]samples{}
	done := make([]bool, len(toggles))
	for i := 1; i <= changes; i++ {
		n := bits.TrailingZeros(uint(i))
		edit := toggles[n].do
		if done[n] {
			edit = toggles[n].undo
		}
		done[n] = !done[n]
		begin := time.Now()
		answered, ready, events, err := s.edit(ctx, project, name, edit)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(events, isLaunch) {
			return errors.New("nothing was built: another case has made the same before")
		}
		ours = append(ours, ready.Seconds())
		for part, took := range partsOf(begin, answered, ready, events) {
			parts[part] = append(parts[part], milliseconds(took))
		}
		if b.alone {
			continue
		}
		whole, within, err := s.installAlone(ctx, project, name)
		if err != nil {
			return err
		}
		alone, inside = append(alone, whole.Seconds()), append(inside, within.Seconds())
	}
	if !b.alone {
		b.within("change of one package, warm cache, p50", ours.at(0.5), alone.at(0.5), "s", rattlerAlone, 1.2)
		b.within("change of one package, warm cache, least", ours.at(0), alone.at(0), "s", rattlerAlone, 1.2)
		b.beside("the same, beside an installation in a process that runs, p50", ours.at(0.5), inside.at(0.5), "s", rattlerAlone, inside.at(0.5)/ours.at(0.5), 0)
	} else {
		b.figure("change of one package, warm cache, p50", ours.at(0.5), "s")
	}
	for _, part := range partNames {
		b.figure("of it "+part+", p50", parts[part].at(0.5), "ms")
	}
	a, err := s.activation(ctx, project, name)
	if err != nil {
		return err
	}
	return s.kernelRunsOn(ctx, project, a)
}

// fillCaches builds an environment with all that the changes bring, once.
func (s *site) fillCaches(ctx context.Context) error {
	if err := s.project(ctx, "warm"); err != nil {
		return err
	}
	if _, _, _, err := s.edit(ctx, "warm", "python", adding(mark, "wheel", "traitlets=5.14.3", "setuptools", "urllib3")); err != nil {
		return err
	}
	_, err := s.teach(ctx, "warm", "python")
	return err
}

// installAlone has the peer install what an environment holds.
func (s *site) installAlone(ctx context.Context, project, name string) (whole, inside time.Duration, err error) {
	text, err := s.export(ctx, project, name, "explicit")
	if err != nil {
		return 0, 0, err
	}
	file, err := s.peer.know(s.channel, exact(text))
	if err != nil {
		return 0, 0, err
	}
	prefix, whole, inside, err := s.peer.alone(ctx, file)
	return whole, inside, errors.Join(err, os.RemoveAll(prefix))
}

// The parts of a build, in order.
const (
	inQueue   = "request, queue and plan"
	inSolve   = "solve and policy"
	inLaunch  = "launch of the builder"
	inHelper  = "start of the helper"
	inCheck   = "packages looked up and checked"
	inLink    = "link"
	inFinish  = "compile, check, seal, manifest"
	inSay     = "activation and the client's hearing of it"
	inRequest = "answer to the request"
)

var partNames = []string{inRequest, inQueue, inSolve, inLaunch, inHelper, inCheck, inLink, inFinish, inSay}

func isLaunch(e driver.Event) bool { return e.Text == "the builder starts" }

// partsOf cuts a build at the times of its events. The finish of the builder is told by its last event but one.
func partsOf(begin time.Time, answered, ready time.Duration, events []driver.Event) map[string]time.Duration {
	parts := map[string]time.Duration{inRequest: answered}
	last := begin
	cut := func(part string, at time.Time) {
		parts[part] += max(0, at.Sub(last))
		last = at
	}
	for _, e := range events {
		switch {
		case e.Type == driver.TypeState && e.State == "solving":
			cut(inQueue, e.Time)
		case isLaunch(e):
			cut(inSolve, e.Time)
		case e.Type == driver.TypeState && e.Phase == driver.Fetch && parts[inSolve] > 0:
			cut(inLaunch, e.Time)
		case e.Type == driver.TypeProgress && e.Phase == driver.Fetch && parts[inHelper] == 0:
			cut(inHelper, e.Time)
		case e.Type == driver.TypeState && e.Phase == driver.Link:
			cut(inCheck, e.Time)
		case e.Phase == driver.Finish && parts[inLink] == 0:
			cut(inLink, e.Time)
		case e.Type == driver.TypeResult:
			cut(inFinish, e.Time)
		}
	}
	cut(inSay, begin.Add(ready))
	return parts
}
