package envs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/internal/jobs"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/workloads"
)

// jobBuild is the kind of job that works on the builds of one environment, in their order, until none is left to be built. It is in
// the queue, so that a build that was asked for happens even if the gateway dies on the way.
const jobBuild = "environment.build"

type buildJob struct {
	Project     string `json:"project"`
	Environment string `json:"environment"`
}

const (
	// lease is short: where a queue does not know who has died, builds wait as long for another gateway.
	lease   = 5 * time.Second
	workers = 16 // most of what they do is waiting for the lane, a slot or a builder
)

var errCanceled = errors.New("the build was canceled")

// enqueue sees to it that somebody works on an environment's builds.
func (s *Service) enqueue(ctx context.Context, project, name string) error {
	payload, err := json.Marshal(buildJob{project, name})
	if err != nil {
		return fmt.Errorf("build environment %s: %w", name, err)
	}
	err = s.cfg.Queue.Enqueue(context.WithoutCancel(ctx), queue.Job{ID: uuid.NewString(), Kind: jobBuild, UniqueKey: project + "/" + name, Payload: payload})
	if err != nil && !errors.Is(err, queue.ErrDuplicate) {
		return fmt.Errorf("build environment %s: %w", name, err)
	}
	return nil
}

func readJob(queued queue.Job) (job buildJob, err error) {
	if err := json.Unmarshal(queued.Payload, &job); err != nil {
		return job, fmt.Errorf("build environment: %w", err)
	}
	return job, nil
}

// serveQueue works on environments, several at a time.
func (s *Service) serveQueue() {
	if s.cfg.Workloads.Recovered(s.ctx) != nil {
		return
	}
	server := jobs.Server{
		Queue: s.cfg.Queue, Kind: jobBuild, Workers: workers, Lease: lease, Log: s.cfg.Log,
		Do: s.buildAll, Done: s.buildRest,
	}
	server.Serve(s.ctx)
}

// buildAll carries out the builds of an environment, one after the other.
func (s *Service) buildAll(ctx context.Context, queued queue.Job) error {
	job, err := readJob(queued)
	if err != nil {
		return err
	}
	return s.work(ctx, job)
}

// buildRest queues what was asked for since buildAll looked: while that was at work it could not be queued.
func (s *Service) buildRest(ctx context.Context, queued queue.Job) error {
	job, err := readJob(queued)
	if err != nil {
		return err
	}
	_, more, err := s.next(ctx, job)
	if err != nil || !more {
		return err
	}
	return s.enqueue(ctx, job.Project, job.Environment)
}

// work carries out the builds of an environment, one after the other.
func (s *Service) work(ctx context.Context, job buildJob) error {
	unlock, err := s.lines.lock(ctx, job.Project+"/"+job.Environment)
	if err != nil {
		return err
	}
	defer unlock()
	for {
		b, ok, err := s.next(ctx, job)
		if err != nil || !ok {
			return err
		}
		if err := s.runBuild(ctx, b); err != nil {
			return err
		}
	}
}

// next is the oldest build of an environment that is not over.
func (s *Service) next(ctx context.Context, job buildJob) (stored[buildRecord], bool, error) {
	builds, err := s.builds(ctx, job.Project, job.Environment)
	if err != nil {
		return stored[buildRecord]{}, false, err
	}
	for _, b := range builds {
		if !b.value.State.Ended() {
			return b, true, nil
		}
	}
	return stored[buildRecord]{}, false, nil
}

// recover takes up what an earlier process left: deletions that broke off, builds that are not over, builders that nobody waits for,
// and files of builders that were killed.
func (s *Service) recover() {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := s.recoverOnce(s.ctx)
		if err == nil || s.ctx.Err() != nil {
			return
		}
		s.cfg.Log.Error("environments could not be taken up again yet", "error", err)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Service) recoverOnce(ctx context.Context) error {
	if err := s.cfg.Workloads.Recovered(ctx); err != nil {
		return err
	}
	before, err := s.cfg.Workloads.List(ctx, "") // first: what is launched from now on belongs to a build that is stored
	if err != nil {
		return err
	}
	environments, err := all[envRecord](ctx, s.cfg.Storage, envKeys)
	if err != nil {
		return err
	}
	for _, e := range environments {
		if e.value.Deleting {
			if err := s.finishRemoval(ctx, By{}, e.value.Project, e.value.Name); err != nil {
				return err
			}
		}
	}
	builds, err := all[buildRecord](ctx, s.cfg.Storage, buildKeys)
	if err != nil {
		return err
	}
	wanted, named := map[string]bool{}, map[string]bool{} // builders for which a build waits, and all that builds tell of
	for _, b := range builds {
		named[b.value.Workload] = true
		if b.value.State.Ended() {
			continue
		}
		for _, name := range append(s.builders(b.value.ID), b.value.Workload) {
			wanted[name] = true
		}
		if err := s.enqueue(ctx, b.value.Project, b.value.Environment); err != nil {
			return err
		}
	}
	if err := s.stopOrphans(ctx, before, wanted, named); err != nil {
		return err
	}
	swept, err := s.cfg.Store.Sweep(ctx)
	if len(swept) > 0 {
		s.cfg.Log.Info("half-built environments removed", "count", len(swept))
	}
	return err
}

// stopOrphans ends builders that no build waits for: their gateway was killed while it canceled them. Archivers go on. A standby
// that no build has named ends by itself, and may be another process's.
func (s *Service) stopOrphans(ctx context.Context, running []workloads.Info, wanted, named map[string]bool) error {
	for _, w := range running {
		if isArchiver(w.ID) {
			s.wg.Go(func() { s.followArchiver(w.Project, s.archived(w.ID)) })
			continue
		}
		if _, ahead := s.standbyOf(w.ID); w.Kind != build.Kind || wanted[w.ID] || ahead && !named[w.ID] {
			continue
		}
		err := s.cfg.Workloads.Stop(ctx, w.Project, w.ID, "")
		if err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
	}
	return nil
}
