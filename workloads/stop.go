package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/internal/jobs"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
)

// jobStop is the kind of job that ends a workload and removes what it left. It is in the queue, so that a stop that was
// answered happens even if the gateway dies on the way.
const jobStop = "workload.stop"

// stopJob says what to stop. An ID may be used again: Started tells the one from the other.
type stopJob struct {
	Project string    `json:"project"`
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
}

func (j stopJob) key() string { return j.ID + "@" + j.Started.Format(time.RFC3339Nano) }

// Stop ends a workload and returns when nothing of it is left. A problem.NotFound if there is none in that project.
func (m *Manager) Stop(ctx context.Context, project, id, by string) error {
	if err := m.Recovered(ctx); err != nil {
		return err
	}
	w, err := m.find(project, id)
	if err != nil {
		return err
	}
	w.set(func() { w.asked = true })
	if err := m.askStop(ctx, w); err != nil {
		return err
	}
	m.audit(ctx, w, by, "stop")
	select {
	case <-w.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// askStop marks the workload and puts the job into the queue.
func (m *Manager) askStop(ctx context.Context, w *workload) error {
	err := w.update(ctx, func(r *record) { r.Stopping = true })
	if errors.Is(err, errForgotten) {
		m.drop(w, "")
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", w.id, err)
	}
	job := stopJob{Project: w.project, ID: w.id, Started: w.started()}
	payload, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("stop %s: %w", w.id, err)
	}
	err = m.cfg.Queue.Enqueue(ctx, queue.Job{ID: uuid.NewString(), Kind: jobStop, UniqueKey: job.key(), Payload: payload})
	if err != nil && !errors.Is(err, queue.ErrDuplicate) {
		return fmt.Errorf("stop %s: %w", w.id, err)
	}
	return nil
}

// reap sweeps a workload that ended by itself.
func (m *Manager) reap(w *workload) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Minute) {
		err := m.askStop(m.ctx, w)
		if err == nil || m.ctx.Err() != nil {
			return
		}
		m.cfg.Log.Error("ended workload is not swept yet", "workload", w.id, "error", err)
		select {
		case <-time.After(pause):
		case <-w.gone:
			return
		case <-m.ctx.Done():
			return
		}
	}
}

const (
	stopWorkers = 8
	stopLease   = 5 * time.Second
	// stopLimit is how long a stop may take besides the grace before it is tried anew.
	stopLimit = 25 * time.Second
)

// serveQueue carries out stops, several at a time, whoever has asked for them. One that breaks off because this Manager is closed is
// left to others at once.
func (m *Manager) serveQueue() {
	if m.Recovered(m.ctx) != nil {
		return
	}
	server := jobs.Server{Queue: m.cfg.Queue, Kind: jobStop, Workers: stopWorkers, Lease: stopLease, Log: m.cfg.Log, Do: m.stop}
	server.Serve(m.ctx)
}

// stop carries out one stop. What is stored counts: this process may not know the workload, which another one launched.
func (m *Manager) stop(ctx context.Context, queued queue.Job) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Grace+stopLimit)
	defer cancel()
	var job stopJob
	if err := json.Unmarshal(queued.Payload, &job); err != nil {
		return fmt.Errorf("stop job: %w", err)
	}
	if err := m.stopStored(ctx, job); err != nil {
		return fmt.Errorf("stop %s: %w", job.ID, err)
	}
	if w, err := m.find(job.Project, job.ID); err == nil && w.started().Equal(job.Started) {
		m.drop(w, "")
	}
	return nil
}

func (m *Manager) stopStored(ctx context.Context, job stopJob) error {
	for {
		stored, err := m.cfg.Storage.Get(ctx, key(job.Project, job.ID))
		if errors.Is(err, storage.ErrNotFound) {
			return nil // done before
		}
		if err != nil {
			return err
		}
		r, err := decode(stored.Value)
		if err != nil {
			return err
		}
		if !r.Started.Equal(job.Started) {
			return nil // done before, and the ID is used again
		}
		h := scheduling.Handle{Driver: m.driver, ID: job.ID}
		if r.Handle != nil {
			h = *r.Handle
		}
		if err := m.cfg.Driver.Stop(ctx, h, m.cfg.Grace); err != nil {
			return err
		}
		_, err = m.cfg.Storage.Apply(ctx, storage.Delete(key(job.Project, job.ID)).When(storage.At(stored.Rev)))
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

// StopAll ends all workloads of all projects, eight at a time; tell hears of each before it ends.
func (m *Manager) StopAll(ctx context.Context, by string, tell func(Info)) error {
	all, err := m.List(ctx, "")
	if err != nil {
		return err
	}
	errs := make(chan error, len(all))
	for _, info := range all {
		tell(info)
		go func() { errs <- m.Stop(ctx, info.Project, info.ID, by) }()
	}
	for range all {
		if e := <-errs; e != nil && !problem.Is(e, problem.NotFound) {
			err = errors.Join(err, e)
		}
	}
	return err
}
