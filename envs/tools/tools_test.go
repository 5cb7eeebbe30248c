package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/testscript"
)

// A real build; its wheels come from the user's cache when they are there.
func TestBuildMakesTheToolsOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fetches real wheels")
	}
	c := tools.Config{Dir: filepath.Join(t.TempDir(), "tools"), Python: "python3"}
	pins, err := tools.Pins()
	if err != nil || len(pins) < 4 {
		t.Fatalf("Pins() = %d wheels, %v", len(pins), err)
	}
	if got, ok := tools.Find(c.Dir); ok {
		t.Fatalf("Find in an empty folder = %v, want nothing", got)
	}
	var mu sync.Mutex
	var lines []string
	c.Progress = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := tools.Build(t.Context(), c); err != nil {
				t.Errorf("Build = %v", err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(strings.Join(lines, "\n"), "making a virtual environment"); n != 1 {
		t.Errorf("two concurrent builds made %d environments, want 1; progress was %q", n, lines)
	}
	got, ok := tools.Find(c.Dir)
	if !ok {
		t.Fatal("Find after Build = nothing, want the tools")
	}
	if out, err := exec.CommandContext(t.Context(), got.UV, "--version").CombinedOutput(); err != nil || !strings.Contains(got.Version, strings.Fields(string(out))[1]) {
		t.Errorf("uv --version = %s, %v, want what %q says", out, err, got.Version)
	}

	marker := filepath.Join(filepath.Dir(filepath.Dir(got.Python)), "hopyard.json")
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	if _, ok := tools.Find(c.Dir); ok {
		t.Error("Find took a half-built environment for a whole one")
	}
}

func TestOfflineBuildSaysWhatIsMissingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	c := tools.Config{Dir: t.TempDir(), Offline: true, Cache: t.TempDir()}
	_, err := tools.Build(t.Context(), c)
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "offline") || !strings.Contains(err.Error(), "rattler") {
		t.Fatalf("Build offline without wheels = %v, want a problem that says offline and names them", err)
	}
	left, _ := filepath.Glob(filepath.Join(c.Dir, "[0-9a-f]*"))
	if len(left) != 0 {
		t.Errorf("Build offline left %v", left)
	}
}

func TestFindPythonRefusesWhatCannotRunKernels(t *testing.T) {
	t.Parallel()
	fake := func(t *testing.T, answer string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "python")
		testscript.Write(t, path, "#!/bin/sh\necho '"+answer+"'\n")
		return path
	}
	for name, c := range map[string]struct{ answer, want string }{
		"too old":      {`{"full":"3.9.2","version":"3.9","machine":"x86_64","libc":"glibc 2.36","venv":true}`, "Python 3.9.2"},
		"no venv":      {`{"full":"3.11.2","version":"3.11","machine":"x86_64","libc":"glibc 2.36"}`, "apt install python3-venv"},
		"another arch": {`{"full":"3.11.2","version":"3.11","machine":"aarch64","libc":"glibc 2.36","venv":true}`, "aarch64"},
		"another libc": {`{"full":"3.11.2","version":"3.11","machine":"x86_64","libc":"","venv":true}`, "glibc"},
		"no Python":    {`hello`, "cannot be started"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tools.FindPython(t.Context(), fake(t, c.answer))
			if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("FindPython = %v, want a problem with %q", err, c.want)
			}
		})
	}
}
