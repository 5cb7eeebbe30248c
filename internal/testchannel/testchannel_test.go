package testchannel_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/testchannel"
)

func TestDirHoldsAnIndexedChannel(t *testing.T) {
	t.Parallel()
	dir := testchannel.Dir(t)
	for _, name := range []string{"noarch/repodata.json", "noarch/repodata.json.zst", "noarch/repodata_shards.msgpack.zst", "noarch/ipykernel-7.4.0-py_0.conda"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestBuildNamesWhatIsMissing(t *testing.T) {
	t.Setenv("HOPYARD_TEST_PYTHON_SRC", "/no/python/here")
	_, err := testchannel.Build(t.Context())
	if missing, ok := errors.AsType[*testchannel.MissingError](err); !ok || !strings.Contains(missing.What, "CPython") {
		t.Errorf("Build without a Python: %v, want a MissingError", err)
	}
}

const useRattler = `
import asyncio, os, sys
import rattler
channel, prefix, *specs = sys.argv[1:]

async def main():
    records = await rattler.solve([channel], specs, platforms=["linux-64", "noarch"], virtual_packages=rattler.VirtualPackage.detect())
    await rattler.install(records, target_prefix=prefix, cache_dir=prefix + "-cache")

asyncio.run(main())
sys.stdout.flush()
os._exit(0)
`

// TestARealEnvironmentComesOutOfIt is why all this is done: a kernel of the channel's Python, with compiled parts.
func TestARealEnvironmentComesOutOfIt(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	prefix := filepath.Join(t.TempDir(), "env")
	run := func(program string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
		}
	}
	run(testchannel.Python(t), "-c", useRattler, s.Channel(), prefix, "python", "ipykernel", "numpy <2", "bash-kernelspec", "odd-names")
	run(filepath.Join(prefix, "bin", "python"), "-c", "import ipykernel, numpy, zmq; assert numpy.__version__ == '1.26.4'; assert numpy.ones(3).sum() == 3")
	run(filepath.Join(prefix, "bin", "jupyter-kernelspec"), "list")
	if spec, err := os.ReadFile(filepath.Join(prefix, "share/jupyter/kernels/bash/kernel.json")); err != nil || !strings.Contains(string(spec), prefix+"/bin/python") {
		t.Errorf("the kernelspec of Bash is %s: %v", spec, err)
	}
}
