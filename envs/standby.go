package envs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/workloads"
)

// A builder of packages from channels needs a quarter of the time of a small change to start. So one is started ahead for who is at
// work on an environment: after a dry run, and after a build. It is a workload like other builders and waits, for a minute, for the
// order of whatever prefix its user has built next in that project. Only the process that has started a standby gives it an order:
// another one may be of another version. Whatever becomes of a standby that has none costs nobody a build, only the head start.
//
//	prepared ──► waiting ──► assigned ──► it is the builder of a prefix
//	                │
//	                └──► ended: not wanted in time, or the gateway closed, or killed

// standbyPause is how long after a build the next one gets a standby: those who wait for the build start their programs first.
const standbyPause = 2 * time.Second

// standbyName is what the list of workloads calls one; its build's name takes the place once it has an order.
const standbyName = "a builder kept ready"

// standbys are those that this process has started and that have no order yet.
type standbys struct {
	mu        sync.Mutex
	byProject map[string]*standby // guarded by mu
}

type standby struct {
	project, owner string
	name           string // of its folder in the store
	end            context.CancelFunc
	done           chan struct{} // closed when nothing is left of it, or it is none of ours any more
	assigned, over bool          // it has an order, it gets none any more; guarded by standbys.mu
}

// standbyID names the workload of a standby.
func (s *Service) standbyID(name string) string { return "standby-" + name + "-" + s.siteHash() }

// standbyOf gives the name of a workload that was started as a standby of ours.
func (s *Service) standbyOf(workload string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(workload, "standby-")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "-"+s.siteHash())
}

// keepReady starts a standby for who is about to build what p is like, unless there is one or there are enough.
func (s *Service) keepReady(project, user string, p *plan, pause time.Duration) {
	if user == "" || p == nil || p.lock.Kind != lock.Conda { // wheels have no helper to start
		return
	}
	all := &s.standbys
	all.mu.Lock()
	defer all.mu.Unlock()
	if s.ctx.Err() != nil || all.byProject[project] != nil || len(all.byProject) >= s.cfg.Standbys || len(s.slots) == cap(s.slots) {
		return
	}
	ctx, end := context.WithCancel(s.ctx)
	st := &standby{project: project, owner: user, name: randomName(), end: end, done: make(chan struct{})}
	all.byProject[project] = st
	s.wg.Go(func() {
		defer close(st.done)
		defer s.strike(st)
		s.stand(ctx, st, p, pause)
	})
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// strike takes a standby off the list.
func (s *Service) strike(st *standby) {
	s.standbys.mu.Lock()
	defer s.standbys.mu.Unlock()
	if s.standbys.byProject[st.project] == st {
		delete(s.standbys.byProject, st.project)
	}
}

// stand is the life of a standby as the gateway sees it. When ctx ends, one that has no order is ended.
func (s *Service) stand(ctx context.Context, st *standby, p *plan, pause time.Duration) {
	defer st.end()
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return
	}
	err := s.launchStandby(ctx, st, p)
	if err == nil {
		_, err = s.cfg.Workloads.Ended(ctx, st.project, s.standbyID(st.name))
	}
	if err != nil && ctx.Err() == nil && !problem.Is(err, problem.NotFound) {
		s.cfg.Log.WarnContext(ctx, "no builder is kept ready", "project", st.project, "error", err)
	}
	s.standbys.mu.Lock()
	st.over = !st.assigned || ctx.Err() == nil
	over := st.over
	s.standbys.mu.Unlock()
	if !over { // it works on, for the next process
		return
	}
	if err := s.removeStandby(ctx, st.name); err != nil {
		s.cfg.Log.WarnContext(ctx, "a builder that was kept ready is not ended", "project", st.project, "error", err)
	}
}

func (s *Service) launchStandby(ctx context.Context, st *standby, p *plan) error {
	order, err := s.order(p)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.PrepareStandby(st.name, order); err != nil {
		return err
	}
	return s.start(ctx, workloads.Request{
		Project: st.project, Owner: st.owner, Name: standbyName, Workload: scheduling.Workload{ID: s.standbyID(st.name)},
	}, build.Spec{Events: s.cfg.Store.StandbyEvents(st.name), Waits: true}, "--standby", st.name)
}

// removeStandby leaves nothing of a standby, whether it runs or not.
func (s *Service) removeStandby(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	return errors.Join(s.stopWorkload(ctx, s.standbyID(name)), s.cfg.Store.RemoveStandby(name))
}

// EndStandbys ends the builders that are kept ready for a project, of whatever process, and waits until they have ended.
func (s *Service) EndStandbys(ctx context.Context, project string) error {
	if st := s.standbyFor(project, func(*standby) bool { return true }); st != nil {
		st.end()
		select {
		case <-st.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	list, err := s.cfg.Workloads.List(ctx, project)
	for _, w := range list {
		if name, ok := s.standbyOf(w.ID); ok && s.cfg.Store.Waits(name) {
			err = errors.Join(err, s.removeStandby(ctx, name))
		}
	}
	return err
}

// standbyFor takes the standby of a project off the list, nil if there is none that is fit.
func (s *Service) standbyFor(project string, fit func(*standby) bool) *standby {
	all := &s.standbys
	all.mu.Lock()
	defer all.mu.Unlock()
	st := all.byProject[project]
	if st == nil || !fit(st) {
		return nil
	}
	delete(all.byProject, project)
	return st
}

// assign gives the order to the builder that is kept ready for the user and the project, if there is one: then it is the worker
// of the prefix. The order and the build name it first, so that whoever looks for it after this process was killed finds it. A
// build that has lost a builder gets one of its own.
func (r *run) assign(ctx context.Context, order store.Order) (w worker, ok bool, err error) {
	if r.rec.Tries > 0 || order.Lock.Kind != lock.Conda {
		return w, false, nil
	}
	st := r.s.standbyFor(r.ref.project, func(st *standby) bool { return st.owner == r.rec.By && r.s.cfg.Store.Waits(st.name) })
	if st == nil {
		return w, false, nil
	}
	w = worker{r.ref.project, r.s.standbyID(st.name)}
	order.Worker = w.id
	if err := r.commission(ctx, order, w.id, "the builder that was kept ready starts"); err != nil {
		st.end()
		return w, false, err
	}
	if err := r.s.hand(st, r.rec.ID); err != nil {
		r.s.cfg.Log.InfoContext(ctx, "the builder that was kept ready has gone", "project", st.project, "error", err)
		return w, false, nil
	}
	if err := r.s.cfg.Workloads.Rename(ctx, w.project, w.id, r.title()); err != nil && !problem.Is(err, problem.NotFound) {
		r.s.cfg.Log.WarnContext(ctx, "a builder keeps its old name", "workload", w.id, "error", err)
	}
	return w, true, nil
}

// hand gives a standby that was taken off the list its order, or ends it.
func (s *Service) hand(st *standby, id string) error {
	s.standbys.mu.Lock()
	defer s.standbys.mu.Unlock()
	err := store.ErrNoStandby
	if !st.over {
		err = s.cfg.Store.Assign(st.name, id)
	}
	if st.assigned = err == nil; !st.assigned {
		st.end()
	}
	return err
}
