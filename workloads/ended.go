package workloads

import (
	"context"
	"slices"
)

// End is how a workload ended.
type End struct {
	// Asked says that somebody stopped it through this Manager.
	Asked bool
	// ExitCode is the program's, 128+n for signal n; 0 where that is not known.
	ExitCode int
	Reason   string // in a sentence, empty where nothing is known
}

// endsKept is how many ended workloads are remembered: who has launched one may ask for its end after many others have ended.
const endsKept = 256

// Ended waits until nothing is left of a workload and tells how it ended; of one that has ended before too, if that was here and not
// too many have ended since. A problem.NotFound if none is known in that project.
func (m *Manager) Ended(ctx context.Context, project, id string) (End, error) {
	if err := m.Recovered(ctx); err != nil {
		return End{}, err
	}
	w, err := m.last(project, id)
	if err != nil {
		return End{}, err
	}
	select {
	case <-w.gone:
	case <-ctx.Done():
		return End{}, context.Cause(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return End{Asked: w.asked, ExitCode: w.exit, Reason: w.reason}, nil
}

// last is the workload of an ID that runs, or else the one that ended last.
func (m *Manager) last(project, id string) (*workload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.live[id]; w != nil && w.project == project {
		return w, nil
	}
	for _, w := range slices.Backward(m.past) {
		if w.id == id && w.project == project {
			return w, nil
		}
	}
	return nil, notFound(project, id)
}

// bury remembers a workload that has ended; mu is held.
func (m *Manager) bury(w *workload) {
	m.past = append(m.past, w)
	if over := len(m.past) - endsKept; over > 0 {
		m.past = slices.Delete(m.past, 0, over)
	}
}
