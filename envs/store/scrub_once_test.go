package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sys/unix"
)

// zeros makes a large file that takes no room, and gives its hash.
func zeros(t *testing.T, path string, size int64) []byte {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return h.Sum(nil)
}

// unpacked makes the folder of a conda package with a list of files.
func unpacked(t *testing.T, s *store.Store, paths string) string {
	t.Helper()
	dir := filepath.Join(s.Packages(""), "evil-1-0")
	if err := os.MkdirAll(filepath.Join(dir, "info"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "info", "paths.json"), []byte(`{"paths": [`+strings.TrimSuffix(paths, ",")+`]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Builds of everybody wait while damaged packages are expelled: terabytes to read would be days.
func TestFileThatAPackageNamesAMillionTimesIsReadOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const size = 64 << 20
	s := open(t)
	big := filepath.Join(t.TempDir(), "big")
	sum := zeros(t, big, size)
	var paths, record strings.Builder
	for i := range 50_000 { // by the names that links give it, too
		fmt.Fprintf(&paths, `{"_path": "%sbig", "path_type": "hardlink", "sha256": "%s"},`, strings.Repeat("here/", i%5), hex.EncodeToString(sum))
		fmt.Fprintf(&record, "big,sha256=%s,%d\n", base64.RawURLEncoding.EncodeToString(sum), size)
	}
	dir := unpacked(t, s, paths.String())
	wheel := filepath.Join(s.UVCache(""), "archive-v0", "abc")
	if err := os.MkdirAll(filepath.Join(wheel, "x-1.0.dist-info"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(wheel, "x-1.0.dist-info", "RECORD"), []byte(record.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{dir, wheel} {
		zeros(t, filepath.Join(folder, "big"), size)
	}
	if err := os.Symlink(".", filepath.Join(dir, "here")); err != nil {
		t.Fatal(err)
	}
	if damage, err := s.Scrub(ctx); err != nil || len(damage) > 0 {
		t.Errorf("Scrub() = %d damaged files, %v", len(damage), err)
	}
}

func TestWheelWhoseListIsWrongAMillionTimesIsReadOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := open(t)
	module := strings.Repeat("x = 1\n", 1<<20)
	odd := wheel(t, s, "odd", module, "another")
	dir := filepath.Join(s.UVCache(""), "archive-v0", "abc")
	if err := os.MkdirAll(filepath.Join(dir, "odd-1.0.dist-info"), 0o755); err != nil {
		t.Fatal(err)
	}
	line := "odd.py,sha256=" + strings.Repeat("A", 43) + ",3\n"
	for name, text := range map[string]string{"odd.py": module, "odd-1.0.dist-info/RECORD": strings.Repeat(line, 50_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if damage, err := s.Scrub(ctx); err != nil || len(damage) > 0 {
		t.Errorf("Scrub() of %s = %d damaged files, %v", odd.Filename, len(damage), err)
	}
}

func TestListOfAPackageReachesNoFilesOfOthers(t *testing.T) {
	t.Parallel()
	s := open(t)
	dir := unpacked(t, s, `{"_path": "../other-1-0/file", "path_type": "hardlink", "sha256": ""}, {"_path": "pipe", "path_type": "hardlink"}`)
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	damage, err := s.Scrub(t.Context())
	if err != nil || len(damage) != 1 || damage[0].Path != "pipe" {
		t.Errorf("Scrub() = %+v, %v, want the pipe alone", damage, err)
	}
}

func TestDamageThatIsToldHasAnEnd(t *testing.T) {
	t.Parallel()
	s := open(t)
	var paths strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&paths, `{"_path": "none-%d", "path_type": "hardlink"},`, i)
	}
	unpacked(t, s, paths.String())
	if damage, err := s.Scrub(t.Context()); err != nil || len(damage) == 0 || len(damage) > 1000 {
		t.Errorf("Scrub() = %d damaged files, %v, want some", len(damage), err)
	}
}
