package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
)

// solve measures the solver beside py-rattler: warm against warm, as the page asks for it, and cold against cold. The question
// is the same: one more package, and stay with what there is. No question is asked twice, because answers are remembered.
func (b *benchmark) solve(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	d := s.driver(filepath.Join(s.dir, "repodata"))
	defer d.Close()
	if err := b.solveWarm(ctx, s, d, warmCase{"34 packages", "demo", "python", starter, 200}); err != nil {
		return err
	}
	if err := s.manyPackages(ctx); err != nil {
		return err
	}
	if err := b.solveWarm(ctx, s, d, warmCase{"535 packages", "many", "many", manyPackages, 30}); err != nil {
		return err
	}
	return b.solveCold(ctx, s, append(slices.Clone(starter), "wheel"))
}

func (s *site) driver(cache string) *conda.Driver {
	return conda.New(conda.Config{Tools: s.tools, CacheDir: cache})
}

// warmCase is an environment and the question that is asked about it.
type warmCase struct {
	what, project, name string
	before              []string
	rounds              int
}

func (s *site) channels(specs []string) []string {
	if slices.Contains(specs, "many-all") {
		return []string{"file://" + s.many, s.channel}
	}
	return []string{s.channel}
}

// solveWarm asks all of them in turns.
func (b *benchmark) solveWarm(ctx context.Context, s *site, d *conda.Driver, c warmCase) error {
	channels := s.channels(c.before)
	prefer, err := s.solveWith(ctx, d, channels, c.before, nil)
	if err != nil {
		return err
	}
	if _, err := s.peer.ask(question{Op: "solve", Channels: channels, Specs: c.before}); err != nil {
		return err
	}
	var inside, driven, dry, again samples
	for i := range c.rounds {
		wheel := condaPackage("wheel")
		wheel["version"] = fmt.Sprintf(">=0.0.%d", i+1)
		after := append(slices.Clone(c.before), "wheel"+wheel["version"])
		took, err := s.peer.ask(question{Op: "solve", Channels: channels, Specs: after, Keep: true})
		if err != nil {
			return err
		}
		begin := time.Now()
		if _, err := s.solveWith(ctx, d, channels, after, prefer); err != nil {
			return err
		}
		inside, driven = append(inside, milliseconds(took)), append(driven, milliseconds(time.Since(begin)))
		for _, times := range []*samples{&dry, &again} {
			begin = time.Now()
			change := map[string]any{"add": []map[string]string{wheel}}
			if err := s.call(ctx, http.MethodPost, environmentPath(c.project, c.name)+"/solve", change, nil); err != nil {
				return err
			}
			*times = append(*times, milliseconds(time.Since(begin)))
		}
	}
	b.solveRows(c.what, inside[1:], driven[1:], dry[1:], again[1:]) // in the first round some still learn
	return nil
}

func (b *benchmark) solveRows(what string, inside, driven, dry, again samples) {
	b.within("solve of "+what+", warm, p50", driven.at(0.5), inside.at(0.5), "ms", rattlerInside, 1.1)
	b.within("solve of "+what+", warm, least", driven.at(0), inside.at(0), "ms", rattlerInside, 1.1)
	b.within("dry run for the page, "+what+", p50", dry.at(0.5), inside.at(0.5), "ms", rattlerInside, 1.1)
	b.within("dry run for the page, "+what+", least", dry.at(0), inside.at(0), "ms", rattlerInside, 1.1)
	b.beside("the same asked again, as by the build after it, "+what+", p50", again.at(0.5), inside.at(0.5), "ms", rattlerInside, inside.at(0.5)/again.at(0.5), 0)
}

const rattlerInside = "py-rattler within its process"

func (s *site) solveWith(ctx context.Context, d *conda.Driver, channels, packages []string, prefer *lock.Lock) (*lock.Lock, error) {
	wanted, err := spec.Parse([]byte(specText(packages, "conda-forge")))
	if err != nil {
		return nil, err
	}
	return d.Solve(ctx, driver.Request{Spec: wanted, Channels: channels, Prefer: prefer}, nil)
}

// solveCold starts everything for one solve: with nothing read before, and with what an earlier process has left on disk.
func (b *benchmark) solveCold(ctx context.Context, s *site, packages []string) error {
	var ours, theirs [2]samples
	for i := range 5 {
		mine, peers := filepath.Join(s.dir, "cold"+strconv.Itoa(i)), filepath.Join(s.dir, "peer", "cold"+strconv.Itoa(i))
		for n := range 2 {
			begin := time.Now()
			d := s.driver(mine)
			_, err := s.solveWith(ctx, d, []string{s.channel}, packages, nil)
			ours[n] = append(ours[n], time.Since(begin).Seconds())
			if err = errors.Join(err, d.Close()); err != nil {
				return err
			}
			_, took, err := timed(ctx, nil, slices.Concat([]string{s.tools.Python, s.peer.script, "solve", s.channel, peers}, packages)...)
			if err != nil {
				return err
			}
			theirs[n] = append(theirs[n], took.Seconds())
		}
	}
	b.within("solve, cold: a new process and nothing on disk, p50", ours[0].at(0.5), theirs[0].at(0.5), "s", rattlerAlone, 1.1)
	b.within("solve, cold: a new process and its index on disk, p50", ours[1].at(0.5), theirs[1].at(0.5), "s", rattlerAlone, 1.1)
	return nil
}

// manyPackages is an environment of 500 small packages and a kernel.
var manyPackages = append(slices.Clone(starter), "many-all")

// manyPackages makes the channel of many packages and an environment of it, once.
func (s *site) manyPackages(ctx context.Context) error {
	if _, err := os.Stat(s.many); err == nil {
		return nil
	}
	if err := output(ctx, s.folders.Python, s.peer.script, "many", s.many, "500", "internal/testchannel/channel"); err != nil {
		return err
	}
	if err := s.project(ctx, "many"); err != nil {
		return err
	}
	return s.create(ctx, "many", map[string]any{"name": "many", "text": strings.TrimSpace(specText(manyPackages, "many", "conda-forge"))})
}
