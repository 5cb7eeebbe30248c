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
	again, err := m.Ended(t.Context(), "demo", id)
	if err != nil || again != end {
		t.Errorf("Ended() of what has gone = %+v, %v, want %+v again", again, err, end)
	}
	for project, id := range map[string]string{"other": id, "demo": "none"} {
		if _, err := m.Ended(t.Context(), project, id); !problem.Is(err, problem.NotFound) {
			t.Errorf("Ended() of %s in %s = %v, want a problem.NotFound", id, project, err)
		}
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

func TestEndedTellsOfTheLastOneOfAnID(t *testing.T) {
	t.Parallel()
	m := newSite(t).open()
	r := request(t.TempDir(), "exit 7")
	id := launch(t, m, r)
	if end, err := m.Ended(t.Context(), "demo", id); err != nil || end.ExitCode != 7 {
		t.Errorf("Ended() = %+v, %v, want exit code 7", end, err)
	}
	r.Workload.Argv = []string{"/bin/sh", "-c", forever}
	launch(t, m, r)
	if err := m.Stop(t.Context(), "demo", id, "ann"); err != nil {
		t.Fatal(err)
	}
	if end, err := m.Ended(t.Context(), "demo", id); err != nil || !end.Asked {
		t.Errorf("Ended() = %+v, %v, want one that was asked for", end, err)
	}
}
