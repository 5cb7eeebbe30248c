package envs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/workloads"
)

// builderID names the workload that is launched to make a prefix. Whoever wants the same prefix finds it by that, or by the order,
// which names a standby that took it; other gateways on this host have names of their own, because a driver takes a workload's name
// for unique.
func (s *Service) builderID(id string) string { return "build-" + id + "-" + s.siteHash() }

func (s *Service) archiverID(id string) string { return "archive-" + id + "-" + s.siteHash() }

// archived is the prefix that an archiver of ours packs.
func (s *Service) archived(workload string) string {
	return strings.TrimSuffix(strings.TrimPrefix(workload, "archive-"), "-"+s.siteHash())
}

func (s *Service) siteHash() string { return digest(s.cfg.Site)[:8] }

func isArchiver(workload string) bool { return strings.HasPrefix(workload, "archive-") }

var errTimedOut = errors.New("the build took too long")

// produce takes a build whose prefix is known to Ready. p is nil where an earlier process had begun.
func (r *run) produce(ctx context.Context, p *plan) error {
	m, ok, err := r.s.present(ctx, r.rec.ID)
	if err != nil {
		return storageError{err}
	}
	if ok {
		if err := r.found(ctx); err != nil {
			return err
		}
		return r.whole(ctx, m)
	}
	if r.rec.State != Building {
		err := r.update(ctx, func(b *buildRecord) {
			b.State, b.Phase = Building, driver.Fetch
			if b.Started == nil {
				b.Started = new(r.s.now())
			}
		})
		if err != nil {
			return err
		}
		r.tell(driver.Event{Type: driver.TypeState, State: string(Building), Phase: driver.Fetch})
	}
	for {
		m, err := r.attempt(ctx, p)
		if m != nil {
			return r.whole(ctx, m)
		}
		lost := lostError{}
		if !errors.As(err, &lost) {
			return err
		}
		if r.rec.Tries > 0 {
			return lost.failure(r.s.cfg.MemoryBytes)
		}
		if err := r.update(ctx, func(b *buildRecord) { b.Tries++ }); err != nil {
			return err
		}
		if err := r.beginAnew(fmt.Sprintf("the builder was lost: %s; it is tried once more", lost)); err != nil {
			return err
		}
	}
}

// found deals with a prefix that is there: for another build, or because the builder of this one ended while no gateway looked, whose
// last events are read.
func (r *run) found(ctx context.Context) error {
	if r.rec.State != Building {
		return r.update(ctx, func(b *buildRecord) { b.Reused = true })
	}
	t := &tail{path: r.s.cfg.Store.Events(r.rec.ID), skip: r.log.position()}
	defer t.close()
	_, err := r.copy(ctx, t)
	return err
}

// lostError is how a builder ended that had not come to an end.
type lostError struct{ workloads.End }

func (e lostError) Error() string {
	if e.Reason == "" {
		return "it has disappeared"
	}
	return e.Reason
}

// killed is the exit code of a program that signal 9 ended.
const killed = 128 + 9

func (e lostError) failure(memory int64) *driver.Failure {
	if e.ExitCode == killed && memory > 0 {
		return driver.Failf(driver.OutOfMemory, "the builder was killed, as programs are that need more than their %d MiB of memory", memory>>20)
	}
	return driver.Failf(driver.WorkerLost, "the builder was lost twice: %s", e.Error())
}

// attempt has the prefix made once and gives its manifest, or why there is none: a lostError if the builder did not say.
func (r *run) attempt(ctx context.Context, p *plan) (*store.Manifest, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.s.cfg.Timeout, errTimedOut)
	defer cancel()
	w, done, err := r.launched(ctx, p)
	if err != nil {
		return nil, r.late(ctx, err)
	}
	defer done()
	result, end, err := r.attend(ctx, w)
	if err != nil {
		return nil, r.late(ctx, err)
	}
	if m, ok := r.s.cfg.Store.Find(r.rec.ID); ok {
		return m, nil
	}
	switch {
	case result != nil && result.Failure != nil:
		return nil, result.Failure
	case result != nil:
		return nil, driver.Failf(driver.ToolFailed, "the builder said that it was done, but its files are not whole")
	case end.Asked && w.project == r.ref.project:
		return nil, driver.Failf(driver.Canceled, "somebody stopped the builder")
	default:
		return nil, lostError{end}
	}
}

// late clears up after a build that took too long.
func (r *run) late(ctx context.Context, err error) error {
	if !errors.Is(context.Cause(ctx), errTimedOut) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := r.clear(ctx); err != nil {
		r.s.cfg.Log.Error("a build that took too long is not cleared up", "id", r.rec.ID, "error", err)
	}
	return driver.Failf(driver.TimedOut, "the build took longer than %s", r.s.cfg.Timeout)
}

// worker is the workload that makes a prefix, and the project that it runs in.
type worker struct{ project, id string }

// launched finds the builder of the prefix or has one begin. done gives back the slot that it took.
func (r *run) launched(ctx context.Context, p *plan) (w worker, done func(), err error) {
	if w, found, err := r.join(ctx); err != nil || found {
		return w, func() {}, err
	}
	if p == nil && r.rec.Workload != "" && !r.recovered {
		r.recovered = true // its builder has ended while nobody looked; its last words are there
		return worker{r.ref.project, r.rec.Workload}, func() {}, nil
	}
	order, err := r.ordered(ctx, p)
	if err != nil {
		return w, nil, err
	}
	select {
	case r.s.slots <- struct{}{}:
	default:
		r.wait("other builds are running; this one begins when one of them is done")
		select {
		case r.s.slots <- struct{}{}:
		case <-ctx.Done():
			return w, nil, context.Cause(ctx)
		}
		r.wait("")
	}
	w, err = r.launch(ctx, order)
	if err != nil {
		<-r.s.slots
		return w, nil, err
	}
	return w, func() { <-r.s.slots }, nil
}

// join looks for a builder that is at work on the prefix, for whatever project.
func (r *run) join(ctx context.Context) (w worker, found bool, err error) {
	unlock, err := r.s.files.lock(ctx, r.rec.ID)
	if err != nil {
		return w, false, err
	}
	defer unlock()
	info, found, err := r.s.builder(ctx, r.rec.ID)
	return worker{info.Project, info.ID}, found && r.s.atWork(info, r.rec.ID), err
}

// builders are the names that the workload which makes a prefix may have: a standby's that was given its order, or its own.
func (s *Service) builders(id string) []string {
	names := []string{s.builderID(id)}
	if w := s.cfg.Store.Worker(id); w != "" {
		if name, ok := s.standbyOf(w); ok && !s.cfg.Store.Waits(name) {
			names = append(names, w)
		}
	}
	return names
}

// builder finds the workload that makes a prefix.
func (s *Service) builder(ctx context.Context, id string) (w workloads.Info, found bool, err error) {
	for _, name := range s.builders(id) {
		if w, found, err = s.workload(ctx, name); err != nil || found {
			break
		}
	}
	return w, found, err
}

// atWork says whether a builder of a prefix is, or is only about to end.
func (s *Service) atWork(w workloads.Info, id string) bool {
	if w.State != workloads.Starting && w.State != workloads.Running {
		return false
	}
	last, ok := lastEvent(s.cfg.Store.Events(id))
	return !ok || last.Type != driver.TypeResult
}

// workload finds one of ours by its ID, which is the same in all projects.
func (s *Service) workload(ctx context.Context, id string) (workloads.Info, bool, error) {
	list, err := s.cfg.Workloads.List(ctx, "")
	if err != nil {
		return workloads.Info{}, false, err
	}
	for _, w := range list {
		if w.ID == id {
			return w, true, nil
		}
	}
	return workloads.Info{}, false, nil
}

// stopWorkload ends one of ours, if it is there.
func (s *Service) stopWorkload(ctx context.Context, id string) error {
	w, found, err := s.workload(ctx, id)
	if err != nil || !found {
		return err
	}
	err = s.cfg.Workloads.Stop(ctx, w.Project, id, "")
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	return err
}

// ordered is what the builder is told, as soon as there are tools for it.
func (r *run) ordered(ctx context.Context, p *plan) (store.Order, error) {
	var err error
	if p == nil {
		if p, err = r.restored(ctx); err != nil {
			return store.Order{}, err
		}
	}
	for {
		o, err := r.s.order(p)
		if !passes(err) {
			r.wait("")
			return o, err
		}
		r.wait(err.Error())
		select {
		case <-time.After(waitEvery):
		case <-ctx.Done():
			return o, context.Cause(ctx)
		}
	}
}

// beginAnew notes that none of the events of the builder to come has been read.
func (r *run) beginAnew(why string) error {
	zero := 0
	if err := r.log.append(entry{Event: driver.Event{Type: driver.TypeLog, Text: why}, Copied: &zero}); err != nil {
		return storageError{err}
	}
	return nil
}

// launch has a builder begin, unless somebody else has meanwhile, or has even made the prefix.
func (r *run) launch(ctx context.Context, order store.Order) (w worker, err error) {
	unlock, err := r.s.files.lock(ctx, r.rec.ID)
	if err != nil {
		return w, err
	}
	defer unlock()
	for {
		info, found, err := r.s.builder(ctx, r.rec.ID)
		if err != nil {
			return w, err
		}
		if !found {
			break
		}
		if r.s.atWork(info, r.rec.ID) {
			return worker{info.Project, info.ID}, nil
		}
		if _, err := r.s.cfg.Workloads.Ended(ctx, info.Project, info.ID); err != nil && !problem.Is(err, problem.NotFound) {
			return w, err
		}
	}
	w = worker{r.ref.project, r.s.builderID(r.rec.ID)}
	if _, whole := r.s.cfg.Store.Find(r.rec.ID); whole {
		return w, nil
	}
	if w, ok, err := r.assign(ctx, order); err != nil || ok {
		return w, err
	}
	if err := r.commission(ctx, order, w.id, "the builder starts"); err != nil {
		return w, err
	}
	if err := r.s.launch(ctx, By{User: r.rec.By}, w.project, w.id, r.rec.ID, r.title()); err != nil {
		return w, driver.Failf(driver.ToolFailed, "the builder cannot be started: %w", err)
	}
	return w, nil
}

// commission writes down the order and who carries it out, and says so.
func (r *run) commission(ctx context.Context, order store.Order, workload, words string) error {
	if err := r.s.cfg.Store.Order(ctx, r.rec.ID, order); err != nil {
		return fault(err)
	}
	if err := r.beginAnew(words); err != nil {
		return err
	}
	return r.update(ctx, func(b *buildRecord) { b.Workload = workload })
}

// title is what the list of workloads calls the builder.
func (r *run) title() string { return fmt.Sprintf("%s build %d", r.ref.name, r.ref.n) }

// order is what the builder of a plan is told.
func (s *Service) order(p *plan) (store.Order, error) {
	o, err := s.cfg.Order(p.kind)
	if err != nil {
		return o, err
	}
	o.Task, o.Lock, o.Options, o.Requested = store.TaskBuild, p.lock, p.options, p.spec.Names()
	o.Alias, o.ChannelURLs, o.Index = p.rules.ChannelAlias, p.rules.ChannelURLs, p.rules.Index
	return o, nil
}

// launch starts a builder as a workload of a project.
func (s *Service) launch(ctx context.Context, by By, project, workload, id, name string) error {
	return s.start(ctx, workloads.Request{
		Project: project, Owner: by.User, Name: name, Labels: map[string]string{"prefix": id}, Workload: scheduling.Workload{ID: workload},
	}, build.Spec{Events: s.cfg.Store.Events(id)}, "--id", id)
}

// start starts the program that builds.
func (s *Service) start(ctx context.Context, req workloads.Request, spec build.Spec, args ...string) error {
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("launch builder: %w", err)
	}
	w := &req.Workload
	w.Kind, w.Env, w.Dir, w.Spec = build.Kind, s.cfg.BuilderEnv, s.cfg.Store.Dir(), text
	w.Argv = slices.Concat(s.cfg.Builder, []string{"--store", s.cfg.Store.Dir()}, args)
	w.Limits = scheduling.Limits{MemoryBytes: s.cfg.MemoryBytes}
	_, err = s.cfg.Workloads.Launch(ctx, req)
	return err
}

// attend copies the builder's events into the log until it says its result, or has ended without.
func (r *run) attend(ctx context.Context, w worker) (result *driver.Event, end workloads.End, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type ended struct {
		end workloads.End
		err error
	}
	over := make(chan ended, 1)
	go func() {
		e, err := r.s.cfg.Workloads.Ended(ctx, w.project, w.id)
		if problem.Is(err, problem.NotFound) { // when another process followed it
			err = nil
		}
		over <- ended{e, err}
	}()
	t := &tail{path: r.s.cfg.Store.Events(r.rec.ID), skip: r.log.position()}
	defer t.close()
	look := time.NewTicker(tailEvery)
	defer look.Stop()
	for {
		if result, err = r.copy(ctx, t); result != nil || err != nil {
			return result, end, err
		}
		select {
		case <-look.C:
		case e := <-over:
			if e.err != nil {
				return nil, end, e.err
			}
			result, err = r.copy(ctx, t)
			return result, e.end, err
		case <-ctx.Done():
			return nil, end, context.Cause(ctx)
		}
	}
}

// tailEvery is how often the builder's events are looked at. A look that finds nothing is one read of a file.
const tailEvery = 5 * time.Millisecond

// copy takes over what the builder has told since the last time; its result is told in our own words.
func (r *run) copy(ctx context.Context, t *tail) (*driver.Event, error) {
	for {
		e, ok, err := t.next()
		if err != nil || !ok {
			return nil, err
		}
		if e.Type == driver.TypeResult {
			return &e, nil
		}
		if err := r.log.append(entry{Event: e, Copied: &t.read}); err != nil {
			return nil, storageError{err}
		}
		if e.Phase != "" && e.Phase != r.rec.Phase {
			if err := r.update(ctx, func(b *buildRecord) { b.Phase = e.Phase }); err != nil {
				return nil, err
			}
		}
	}
}

// tail reads a builder's events.
type tail struct {
	reader
	path string
	skip int // lines that were read before
	read int // lines so far
}

// next gives the next event that was not read before. Lines that are no events are left out: a builder may be of another version.
func (t *tail) next() (driver.Event, bool, error) {
	t.reader.path = t.path
	for {
		line, ok, err := t.line()
		if errors.Is(err, io.EOF) || !ok {
			return driver.Event{}, false, nil
		}
		if err != nil {
			return driver.Event{}, false, storageError{err}
		}
		t.read++
		var e driver.Event
		if t.read <= t.skip || json.Unmarshal(line, &e) != nil {
			continue
		}
		return e, true, nil
	}
}

// clear ends the builder of a build that was canceled and removes what it has made, unless another build waits for the same.
func (r *run) clear(ctx context.Context) error {
	id := r.rec.ID
	if id == "" {
		return nil
	}
	unlock, err := r.s.files.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	shared, err := r.s.awaited(ctx, id, r.ref)
	if err != nil || shared {
		return err
	}
	for _, name := range r.s.builders(id) {
		if err := r.s.stopWorkload(ctx, name); err != nil {
			return err
		}
	}
	if _, whole := r.s.cfg.Store.Manifest(id); whole {
		return nil
	}
	return r.s.cfg.Store.Remove(ctx, id)
}

// awaited says whether another build waits for a prefix.
func (s *Service) awaited(ctx context.Context, id string, but buildRef) (bool, error) {
	builds, err := all[buildRecord](ctx, s.cfg.Storage, buildKeys)
	if err != nil {
		return false, err
	}
	for _, b := range builds {
		ref := buildRef{b.value.Project, b.value.Environment, b.value.Number}
		if b.value.ID == id && !b.value.State.Ended() && ref != but {
			return true, nil
		}
	}
	return false, nil
}
