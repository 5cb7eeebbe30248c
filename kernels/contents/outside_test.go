package contents_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents"
)

// fence is a project folder beside a secret, with every kind of link that leads from the one to the other.
func fence(t testing.TB) *world {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "project")
	for path, content := range map[string]string{"secret.txt": "SECRET", "secret/in.txt": "SECRET", "project/ok.txt": "ok", "project/sub/ok.txt": "ok"} {
		full := filepath.Join(base, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"rel": "../secret.txt", "abs": filepath.Join(base, "secret.txt"), "reldir": "../secret", "absdir": filepath.Join(base, "secret"),
		"sub/up": "../../secret.txt", "twice": "rel", "inside": "sub/../../secret.txt", "loop": "loop", "root": "/", "proc": "/proc/self/root",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return setupIn(t, dir)
}

var outside = []string{
	"..", "../secret.txt", "sub/../../secret.txt", "/../secret.txt", "./../secret.txt", "sub/./../../secret.txt", "....//secret.txt",
	"rel", "abs", "reldir", "absdir", "reldir/in.txt", "absdir/in.txt", "sub/up", "twice", "inside", "loop", "root/etc/passwd", "proc/etc/passwd",
	"ok.txt\x00.ipynb", "ok.txt/x", "\xff\xfe", "..\\secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "sub/..", ".",
}

func TestNothingOutsideIsRead(t *testing.T) {
	t.Parallel()
	w := fence(t)
	for _, path := range outside {
		if _, err := w.store.Get(t.Context(), "demo", path, contents.Want{Content: true, Hash: true}); !problem.Is(err, problem.NotFound) {
			t.Errorf("Get(%q) = %v, want not found", path, err)
		}
		if f, _, err := w.store.Open("demo", path); err == nil {
			_ = f.Close()
			t.Errorf("Open(%q) succeeded", path)
		}
		if _, err := w.store.Copy(t.Context(), "demo", path, "copy"); err == nil {
			t.Errorf("Copy(%q) succeeded", path)
		}
		if w.store.IsFile("demo", path) || w.store.IsDir("demo", path) {
			t.Errorf("%q is said to exist", path)
		}
		if _, err := w.store.CreateCheckpoint(t.Context(), "demo", path); err == nil {
			t.Errorf("CreateCheckpoint(%q) succeeded", path)
		}
	}
}

func TestNothingOutsideIsChanged(t *testing.T) {
	t.Parallel()
	w := fence(t)
	base := filepath.Dir(w.dir)
	before := tree(t, base)
	for _, path := range outside {
		for _, p := range []string{path, path + "/new.txt"} {
			up := text(t, "overwritten")
			_, _, err := w.store.Save(t.Context(), "demo", p, up)
			if err == nil && strings.ContainsAny(p, "\\%") { // a plain name of ours
				_ = os.Remove(filepath.Join(w.dir, p))
			} else if err == nil {
				t.Errorf("Save(%q) succeeded", p)
			}
			up.Chunk = 1
			if _, _, err := w.store.Save(t.Context(), "demo", p, up); err == nil && !strings.ContainsAny(p, "\\%") {
				t.Errorf("Save(%q) in chunks began", p)
			}
			if _, err := w.store.Rename(t.Context(), "demo", "ok.txt", p+"/x"); err == nil {
				t.Errorf("Rename to %q succeeded", p)
			}
		}
		_ = w.store.Delete(t.Context(), "demo", path+"/in.txt")
		_, _ = w.store.NewUntitled(t.Context(), "demo", path, "", "")
	}
	_ = os.RemoveAll(w.dir)
	for path, content := range before {
		if now, err := os.ReadFile(filepath.Join(base, path)); err != nil || string(now) != content {
			t.Errorf("%s became %q, %v", path, now, err)
		}
	}
	if after := tree(t, base); len(after) != len(before) {
		t.Errorf("outside there is now %v", after)
	}
}

// tree gives the files below base but not those of the project.
func tree(t testing.TB, base string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(base, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == filepath.Join(base, "project") {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(base, path)
			files[rel] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestHiddenIsNotThere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file(".secret", "x")
	w.file(".git/config", "x")
	w.file("d/.env", "x")
	for _, path := range []string{".secret", ".git", ".git/config", "d/.env"} {
		_, err := w.store.Get(t.Context(), "demo", path, contents.Want{})
		wantCode(t, path, err, problem.NotFound)
		_, _, err = w.store.Save(t.Context(), "demo", path, text(t, "x"))
		wantCode(t, "saving "+path, err, problem.Invalid)
		wantCode(t, "deleting "+path, w.store.Delete(t.Context(), "demo", path), problem.Invalid)
	}
}

func TestPipesDoNotHang(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if err := syscall.Mkfifo(filepath.Join(w.dir, "pipe.ipynb"), 0o666); err != nil {
		t.Skip("no named pipes here:", err)
	}
	_, err := w.store.Get(t.Context(), "demo", "pipe.ipynb", contents.Want{Content: true})
	wantCode(t, "reading", err, problem.Invalid)
	_, _, err = w.store.Save(t.Context(), "demo", "pipe.ipynb", text(t, "x"))
	wantCode(t, "saving", err, problem.Invalid)
}

func FuzzPaths(f *testing.F) {
	for _, p := range outside {
		f.Add(p, "ok.txt")
	}
	w := fence(f)
	f.Fuzz(func(t *testing.T, a, b string) {
		ctx := t.Context()
		if item, err := w.store.Get(ctx, "demo", a, contents.Want{Content: true}); err == nil && item.Content != nil {
			var out strings.Builder
			_ = item.Content.WriteJSON(&out)
			_ = item.Content.Close()
			if strings.Contains(out.String(), "SECRET") {
				t.Fatalf("Get(%q) left the project", a)
			}
		}
		if item, _, err := w.store.Save(ctx, "demo", a, text(t, "x")); err == nil {
			_, _ = w.store.Copy(ctx, "demo", item.Path, b)
			_, _ = w.store.Rename(ctx, "demo", item.Path, b)
		}
		secret, err := os.ReadFile(filepath.Join(filepath.Dir(w.dir), "secret.txt"))
		if err != nil || string(secret) != "SECRET" {
			t.Fatalf("the secret became %q, %v after %q, %q", secret, err, a, b)
		}
	})
}
