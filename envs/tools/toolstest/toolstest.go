// Package toolstest gives tests the real tool environment.
package toolstest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/envs/tools"
)

// Tools returns the tool environment in the folder that HOPYARD_TEST_TOOLS names, else in one that all tests of a user share.
// It is built where it is missing, which takes some seconds and 45 MB of downloads, once. Short tests are skipped.
func Tools(tb testing.TB) tools.Tools {
	tb.Helper()
	if testing.Short() {
		tb.Skip("the tool environment is not for short tests")
	}
	dir := os.Getenv("HOPYARD_TEST_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			tb.Fatal(err)
		}
		dir = filepath.Join(cache, "hopyard", "test", "tools")
	}
	if t, ok := tools.Find(dir); ok {
		return t
	}
	t, err := tools.Build(tb.Context(), tools.Config{Dir: dir, Progress: func(line string) { tb.Log(line) }})
	if err != nil {
		tb.Fatalf("build the tool environment: %v", err)
	}
	return t
}
