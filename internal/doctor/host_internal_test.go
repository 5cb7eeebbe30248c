package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCgroupsNamesWhatIsLacking(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, dir, text string) string {
		t.Helper()
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, "cgroup.controllers"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return root
	}
	for name, c := range map[string]struct {
		root   string
		status Status
		found  string
	}{
		"v2 with all":         {write(t, ".", "cpuset cpu io memory pids\n"), OK, "cpu io memory"},
		"v2 beside v1":        {write(t, "unified", "hugetlb\n"), Warn, "lacks cpu memory pids"},
		"no cgroup v2 at all": {t.TempDir(), Warn, "not mounted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := cgroups(c.root); got.Status != c.status || !strings.Contains(got.Found, c.found) {
				t.Errorf("cgroups = %+v, want %s with %q", got, c.status, c.found)
			}
		})
	}
}
