package workloads

import "context"

// End is how a workload ended.
type End struct {
	// Asked says that somebody stopped it through this Manager.
	Asked bool
	// ExitCode is the program's, 128+n for signal n; 0 where that is not known.
	ExitCode int
	Reason   string // in a sentence, empty where nothing is known
}

// Ended waits until nothing is left of a workload and tells how it ended. A problem.NotFound if there is none in that project
// to begin with, which may have ended long ago.
func (m *Manager) Ended(ctx context.Context, project, id string) (End, error) {
	if err := m.Recovered(ctx); err != nil {
		return End{}, err
	}
	w, err := m.find(project, id)
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
