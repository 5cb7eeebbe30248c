package wheels_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/internal/wheels"
)

func TestAdoptedWheelsAreInTheCache(t *testing.T) {
	t.Parallel()
	dir, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	sum := sha256.Sum256([]byte("content"))
	pin := func(name string) wheels.Wheel {
		return wheels.Wheel{Name: name, Version: "1", Filename: name + "-1-py3-none-any.whl", SHA256: hex.EncodeToString(sum[:])}
	}
	for name, text := range map[string]string{"good": "content", "bad": "another"} {
		if err := os.WriteFile(filepath.Join(dir, pin(name).Filename), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := &wheels.Fetcher{Cache: cache, Offline: true}
	if n, err := f.Adopt(t.Context(), dir, []wheels.Wheel{pin("good"), pin("absent")}); n != 1 || err != nil {
		t.Errorf("Adopt() = %d, %v, want the one that is there", n, err)
	}
	if _, err := f.Fetch(t.Context(), []wheels.Wheel{pin("good")}); err != nil {
		t.Errorf("Fetch() of it, offline = %v", err)
	}
	if _, err := f.Adopt(t.Context(), dir, []wheels.Wheel{pin("bad")}); err == nil {
		t.Error("Adopt() takes a wheel of another content")
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "[^.]*")); len(left) != 1 {
		t.Errorf("the cache holds %v, want one wheel", left)
	}
}
