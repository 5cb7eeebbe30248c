package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
	"github.com/hopyard/hopyard/ui/lab"
)

// fetcher skips the test where the wheels can neither be found in the cache nor fetched.
func fetcher(t *testing.T) *wheels.Fetcher {
	t.Helper()
	if testing.Short() {
		t.Skip("fetches real wheels")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 to fetch wheels with")
	}
	return &wheels.Fetcher{}
}

func TestPrepareGivesBothApplicationsOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree, err := lab.Prepare(t.Context(), dir, fetcher(t), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()

	if tree.LabVersion != "4.6.6" || tree.NotebookVersion != "7.6.5" {
		t.Errorf("versions = %q and %q, want those of the pins", tree.LabVersion, tree.NotebookVersion)
	}
	for static, script := range map[string]string{lab.LabStatic: tree.LabScript, lab.NotebookStatic: tree.NotebookScript} {
		file, version, _ := strings.Cut(script, "?v=")
		if !strings.HasPrefix(file, "main.") || !strings.Contains(file, version) {
			t.Errorf("script of %s = %q, want main.HASH.js?v=HASH", static, script)
		}
		for _, name := range []string{static + "/" + file, static + "/" + file + ".gz"} {
			if _, err := tree.Root().Stat(name); err != nil {
				t.Errorf("the tree lacks %s: %v", name, err)
			}
		}
	}
	var names []string
	for _, e := range tree.Extensions {
		names = append(names, e.Name)
		if _, err := tree.Root().Stat(filepath.Join(lab.Extensions, e.Name, e.Load)); err != nil {
			t.Errorf("entry of extension %s: %v", e.Name, err)
		}
	}
	if got, want := strings.Join(names, " "), "@hopyard/environment @jupyter-notebook/lab-extension @jupyter-widgets/jupyterlab-manager jupyterlab_pygments"; got != want {
		t.Errorf("extensions = %s, want %s", got, want)
	}

	// The second time nothing may be fetched, nor the cache even looked at.
	again, err := lab.Prepare(t.Context(), dir, &wheels.Fetcher{Offline: true, Cache: t.TempDir()}, func(string) {})
	if err != nil {
		t.Fatalf("second Prepare: %v", err)
	}
	defer again.Close()
	if again.Name != tree.Name {
		t.Errorf("second tree is %s, want %s", again.Name, tree.Name)
	}
}

func TestPrepareOfflineNamesWhatIsMissingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := lab.Prepare(t.Context(), dir, &wheels.Fetcher{Offline: true, Cache: t.TempDir()}, func(string) {})
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "jupyterlab-4.6.6-py3-none-any.whl") {
		t.Fatalf("Prepare = %v, want an unavailable problem that names the wheels", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "ui"))
	if err != nil || len(left) != 1 || left[0].Name() != ".lock" {
		t.Errorf("left behind: %v, %v; want the lock alone", left, err)
	}
}

func TestOpenRefusesAPageWithoutItsScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, lab.LabStatic), 0o755); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, lab.LabStatic, "index.html")
	if err := os.WriteFile(page, []byte("<html></html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Open(dir); err == nil {
		t.Fatal("Open took a tree whose page starts no script")
	}
}
