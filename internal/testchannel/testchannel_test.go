package testchannel_test

import (
	"os"
	"path/filepath"
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
