package conda

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
)

// Solve implements driver.Driver. The conda part is solved first; wheels may add to it and never replace anything of it.
func (d *Driver) Solve(ctx context.Context, req driver.Request, tell driver.Sink) (*lock.Lock, error) {
	channels := req.Channels
	if len(channels) == 0 {
		channels = req.Spec.Channels
	}
	if len(channels) == 0 {
		return nil, driver.Failf(driver.SpecInvalid, "no channel is named; put one under channels:, for instance conda-forge")
	}
	if tell != nil {
		tell(driver.Event{Type: driver.TypeState, Phase: driver.Solve})
	}
	l, err := d.solveConda(ctx, req, channels)
	if err != nil {
		return nil, err
	}
	if len(req.Spec.Pip) > 0 {
		if err := d.solveWheels(ctx, req, l); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (d *Driver) solveConda(ctx context.Context, req driver.Request, channels []string) (*lock.Lock, error) {
	r := request{Op: "solve", Channels: d.addresses(channels), MinimumAge: req.MinimumAgeSeconds}
	for _, dependency := range req.Spec.Dependencies {
		r.Specs = append(r.Specs, d.addressed(dependency))
	}
	keep := preferred(req.Prefer, req.Upgrade)
	r.prefer = func(h *helper, r *request) { h.table.prefer(keep, r) }
	got, packages, err := d.solveRecords(ctx, r)
	if f, ok := errors.AsType[*driver.Failure](err); ok && f.Cause == stale {
		r.prefer = func(_ *helper, r *request) { (&table{}).prefer(keep, r) }
		got, packages, err = d.solveRecords(ctx, r)
	}
	if err != nil {
		return nil, placed(err, req.Spec)
	}
	l := &lock.Lock{
		Version: lock.FormatVersion, Kind: lock.Conda, Platform: platform, Channels: got.Channels, Packages: packages,
		Virtual: neededVirtual(got.Virtual, packages), Solver: d.c.Tools.Version, Created: time.Now().UTC(),
	}
	l.Python = minor(packages)
	return l, nil
}

// addressed is a MatchSpec as the helper takes it: a channel that it names stands for an address, as elsewhere.
func (d *Driver) addressed(r spec.Requirement) string {
	rest, ok := strings.CutPrefix(r.Text, r.Channel+"::")
	if r.Channel == "" || !ok {
		return r.Text
	}
	return d.addresses([]string{r.Channel})[0] + "::" + rest
}

func (d *Driver) solveRecords(ctx context.Context, r request) (got solved, packages []lock.Package, err error) {
	r2 := r
	var from *helper
	r2.prefer = func(h *helper, asked *request) {
		from = h
		if r.prefer != nil {
			r.prefer(h, asked)
		}
	}
	err = d.ask(ctx, r2, func(m message) error {
		if err := m.into(&got); err != nil {
			return err
		}
		from.mu.Lock()
		defer from.mu.Unlock()
		packages, err = from.table.learn(got)
		return err
	})
	return got, packages, err
}

// preferred are the packages to stay with.
func preferred(l *lock.Lock, upgrade []string) []lock.Package {
	if l == nil || l.Kind != lock.Conda {
		return nil
	}
	if len(upgrade) == 0 {
		return l.Packages
	}
	return slices.DeleteFunc(slices.Clone(l.Packages), func(p lock.Package) bool { return slices.Contains(upgrade, p.Name) })
}

// prefer names the packages by number where the helper knows them, and by file and hash where it does not. Their records are not sent:
// they may be anybody's words.
func (t *table) prefer(keep []lock.Package, r *request) {
	r.Generation, r.Locked, r.Artifacts = t.generation, nil, nil
	for i := range keep {
		p := &keep[i]
		if number, ok := t.numbers[artifact{p.URL, p.SHA256}]; ok {
			r.Locked = append(r.Locked, number)
		} else {
			r.Artifacts = append(r.Artifacts, reference{p.Name, p.URL, p.SHA256})
		}
	}
}

// placed adds the place in environment.yml to a failure that is about one of its lines.
func placed(err error, s *spec.Spec) error {
	r, ok := errors.AsType[*refusal](err)
	if !ok || r.Spec == nil || *r.Spec < 0 || *r.Spec >= len(s.Dependencies) {
		return err
	}
	f := *driver.FailureOf(err)
	f.Line, f.Column = s.Dependencies[*r.Spec].Line, s.Dependencies[*r.Spec].Col
	return &f
}

// minor is the Python version of the packages, "3.11"; empty where there is none.
func minor(packages []lock.Package) string {
	for _, p := range packages {
		if p.Name == "python" {
			parts := strings.SplitN(p.Version, ".", 3)
			return strings.Join(parts[:min(2, len(parts))], ".")
		}
	}
	return ""
}

// neededVirtual are the virtual packages that any of the packages depends on. The others say nothing about the content, and
// would make another lock of it on every host.
func neededVirtual(all []string, packages []lock.Package) []string {
	var needed []string
	for _, virtual := range all {
		name, _, _ := strings.Cut(virtual, "=")
		for i := range packages {
			if dependsOn(packages[i].Depends, name) {
				needed = append(needed, virtual)
				break
			}
		}
	}
	return needed
}

func dependsOn(depends []string, name string) bool {
	return slices.ContainsFunc(depends, func(dependency string) bool {
		rest, ok := strings.CutPrefix(dependency, name)
		return ok && (rest == "" || strings.ContainsRune(" =<>!~[", rune(rest[0])))
	})
}

func fileName(url string) string { return path.Base(url) }
