package envs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// run is the work on one build, by one goroutine.
type run struct {
	s   *Service
	ref buildRef
	rec buildRecord
	rev storage.Revision
	log *journal

	cancel context.CancelCauseFunc
	// recovered says that the builder of an earlier process has been looked for.
	recovered bool

	mu      sync.Mutex
	waiting string // guarded by mu
}

// waitEvery is how often it is asked again whether the tools are there.
const waitEvery = 250 * time.Millisecond

// errDropped means that the build is not there any more.
var errDropped = errors.New("the build was deleted")

// storageError is a fault of ours that may pass: the build goes on later.
type storageError struct{ error }

func (e storageError) Unwrap() error { return e.error }

// fault leaves what explains itself as it is, and makes everything else a storageError.
func fault(err error) error {
	if err == nil || problem.CodeOf(err) != problem.Internal {
		return err
	}
	if _, ok := errors.AsType[*driver.Failure](err); ok {
		return err
	}
	return storageError{err}
}

func (s *Service) running(ref buildRef) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[ref]
}

// heed looks at a build that was written: another process may have canceled it.
func (s *Service) heed(key string) {
	project, name, _ := owner(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref, r := range s.runs {
		if ref.project == project && ref.name == name && numbered(buildKeys, project, name, ref.n) == key {
			s.wg.Go(r.look)
		}
	}
}

// look cancels a run whose build is over in storage.
func (r *run) look() {
	b, _, err := load[buildRecord](r.s.ctx, r.s.cfg.Storage, r.key())
	restoring := b.State == Ready && b.Failure != nil && b.Failure.Cause == driver.Canceled
	if errors.Is(err, storage.ErrNotFound) || err == nil && (b.State == CanceledS || restoring) {
		r.cancel(errCanceled)
	}
}

func (r *run) key() string { return numbered(buildKeys, r.ref.project, r.ref.name, r.ref.n) }

func (r *run) progress() (*driver.Event, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.last(), r.waiting
}

// runBuild takes a build to its end. An error means that it has not come to one: it goes on later.
func (s *Service) runBuild(ctx context.Context, b stored[buildRecord]) error {
	ref := buildRef{b.value.Project, b.value.Environment, b.value.Number}
	j, err := openJournal(s.cfg.Store.Log(ref.project, ref.name, ref.n), s.cfg.Now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{s: s, ref: ref, rec: b.value, rev: b.rev, log: j, cancel: cancel}
	s.mu.Lock()
	s.runs[ref] = r
	s.mu.Unlock()
	err = r.conclude(ctx, r.work(ctx))
	s.mu.Lock()
	delete(s.runs, ref)
	s.mu.Unlock()
	return errors.Join(err, j.close())
}

// conclude writes down how the work ended.
func (r *run) conclude(ctx context.Context, err error) error {
	fault := storageError{}
	switch {
	case err == nil:
		r.s.askCollect()
		return nil
	case errors.Is(err, errCanceled), errors.Is(err, errDropped), errors.Is(context.Cause(ctx), errCanceled):
		return r.canceled(ctx)
	case errors.As(err, &fault):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx) // Close, or the lease was lost
	}
	f := driver.FailureOf(err)
	state := Failed
	if f.Cause == driver.Canceled {
		state = CanceledS
	}
	err = r.update(ctx, func(b *buildRecord) { b.end(state, f, r.s.now()) })
	if errors.Is(err, errCanceled) || errors.Is(err, errDropped) {
		return r.canceled(ctx)
	}
	if err != nil {
		return err
	}
	r.s.cfg.Log.InfoContext(ctx, "build of an environment failed", "project", r.ref.project, "environment", r.ref.name, "build", r.ref.n,
		"cause", f.Cause)
	return r.log.add(resultOf(r.rec, f.Message))
}

// endTime is how long a canceled build may take to remove what it has made.
const endTime = 30 * time.Second

// canceled removes what a build has made that somebody else ended, and ends its log.
func (r *run) canceled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	err := r.clear(ctx)
	if b, rev, loadErr := load[buildRecord](ctx, r.s.cfg.Storage, r.key()); loadErr == nil {
		r.rec, r.rev = b, rev
	} else if errors.Is(loadErr, storage.ErrNotFound) {
		return err // its log goes with it
	}
	if r.log.over() {
		return err // who canceled it found nobody at work on it, and has said so
	}
	text := ""
	if r.rec.Failure != nil {
		text = r.rec.Failure.Message
	}
	e := resultOf(r.rec, text)
	if !r.rec.State.Ended() { // it has been asked for anew already
		e.State = string(CanceledS)
	}
	return errors.Join(err, r.log.add(e))
}

// update changes the stored build. errCanceled if somebody has ended it, errDropped if it has gone.
func (r *run) update(ctx context.Context, do func(*buildRecord)) error {
	for {
		next := r.rec
		do(&next)
		rev, err := r.s.cfg.Storage.Apply(ctx, storage.Update(r.key(), encode(next), r.rev))
		if err == nil {
			r.rec, r.rev = next, rev
			return nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return storageError{err}
		}
		if err := r.reread(ctx); err != nil {
			return err
		}
	}
}

// reread takes over what somebody else wrote.
func (r *run) reread(ctx context.Context) error {
	b, rev, err := load[buildRecord](ctx, r.s.cfg.Storage, r.key())
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return errDropped
	case err != nil:
		return storageError{err}
	case b.State.Ended():
		return errCanceled
	}
	r.rec, r.rev = b, rev
	return nil
}

// tell adds to the log. That a line is lost stops no build.
func (r *run) tell(e driver.Event) {
	if err := r.log.add(e); err != nil {
		r.s.cfg.Log.Error("line of a log is lost", "error", err)
	}
}

// wait says what the build waits for, once.
func (r *run) wait(why string) {
	r.mu.Lock()
	same := r.waiting == why
	r.waiting = why
	r.mu.Unlock()
	if same {
		return
	}
	if why != "" {
		r.tell(driver.Event{Type: driver.TypeLog, Text: why})
	}
	r.s.hub.publish(Change{Project: r.ref.project, Environment: r.ref.name})
}

// work takes the build from the state that it is in to Ready. The first error ends it.
func (r *run) work(ctx context.Context) error {
	p, err := r.planned(ctx)
	if err != nil {
		return err
	}
	if err := r.produce(ctx, p); err != nil {
		return err
	}
	if !r.rec.Reused { // somebody is at work on it
		r.s.keepReady(r.ref.project, r.rec.By, p, standbyPause)
	}
	return nil
}

// planned says what to make; nil where an earlier process had begun with that.
func (r *run) planned(ctx context.Context) (*plan, error) {
	switch {
	case r.rec.State == Building && r.rec.ID != "":
		return nil, nil
	case r.rec.Restore:
		return r.restored(ctx)
	default:
		return r.settled(ctx)
	}
}

// env reads the build's environment.
func (r *run) env(ctx context.Context) (envRecord, error) {
	env, _, err := r.s.load(ctx, r.ref.project, r.ref.name)
	if problem.Is(err, problem.NotFound) {
		return env, errDropped
	}
	if err != nil {
		return env, storageError{err}
	}
	return env, nil
}

// restored is the plan of a build that was ready once: its lock is known.
func (r *run) restored(ctx context.Context) (*plan, error) {
	env, err := r.env(ctx)
	if err != nil {
		return nil, err
	}
	rev, err := r.s.revision(ctx, r.ref.project, r.ref.name, r.rec.Revision)
	if err != nil {
		return nil, fault(err)
	}
	p := &plan{revision: rev, kind: env.Kind, rules: r.s.rules(env.Project, &env)}
	if p.spec, err = parse(rev.Text); err != nil {
		return nil, err
	}
	l, err := r.s.LockByID(ctx, r.rec.Lock)
	if err != nil {
		return nil, fault(err)
	}
	if f := refusal(r.s.objections(p.rules, l)); f != nil {
		return nil, f
	}
	p.inputs, p.kind = r.rec.Inputs, l.Kind
	p.settle(l)
	if p.id == r.rec.ID {
		return p, nil
	}
	// The rules name its trust domain otherwise by now, or prefixes are laid out anew: its files go elsewhere.
	return p, r.update(ctx, func(b *buildRecord) { b.take(p) })
}

// settled solves, unless what it comes to is known.
func (r *run) settled(ctx context.Context) (*plan, error) {
	p, d, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	builds, err := r.s.builds(ctx, r.ref.project, r.ref.name)
	if err != nil {
		return nil, storageError{err}
	}
	l, err := r.s.lockedBefore(ctx, p, builds)
	if err != nil {
		return nil, fault(err)
	}
	if l != nil {
		r.tell(driver.Event{Type: driver.TypeLog, Text: "what to install is known already: nothing is solved"})
		p.settle(l)
		if f := refusal(r.s.findings(p.rules, p.spec, l)); f != nil {
			return nil, f
		}
	} else if err := r.solve(ctx, d, p); err != nil {
		return nil, err
	}
	if _, err := r.s.keepLock(ctx, p.lock); err != nil {
		return nil, fault(err)
	}
	return p, r.update(ctx, func(b *buildRecord) { b.take(p) })
}

// begin plans the build as soon as there is a driver for it, and then says that it is being solved: until then edits become part
// of it.
func (r *run) begin(ctx context.Context) (*plan, driver.Driver, error) {
	for {
		p, d, err := r.ready(ctx)
		if err == nil {
			r.wait("")
			now := r.s.now()
			was := r.rec.Revision
			err = r.update(ctx, func(b *buildRecord) {
				b.State, b.Phase = Solving, driver.Solve
				if b.Started == nil {
					b.Started = new(now)
				}
			})
			if err != nil {
				return nil, nil, err
			}
			if r.rec.Revision == was {
				r.tell(driver.Event{Type: driver.TypeState, State: string(Solving), Phase: driver.Solve})
				return p, d, nil
			}
			continue // an edit came in between, the last one
		}
		if !passes(err) {
			return nil, nil, err
		}
		r.wait(err.Error())
		select {
		case <-time.After(waitEvery):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// passes says whether what a build needs is only not there yet. What has failed may be there later, too, but perhaps not before
// somebody mends it: a build that waited for that would never end.
func passes(err error) bool {
	_, failed := errors.AsType[*driver.Failure](err)
	return problem.Is(err, problem.Unavailable) && !failed
}

// ready plans the newest that is asked of the build.
func (r *run) ready(ctx context.Context) (*plan, driver.Driver, error) {
	if err := r.reread(ctx); err != nil { // edits may have become part of it
		return nil, nil, err
	}
	env, err := r.env(ctx)
	if err != nil {
		return nil, nil, err
	}
	rev, err := r.s.revision(ctx, r.ref.project, r.ref.name, r.rec.Revision)
	if err != nil {
		return nil, nil, fault(err)
	}
	p, err := r.s.plan(ctx, env, rev, r.rec.Upgrade)
	if err != nil {
		return nil, nil, err
	}
	if rev.Lock != "" && len(p.upgrade) == 0 {
		return p, nil, nil // no driver is needed
	}
	d, err := r.s.driver(ctx, p)
	return p, d, err
}

// solve waits for the lane and solves.
func (r *run) solve(ctx context.Context, d driver.Driver, p *plan) error {
	select {
	case r.s.lane <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.s.lane }()
	env, err := r.env(ctx)
	if err != nil {
		return err
	}
	var prefer *lock.Lock
	if prefer, err = r.s.activeLock(ctx, env); err != nil {
		return fault(err)
	}
	findings, err := r.s.solve(ctx, d, p, prefer, r.tell)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	if f := refusal(findings); f != nil {
		return f
	}
	r.tell(driver.Event{Type: driver.TypeLog, Text: fmt.Sprintf("solved: %d packages, %d wheels", len(p.lock.Packages), len(p.lock.Wheels))})
	return nil
}

// whole makes the build ready, and the one in use unless somebody has chosen another since it was asked for.
func (r *run) whole(ctx context.Context, m *store.Manifest) error {
	text, by, activated, back := "", "", false, false
	now := r.s.now()
	_, err := r.s.change(ctx, r.ref.project, r.ref.name, func(st *step) error {
		if err := r.reread(ctx); err != nil {
			return err
		}
		activated = false
		next := r.rec
		then, chosen := next.activation(), next.Restore
		by = next.By
		if next.Restore {
			then, by = next.Then, next.ThenBy
		}
		next.finish(m, now)
		if st.env.Kind == "" {
			st.env.Kind, st.env.Why = m.Kind, "that was the way to make environments when it was first built"
		}
		st.update(r.key(), next, r.rev)
		switch {
		case st.env.Active != nil && st.env.Active.Build == next.Number && st.env.Active.ID == next.ID:
		case st.env.Chosen > next.Asked:
			text = fmt.Sprintf("build %d is ready; build %d stays in use, which somebody activated since this one was asked for",
				next.Number, st.env.Active.Build)
			next.Reason = saying(next.Reason, text)
			st.ops[len(st.ops)-1] = storage.Update(r.key(), encode(next), r.rev)
		default:
			text, activated, back = then, true, st.env.Active != nil && st.env.Active.Build > next.Number
			st.activate(next, m, by, then, chosen, now)
		}
		st.then(func() { r.rec = next })
		return nil
	})
	switch {
	case problem.Is(err, problem.NotFound):
		return errDropped
	case errors.Is(err, errCanceled), errors.Is(err, errDropped):
		return err
	case err != nil:
		return storageError{err}
	}
	r.s.usage.forget()
	if activated {
		r.s.auditActivation(ctx, By{User: by}, r.ref.project, r.ref.name, r.ref.n, back)
	}
	r.s.cfg.Log.InfoContext(ctx, "build of an environment is ready", "project", r.ref.project, "environment", r.ref.name, "build", r.ref.n,
		"reused", r.rec.Reused)
	r.tell(resultOf(r.rec, text)) // it is ready, whether that can be written or not
	return nil
}
