package workloads_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
)

func TestEndedTellsTheExitCode(t *testing.T) {
	t.Parallel()
	m := newSite(t).open()
	r := request(t.TempDir(), "while ! test -e end; do sleep 0.01; done; exit 7")
	id := launch(t, m, r)
	pid(t, r)
	go func() { _ = os.WriteFile(filepath.Join(r.Workload.Dir, "end"), nil, 0o600) }()
	end, err := m.Ended(t.Context(), "demo", id)
	if err != nil || end.ExitCode != 7 || end.Asked || end.Reason == "" {
		t.Errorf("Ended() = %+v, %v, want exit code 7 with a reason, unasked", end, err)
	}
	if _, err := m.Ended(t.Context(), "demo", id); !problem.Is(err, problem.NotFound) {
		t.Errorf("Ended() of what has gone = %v, want a problem.NotFound", err)
	}
}

func TestEndedTellsThatSomebodyAskedForIt(t *testing.T) {
	t.Parallel()
	m := newSite(t).open()
	r := request(t.TempDir(), forever)
	id := launch(t, m, r)
	pid(t, r)
	go func() { _ = m.Stop(t.Context(), "demo", id, "ann") }()
	end, err := m.Ended(t.Context(), "demo", id)
	if err != nil || !end.Asked {
		t.Errorf("Ended() = %+v, %v, want one that was asked for", end, err)
	}
}
