package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/tools/toolstest"
	"github.com/hopyard/hopyard/internal/problem"
)

func TestToolsRun(t *testing.T) {
	t.Parallel()
	got := toolstest.Tools(t)
	if got.Version != "py-rattler 0.28.0, uv 0.13.9, conda-pack 0.9.2" {
		t.Errorf("version = %q", got.Version)
	}
	for want, args := range map[string][]string{
		"0.28.0":           {got.Python, "-I", "-c", "import os, rattler; print(rattler.__version__, flush=True); os._exit(0)"},
		"uv 0.13.9":        {got.UV, "--version"},
		"conda-pack 0.9.2": {got.CondaPack, "--version"},
	} {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v = %q, %v; want %q", args, out, err, want)
		}
	}
}

func TestToolsAreFoundOnlyWhereTheyAreWhole(t *testing.T) {
	t.Parallel()
	if got, ok := tools.Find(t.TempDir()); ok {
		t.Errorf("Find in an empty folder = %+v", got)
	}
	built := filepath.Dir(filepath.Dir(filepath.Dir(toolstest.Tools(t).Python)))
	got, ok := tools.Find(built)
	if !ok {
		t.Fatal("Find does not see what Build has made")
	}
	again, err := tools.Build(t.Context(), tools.Config{Dir: built, Offline: true, Cache: t.TempDir()})
	if err != nil || again != got {
		t.Errorf("Build where they are = %+v, %v; want %+v without a download", again, err, got)
	}
	half := filepath.Join(t.TempDir(), filepath.Base(filepath.Dir(filepath.Dir(got.Python))))
	if err := os.MkdirAll(filepath.Join(half, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, ok := tools.Find(filepath.Dir(half)); ok {
		t.Error("Find took a half-built tool environment")
	}
}

func TestToolsOfflineNameTheWheelsThatAreMissing(t *testing.T) {
	t.Parallel()
	_, err := tools.Build(t.Context(), tools.Config{Dir: t.TempDir(), Offline: true, Cache: t.TempDir()})
	if !problem.Is(err, problem.Unavailable) {
		t.Fatalf("Build = %v, want a problem", err)
	}
	for _, want := range []string{"offline", "py_rattler-0.28.0", "uv-0.13.9", "conda_pack-0.9.2"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}
