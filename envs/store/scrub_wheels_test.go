package store_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/uv"
)

// wheel puts a wheel with one module into the cache of everybody. RECORD tells the hash of what the module should be.
func wheel(t *testing.T, s *store.Store, name, module, recorded string) lock.Wheel {
	t.Helper()
	sum := func(text string) string {
		h := sha256.Sum256([]byte(text))
		return fmt.Sprintf("sha256=%s,%d", base64.RawURLEncoding.EncodeToString(h[:]), len(text))
	}
	info := name + "-1.0.dist-info/"
	meta := "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"
	about := "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
	record := fmt.Sprintf("%s.py,%s\n%sMETADATA,%s\n%sWHEEL,%s\n%sRECORD,,\n", name, sum(recorded), info, sum(meta), info, sum(about), info)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{{name + ".py", module}, {info + "METADATA", meta}, {info + "WHEEL", about}, {info + "RECORD", record}} {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(b.Bytes())
	w := lock.Wheel{Name: name, Version: "1.0", Filename: name + "-1.0-py3-none-any.whl", SHA256: hex.EncodeToString(h[:]), Size: int64(b.Len())}
	if err := os.MkdirAll(filepath.Dir(downloaded(s, w)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(downloaded(s, w), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return w
}

func downloaded(s *store.Store, w lock.Wheel) string {
	return filepath.Join(s.Wheels(""), w.SHA256, w.Filename)
}

// install has the real uv put wheels into a new virtual environment.
func install(t *testing.T, s *store.Store, wheels ...lock.Wheel) (site string) {
	t.Helper()
	made, python := os.Getenv("HOPYARD_TEST_TOOLS"), os.Getenv("HOPYARD_TEST_PYTHON")
	found, ok := tools.Find(made)
	if !ok || python == "" {
		t.Skip("HOPYARD_TEST_TOOLS and HOPYARD_TEST_PYTHON name no tools")
	}
	u := &uv.Tool{Path: found.UV, Offline: true}
	prefix := filepath.Join(t.TempDir(), "env")
	if err := u.Venv(t.Context(), python, prefix); err != nil {
		t.Fatal(err)
	}
	err := u.Install(t.Context(), uv.InstallRequest{Python: filepath.Join(prefix, "bin", "python"), Wheels: wheels, Dir: s.Wheels(""), UVCache: s.UVCache("")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sites, _ := filepath.Glob(filepath.Join(prefix, "lib", "python3*", "site-packages"))
	return sites[0]
}

func TestDamagedWheelsAreUnpackedAnew(t *testing.T) {
	t.Parallel()
	s := open(t)
	good := wheel(t, s, "good", "x = 1\n", "x = 1\n")
	odd := wheel(t, s, "odd", "x = 2\n", "its RECORD was wrong from the start")
	site := install(t, s, good, odd)
	if damage, err := s.Scrub(t.Context()); err != nil || len(damage) > 0 {
		t.Fatalf("Scrub of what is whole = %+v, %v", damage, err)
	}
	module := filepath.Join(site, "good.py")
	if err := os.WriteFile(module, []byte("x = 7\n"), 0o644); err != nil { // through the link, as a program might
		t.Fatal(err)
	}
	damage, err := s.Scrub(t.Context())
	if s.Link() != "hardlink" && len(damage) == 0 {
		t.Skipf("this filesystem shares by %s: nothing is written through", s.Link())
	}
	if err != nil || len(damage) != 1 || damage[0].Package != "good-1.0" || damage[0].Path != "good.py" {
		t.Fatalf("Scrub = %+v, %v, want good.py", damage, err)
	}
	if gone, err := s.Expel(t.Context(), damage); err != nil || len(gone) != 1 || gone[0].Package != "good-1.0" {
		t.Errorf("Expel = %+v, %v", gone, err)
	}
	text, err := os.ReadFile(filepath.Join(install(t, s, good, odd), "good.py"))
	if err != nil || string(text) != "x = 1\n" {
		t.Errorf("the next environment has %q, %v", text, err)
	}
	if damage, err := s.Scrub(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("Scrub afterwards = %+v, %v", damage, err)
	}
}

func TestUnpackedWheelsThatWereCollectedAreUnpackedAnew(t *testing.T) {
	t.Parallel()
	s := open(t)
	good := wheel(t, s, "good", "x = 1\n", "x = 1\n")
	site := install(t, s, good)
	if err := os.RemoveAll(site); err != nil {
		t.Fatal(err)
	}
	download, err := os.ReadFile(downloaded(s, good))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.CollectCaches(t.Context(), -time.Hour); err != nil || len(done.IDs) != 2 {
		t.Fatalf("CollectCaches = %+v, %v, want the download and what was unpacked", done, err)
	}
	if err := os.MkdirAll(filepath.Dir(downloaded(s, good)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(downloaded(s, good), download, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(install(t, s, good), "good.py")); err != nil {
		t.Error(err)
	}
}

func TestDamagedDownloadsLeaveTheCache(t *testing.T) {
	t.Parallel()
	s := open(t)
	good, bad := wheel(t, s, "good", "x = 1\n", "x = 1\n"), wheel(t, s, "bad", "x = 2\n", "x = 2\n")
	if err := os.WriteFile(downloaded(s, bad), []byte("cut"), 0o644); err != nil {
		t.Fatal(err)
	}
	damage, err := s.Scrub(t.Context())
	if err != nil || len(damage) != 1 || damage[0].Package != bad.Filename {
		t.Fatalf("Scrub = %+v, %v, want %s", damage, err, bad.Filename)
	}
	if gone, err := s.Expel(t.Context(), damage); err != nil || len(gone) != 1 || len(gone[0].Prefixes) > 0 {
		t.Errorf("Expel = %+v, %v", gone, err)
	}
	if _, err := os.Stat(downloaded(s, bad)); err == nil {
		t.Error("the damaged wheel is still there")
	}
	if _, err := os.Stat(downloaded(s, good)); err != nil {
		t.Error(err)
	}
}

func TestUnpackedWheelOfNoKnownArchiveIsDamagedWhereItsListSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t)
	dir := filepath.Join(s.UVCache(""), "archive-v0", "abc", "x-1.0.dist-info")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	record := "x.py,sha256=" + strings.Repeat("A", 43) + ",3\n../../out,sha256=" + strings.Repeat("A", 43) + ",3\ny.py,,\n"
	if err := os.WriteFile(filepath.Join(dir, "RECORD"), []byte(record), 0o644); err != nil {
		t.Fatal(err)
	}
	damage, err := s.Scrub(t.Context())
	if err != nil || len(damage) != 1 || damage[0].Package != "x-1.0" || damage[0].Path != "x.py" {
		t.Errorf("Scrub = %+v, %v, want x.py, which is not there", damage, err)
	}
}
