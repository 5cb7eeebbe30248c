package build_test

import (
	"os/exec"
	"testing"

	"github.com/hopyard/hopyard/envs/store"
)

func activated(t testing.TB, m *store.Manifest, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + m.Bin + ":/usr/bin:/bin", "HOME=" + t.TempDir()}
	for name, value := range m.Variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

func TestBuiltEnvironmentRunsAndIsDescribed(t *testing.T) {
	r := setup(t)
	l := r.solve(specOf(kernel...))
	m := r.build(l, private(t))
	t.Logf("%+v", m)
	t.Log(python(t, m, "-c", "import numpy, ipykernel; print(numpy.__version__)"))
}
