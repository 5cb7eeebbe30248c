package envs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// revise adds a revision.
func (st *step) revise(by By, text, message, lockID string, now time.Time) Revision {
	st.env.Revision++
	r := Revision{
		Number: st.env.Revision, Text: text, Author: by.User, Message: message, Created: now, SHA256: digest(text), Lock: lockID,
	}
	st.create(numbered(revisionKeys, st.env.Project, st.env.Name, r.Number), r)
	if st.revised == nil {
		st.revised = map[int]Revision{}
	}
	st.revised[r.Number] = r
	return r
}

// Spec returns a revision of an environment's spec; 0 is the newest.
func (s *Service) Spec(ctx context.Context, project, name string, revision int) (Revision, error) {
	env, err := s.environment(ctx, project, name)
	if err != nil {
		return Revision{}, err
	}
	if revision == 0 {
		revision = env.Revision
	}
	return s.revision(ctx, project, name, revision)
}

func (s *Service) revision(ctx context.Context, project, name string, n int) (Revision, error) {
	r, _, err := load[Revision](ctx, s.cfg.Storage, numbered(revisionKeys, project, name, n))
	return r, missing(err, "there is no revision %d of environment %q", n, name)
}

// Revisions lists all revisions of an environment's spec, the newest first.
func (s *Service) Revisions(ctx context.Context, project, name string) ([]Revision, error) {
	if _, err := s.environment(ctx, project, name); err != nil {
		return nil, err
	}
	return newestFirst[Revision](ctx, s.cfg.Storage, revisionKeys+project+"/"+name+"/")
}

// newestFirst collects what is below prefix from the end.
func newestFirst[T any](ctx context.Context, backend storage.Backend, prefix string) ([]T, error) {
	records, err := all[T](ctx, backend, prefix)
	if err != nil {
		return nil, err
	}
	items := make([]T, 0, len(records))
	for _, r := range slices.Backward(records) {
		items = append(items, r.value)
	}
	return items, nil
}

// SetSpec adds a revision, and a build of it if build is set. If ifRevision is not 0 and not the newest, it returns a
// problem.Conflict that names who wrote the newest. A text that says nothing new adds no revision.
func (s *Service) SetSpec(ctx context.Context, by By, project, name, text, message string, ifRevision int, build bool) (Revision, *Build, error) {
	if err := checkText(message); err != nil {
		return Revision{}, nil, err
	}
	sp, err := parse(text)
	if err == nil {
		err = checkVariables(sp)
	}
	if err != nil {
		return Revision{}, nil, err
	}
	var r Revision
	var asked *buildRecord
	env, err := s.change(ctx, project, name, func(st *step) error {
		if err := denied(s.rules(project, &st.env).CheckSpec(sp)); err != nil {
			return err
		}
		newest, err := s.revision(ctx, project, name, st.env.Revision)
		if err != nil {
			return err
		}
		if ifRevision != 0 && ifRevision != newest.Number {
			return changedMeanwhile(newest)
		}
		r, asked = newest, nil
		if text != newest.Text {
			r = st.revise(by, text, message, "", s.now())
		}
		if !build {
			return nil
		}
		b, err := s.ask(ctx, st, wish{by: by, revision: r.Number, reason: saying("environment.yml changed", message), merge: true})
		asked = &b
		return err
	})
	if err != nil {
		return Revision{}, nil, err
	}
	s.audit(ctx, by, "environment_edited", project, name, fmt.Sprintf("revision %d", r.Number))
	if asked == nil {
		return r, nil, nil
	}
	shown := s.show(env, *asked)
	return r, &shown, s.enqueue(ctx, project, name)
}

// checkVariables refuses variables that are ours to set. It is for what is saved: builds of older revisions leave them out.
func checkVariables(sp *spec.Spec) error {
	for _, name := range slices.Sorted(maps.Keys(sp.Variables)) {
		if name == "PATH" || strings.HasPrefix(name, "HOPYARD_") {
			return problem.New(problem.Invalid, "the variable %s is set by Hopyard: remove it from variables:", name)
		}
	}
	return nil
}

func changedMeanwhile(newest Revision) error {
	who := newest.Author
	if who == "" {
		who = "somebody on the server"
	}
	return problem.New(problem.Conflict, "%s changed the environment meanwhile: revision %d is the newest; look at it and try again", who, newest.Number)
}

func saying(what, message string) string {
	if message == "" {
		return what
	}
	return what + ": " + message
}

// Edit changes the newest spec and asks for a build. If a build is queued already, the edit becomes part of it. An edit that
// cannot be solved changes nothing: the failure is in the error's chain.
func (s *Service) Edit(ctx context.Context, by By, project, name string, e spec.Edit, message string) (Build, error) {
	if err := checkText(message); err != nil {
		return Build{}, err
	}
	found, err := s.tryEdit(ctx, project, name, e)
	if err != nil {
		return Build{}, err
	}
	var asked buildRecord
	env, err := s.change(ctx, project, name, func(st *step) error {
		newest, err := s.revision(ctx, project, name, st.env.Revision)
		if err != nil {
			return err
		}
		sp, err := parse(newest.Text)
		if err != nil {
			return err
		}
		next, err := edited(sp, e)
		if err != nil {
			return err
		}
		if err := denied(s.rules(project, &st.env).CheckSpec(next)); err != nil {
			return err
		}
		r := newest
		if string(next.Text) != newest.Text {
			lockID := ""
			if found != nil && found.revision.Text == string(next.Text) {
				lockID = found.lockID
			}
			r = st.revise(by, string(next.Text), saying(describe(e), message), lockID, s.now())
		}
		asked, err = s.ask(ctx, st, wish{by: by, revision: r.Number, reason: saying(describe(e), message), upgrade: e.Upgrade, merge: true})
		return err
	})
	if err != nil {
		return Build{}, err
	}
	s.audit(ctx, by, "environment_edited", project, name, describe(e))
	return s.show(env, asked), s.enqueue(ctx, project, name)
}

// tryEdit solves an edit before it is kept, so that a wrong name does not stay in the spec, and stores the lock. It gives nil where the
// host cannot solve now: the build will say so when it comes to that.
func (s *Service) tryEdit(ctx context.Context, project, name string, e spec.Edit) (*plan, error) {
	_, p, findings, err := s.dryRun(ctx, project, name, Try{Edit: &e})
	if err == nil {
		err = denied(findings)
	}
	if err == nil {
		_, err = s.keepLock(ctx, p.lock)
		return p, err
	}
	if f, ok := errors.AsType[*driver.Failure](err); ok {
		switch f.Cause {
		case driver.SpecInvalid, driver.PackageMissing, driver.Unsatisfiable, driver.PolicyDenied:
			return nil, err
		default:
			return nil, nil
		}
	}
	if problem.CodeOf(err) == problem.Unavailable {
		return nil, nil
	}
	return nil, err
}

// edited is what a spec is after an edit.
func edited(sp *spec.Spec, e spec.Edit) (*spec.Spec, error) {
	if len(e.Add)+len(e.Remove)+len(e.Upgrade) == 0 {
		return nil, problem.New(problem.Invalid, "say what to add, to remove or to upgrade")
	}
	next, err := sp.Edit(e)
	return next, mistaken(err)
}

// describe says an edit in words: "add pandas, remove scipy".
func describe(e spec.Edit) string {
	var parts []string
	add := func(verb string, names []string) {
		if len(names) > 0 {
			parts = append(parts, verb+" "+strings.Join(names, " "))
		}
	}
	added := make([]string, len(e.Add))
	for i, p := range e.Add {
		added[i] = p.Name
	}
	add("add", added)
	add("remove", e.Remove)
	add("upgrade", e.Upgrade)
	return clipped(strings.Join(parts, ", "))
}

// clipped is as much of a text as is kept of what people write about a change.
func clipped(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + " …"
	}
	return text
}

// wish is what a build is asked for.
type wish struct {
	by       By
	revision int
	reason   string
	upgrade  []string
	// merge lets it become part of the build that is queued, if there is one.
	merge bool
}

// ask adds a build to a change, or adds to the one that is queued. A build whose files are there is ready at once.
func (s *Service) ask(ctx context.Context, st *step, w wish) (buildRecord, error) {
	builds, err := s.builds(ctx, st.env.Project, st.env.Name)
	if err != nil {
		return buildRecord{}, err
	}
	idle := true
	for _, b := range slices.Backward(builds) {
		if b.value.State.Ended() {
			continue
		}
		idle = false
		if w.merge && b.value.State == Queued && !b.value.Restore {
			return s.join(st, b, w), nil
		}
	}
	st.env.Builds++
	b := buildRecord{
		Build: Build{
			Project: st.env.Project, Environment: st.env.Name, Number: st.env.Builds, Revision: w.revision,
			State: Queued, By: w.by.User, Reason: w.reason, Created: s.now(),
		},
		Upgrade: w.upgrade, Asked: st.env.Activations,
	}
	key := numbered(buildKeys, b.Project, b.Environment, b.Number)
	if idle {
		if err := s.instant(ctx, st, &b, builds); err != nil {
			return b, err
		}
	}
	st.create(key, b)
	return b, nil
}

// join makes a wish part of a queued build. Should that have begun, the change does not happen and is decided anew.
func (s *Service) join(st *step, b stored[buildRecord], w wish) buildRecord {
	next := b.value
	next.Revision = w.revision
	next.Asked = st.env.Activations
	for _, name := range w.upgrade {
		if !slices.Contains(next.Upgrade, name) {
			next.Upgrade = append(slices.Clone(next.Upgrade), name)
		}
	}
	if w.reason != "" && !strings.Contains(next.Reason, w.reason) {
		next.Reason = clipped(strings.TrimPrefix(next.Reason+"; "+w.reason, "; "))
	}
	st.update(b.key, next, b.rev)
	return next
}

// instant makes a build ready at once if what it would solve to is known and its files are there. Whatever speaks against
// that leaves the build to be queued, where people see what it is.
func (s *Service) instant(ctx context.Context, st *step, b *buildRecord, before []stored[buildRecord]) error {
	r, ok := st.revised[b.Revision]
	if !ok {
		var err error
		if r, err = s.revision(ctx, b.Project, b.Environment, b.Revision); err != nil {
			return err
		}
	}
	p, err := s.plan(ctx, st.env, r, b.Upgrade)
	if err != nil {
		return nil //nolint:nilerror // the build will fail of it, where people see why
	}
	l, err := s.lockedBefore(ctx, p, before)
	if err != nil || l == nil || len(s.findings(p.rules, p.spec, l)) > 0 {
		return err
	}
	p.settle(l)
	m, ok, err := s.present(ctx, p.id)
	if err != nil || !ok {
		return err
	}
	b.take(p)
	b.Reused = true
	b.Started = new(s.now())
	b.finish(m, s.now())
	reason := b.activation()
	st.activate(*b, m, b.By, reason, false, s.now())
	rec := *b
	st.then(func() {
		s.tellInstant(rec, reason)
		s.auditActivation(ctx, By{User: rec.By}, rec.Project, rec.Environment, rec.Number, false)
	})
	return nil
}
