package main

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
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
	{adding("filetype"), removing("filetype")},
}

// mark is a small package that is in the environments of this case alone, so that nobody else has built them.
const mark = "odd-names"

// changes is how many of them are measured: less than give the lock with all of them, with which the caches are filled.
const changes = 16

// change measures a change of one package where all packages are in the caches, beside an installation of the same records: in turns
// by a builder that was kept ready, as people find it who have just tried the change or built another, and by one that is started
// for it, as after a pause.
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
	var ready, started, alone, inside samples
	parts := map[string]samples{}
	done := make([]bool, len(toggles))
	for i := 1; i <= changes; i++ {
		n := bits.TrailingZeros(uint(i))
		edit := toggles[n].do
		if done[n] {
			edit = toggles[n].undo
		}
		done[n] = !done[n]
		kept := i%4 < 2 // and each change both ways
		took, cut, err := s.changeOnce(ctx, project, name, edit, kept)
		if err != nil {
			return err
		}
		if kept {
			ready = append(ready, took.Seconds())
			for part, took := range cut {
				parts[part] = append(parts[part], milliseconds(took))
			}
		} else {
			started = append(started, took.Seconds())
		}
		if b.alone {
			continue
		}
		if _, err := s.keptReady(ctx, project, name, nil); err != nil { // nothing of ours starts meanwhile
			return err
		}
		whole, within, err := s.installAlone(ctx, project, name)
		if err != nil {
			return err
		}
		alone, inside = append(alone, whole.Seconds()), append(inside, within.Seconds())
	}
	b.changed(ready, started, alone, inside)
	for _, part := range partNames {
		b.figure("of it, with a builder kept ready, "+part+", p50", parts[part].at(0.5), "ms")
	}
	a, err := s.activation(ctx, project, name)
	if err != nil {
		return err
	}
	return s.kernelRunsOn(ctx, project, a)
}

// changed reports what changes took.
func (b *benchmark) changed(ready, started, alone, inside samples) {
	const what = "change of one package, warm cache, "
	if b.alone {
		b.figure(what+"with a builder kept ready, p50", ready.at(0.5), "s")
		b.figure(what+"without, p50", started.at(0.5), "s")
		return
	}
	b.within(what+"with a builder kept ready, p50", ready.at(0.5), alone.at(0.5), "s", rattlerAlone, 1.2)
	b.within(what+"with a builder kept ready, least", ready.at(0), alone.at(0), "s", rattlerAlone, 1.2)
	b.beside(what+"without, p50", started.at(0.5), alone.at(0.5), "s", rattlerAlone, alone.at(0.5)/started.at(0.5), 0)
	b.beside(what+"with one, beside an installation in a process that runs, p50", ready.at(0.5), inside.at(0.5), "s", rattlerAlone, inside.at(0.5)/ready.at(0.5), 0)
}

// changeOnce measures one change, with a builder that was kept ready or without.
func (s *site) changeOnce(ctx context.Context, project, name string, edit map[string]any, kept bool) (time.Duration, map[string]time.Duration, error) {
	standby, err := s.keptReady(ctx, project, name, edit)
	if err != nil {
		return 0, nil, err
	}
	if !kept {
		if err := s.call(ctx, http.MethodPost, "/projects/"+project+"/workloads/"+standby+"/stop", nil, nil); err != nil {
			return 0, nil, err
		}
		if err := s.waiting(ctx, project, func(id string) bool { return id == "" }); err != nil {
			return 0, nil, err
		}
	}
	begin := time.Now()
	answered, ready, events, err := s.edit(ctx, project, name, edit)
	if err != nil {
		return 0, nil, err
	}
	began := slices.IndexFunc(events, isLaunch)
	switch {
	case began < 0:
		err = errors.New("nothing was built: another case has made the same before")
	case kept != (events[began].Text == standbyStarts):
		err = fmt.Errorf("the builder was kept ready: %v, want %v", !kept, kept)
	}
	return ready, partsOf(begin, answered, ready, events), err
}

// reading is how long a person reads the answer of a dry run, at least.
const reading = time.Second

// keptReady tries a change, waits until a builder is kept ready for it, reads the answer, and gives the builder's name.
func (s *site) keptReady(ctx context.Context, project, name string, edit map[string]any) (id string, err error) {
	if err := s.call(ctx, http.MethodPost, environmentPath(project, name)+"/solve", edit, &struct{}{}); err != nil {
		return "", err
	}
	err = s.waiting(ctx, project, func(found string) bool {
		id = found
		return id != ""
	})
	if err != nil {
		return "", err
	}
	select {
	case <-time.After(reading):
		return id, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// waiting looks for the builder that waits for an order in a project until that is what is wanted; no name means that there is none.
func (s *site) waiting(ctx context.Context, project string, wanted func(id string) bool) error {
	return s.proc.until(ctx, time.Minute, func(ctx context.Context) error {
		var list struct {
			Items []struct{ ID, Kind, State, Activity string } `json:"items"`
		}
		if err := s.call(ctx, http.MethodGet, "/projects/"+project+"/workloads", nil, &list); err != nil {
			return err
		}
		id := ""
		for _, w := range list.Items {
			if w.Kind == "build" && w.State == "running" && w.Activity == "waiting" {
				id = w.ID
			}
		}
		if !wanted(id) {
			return errors.New("no builder is kept ready, or still one")
		}
		return nil
	})
}

// fillCaches builds an environment with all that the changes bring, once.
func (s *site) fillCaches(ctx context.Context) error {
	if err := s.project(ctx, "warm"); err != nil {
		return err
	}
	if _, _, _, err := s.edit(ctx, "warm", "python", adding(mark, "wheel", "traitlets=5.14.3", "setuptools", "urllib3", "filetype")); err != nil {
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
	_, whole, inside, err = s.peer.alone(ctx, file) // what it has made stays: to make folders where some were just removed takes ext4 longer
	return whole, inside, err
}

// The parts of a build, in order.
const (
	inQueue   = "request, queue and plan"
	inSolve   = "solve and policy"
	inLaunch  = "order taken by the builder"
	inHelper  = "helper begins"
	inCheck   = "packages looked up and checked"
	inLink    = "link"
	inFinish  = "compile, check, seal, manifest"
	inSay     = "activation and the client's hearing of it"
	inRequest = "answer to the request"
)

var partNames = []string{inRequest, inQueue, inSolve, inLaunch, inHelper, inCheck, inLink, inFinish, inSay}

const standbyStarts = "the builder that was kept ready starts"

func isLaunch(e driver.Event) bool { return e.Text == standbyStarts || e.Text == "the builder starts" }

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
