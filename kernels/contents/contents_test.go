package contents_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/hopyard/hopyard/kernels/contents/nbformat"
	"github.com/hopyard/hopyard/workloads"
)

// world is a store over one folder, with the helpers that keep the tests short.
type world struct {
	t     testing.TB
	store *contents.Store
	dir   string
}

func setup(t testing.TB) *world {
	t.Helper()
	return setupIn(t, t.TempDir())
}

func setupIn(t testing.TB, dir string) *world {
	t.Helper()
	s := contents.New(func(string) (string, error) { return dir, nil }, memory.NewStorage(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = s.Close() })
	return &world{t, s, dir}
}

func (w *world) file(path, content string) {
	w.t.Helper()
	full := filepath.Join(w.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) onDisk(path string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, path))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func value(t testing.TB, v any) nbformat.Value {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := nbformat.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func text(t testing.TB, s string) contents.Upload {
	return contents.Upload{User: "ann", Type: contents.File, Format: contents.Text, Content: value(t, s)}
}

func (w *world) save(path string, up contents.Upload) (*contents.Item, bool) {
	w.t.Helper()
	item, created, err := w.store.Save(w.t.Context(), "demo", path, up)
	if err != nil {
		w.t.Fatalf("Save(%s): %v", path, err)
	}
	return item, created
}

func (w *world) get(path string, want contents.Want) (*contents.Item, string) {
	w.t.Helper()
	item, err := w.store.Get(w.t.Context(), "demo", path, want)
	if err != nil {
		w.t.Fatalf("Get(%s): %v", path, err)
	}
	if item.Content == nil {
		return item, ""
	}
	defer item.Content.Close()
	var out bytes.Buffer
	if err := item.Content.WriteJSON(&out); err != nil {
		w.t.Fatal(err)
	}
	return item, out.String()
}

func wantCode(t testing.TB, what string, err error, code problem.Code) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Errorf("%s: %v, want a problem %s", what, err, code)
	}
}

func names(items []contents.Item) string {
	var all []string
	for _, i := range items {
		all = append(all, i.Name)
	}
	return strings.Join(all, " ")
}

func TestListingShowsWhatPeoplePutThere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, f := range []string{"b.txt", "a.ipynb", ".secret", "x.pyc", "back~", "__pycache__/m.txt", "dir/inner.txt", ".git/config"} {
		w.file(f, "x")
	}
	_ = os.Symlink("b.txt", filepath.Join(w.dir, "link.txt"))
	_ = os.Symlink("nowhere", filepath.Join(w.dir, "broken"))
	_ = os.Symlink("/etc", filepath.Join(w.dir, "outside"))
	item, _ := w.get("", contents.Want{Content: true})
	if got := names(item.Items); got != "a.ipynb b.txt dir link.txt" {
		t.Errorf("listing = %s", got)
	}
	if item.Type != contents.Directory || item.Format != contents.JSON || item.Path != "" || item.Name != "" {
		t.Errorf("root = %+v", item)
	}
	if item.Items[0].Type != contents.Notebook || item.Items[2].Type != contents.Directory || item.Items[1].Mimetype != "text/plain" {
		t.Errorf("types = %+v", item.Items)
	}
	if item, _ := w.get("dir", contents.Want{Content: true}); item.Items[0].Path != "dir/inner.txt" {
		t.Errorf("path of a child = %q", item.Items[0].Path)
	}
}

func TestFilesGiveTheFormatAskedFor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	binary := "\x00\xff\x80\x01"
	w.file("a.txt", "h\u00e9 \"q\" \\ \x01\n")
	w.file("b.bin", binary)
	w.file("noext", "x")
	if item, got := w.get("a.txt", contents.Want{Content: true}); got != `"hé \"q\" \\ \u0001\n"` || item.Format != contents.Text {
		t.Errorf("text = %s %s", item.Format, got)
	}
	if item, got := w.get("b.bin", contents.Want{Content: true}); got != `"AP+AAQ=="` || item.Format != contents.Base64 {
		t.Errorf("binary = %s %s", item.Format, got)
	}
	if item, got := w.get("a.txt", contents.Want{Content: true, Format: contents.Base64}); item.Format != contents.Base64 || strings.Contains(got, `\`) {
		t.Errorf("text as base64 = %s %s", item.Format, got)
	}
	if item, _ := w.get("noext", contents.Want{Content: true}); item.Mimetype != "text/plain" {
		t.Errorf("MIME type of a text without extension = %q", item.Mimetype)
	}
	_, err := w.store.Get(t.Context(), "demo", "b.bin", contents.Want{Content: true, Format: contents.Text})
	wantCode(t, "binary as text", err, problem.Invalid)
	hash := sha256.Sum256([]byte(binary))
	if item, got := w.get("b.bin", contents.Want{Hash: true}); item.Hash != hex.EncodeToString(hash[:]) || got != "" {
		t.Errorf("hash = %s, content %q", item.Hash, got)
	}
}

func TestLargeFilesAreStreamed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	long := strings.Repeat(strings.Repeat("äöü 123 ", 1000)+"\n", 1<<20/600)
	w.file("big.txt", long)
	w.file("big.bin", long[:16<<20]+"\xff")
	item, got := w.get("big.txt", contents.Want{Content: true})
	var decoded string
	if err := json.Unmarshal([]byte(got), &decoded); err != nil || decoded != long || item.Format != contents.Text {
		t.Errorf("a large text came back as %s, %d bytes, %v", item.Format, len(decoded), err)
	}
	item, got = w.get("big.bin", contents.Want{Content: true})
	b, err := base64.StdEncoding.DecodeString(strings.Trim(got, `"`))
	if err != nil || string(b) != long[:16<<20]+"\xff" || item.Format != contents.Base64 {
		t.Errorf("a large binary came back as %s, %d bytes, %v", item.Format, len(b), err)
	}
}

func TestTypesThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("a.txt", "x")
	w.file("d/x.txt", "x")
	for path, want := range map[string]contents.Type{"a.txt": contents.Directory, "d": contents.File, "": contents.Notebook} {
		_, err := w.store.Get(t.Context(), "demo", path, contents.Want{Type: want})
		wantCode(t, path, err, problem.Invalid)
		if err != nil && !strings.Contains(fmt.Sprintf("%+v", err), "directory") {
			t.Errorf("Get(%s) = %v", path, err)
		}
	}
}

func TestNotebooksKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	w := setup(t)
	nb := map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{"mine": 1}, "cells": []any{
		map[string]any{"cell_type": "markdown", "id": "a1", "metadata": map[string]any{}, "source": "hé\nzwei"},
	}}
	item, created := w.save("a.ipynb", contents.Upload{User: "ann", Type: contents.Notebook, Content: value(t, nb)})
	if !created || item.Type != contents.Notebook || item.Size == 0 {
		t.Errorf("Save = %+v, %v", item, created)
	}
	if disk := w.onDisk("a.ipynb"); !strings.Contains(disk, "    \"hé\\n\",\n    \"zwei\"\n") {
		t.Errorf("on disk: %s", disk)
	}
	got, content := w.get("a.ipynb", contents.Want{Content: true, Hash: true})
	if !strings.Contains(content, `"source":"hé\nzwei"`) || !strings.Contains(content, `"mine":1`) || got.Format != contents.JSON {
		t.Errorf("content = %s", content)
	}
	if got.Hash != item.Hash || got.Hash == "" {
		t.Errorf("hash = %q, after saving %q", got.Hash, item.Hash)
	}
	if c, err := w.store.Checkpoints(t.Context(), "demo", "a.ipynb"); err != nil || len(c) != 1 {
		t.Errorf("a new notebook has checkpoints %v, %v, want one", c, err)
	}
}

func TestBrokenNotebooksSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("bad.ipynb", "{\"cells\": [")
	_, err := w.store.Get(t.Context(), "demo", "bad.ipynb", contents.Want{Content: true})
	wantCode(t, "no JSON", err, problem.Invalid)
	if err != nil && !strings.HasPrefix(err.Error(), "Unreadable Notebook: bad.ipynb: ") {
		t.Errorf("message = %q", err)
	}
	if item, _ := w.get("bad.ipynb", contents.Want{Type: contents.File, Content: true}); item.Format != contents.Text {
		t.Errorf("a broken notebook opened as a file: %+v", item)
	}
	_, _, err = w.store.Save(t.Context(), "demo", "new.ipynb", contents.Upload{Type: contents.Notebook, Content: value(t, "no notebook")})
	wantCode(t, "saving no notebook", err, problem.Invalid)
	if w.store.IsFile("demo", "new.ipynb") {
		t.Error("an invalid notebook was written")
	}
}

func TestTrustIsTheUsersOwn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	out := map[string]any{"output_type": "display_data", "metadata": map[string]any{}, "data": map[string]any{"text/html": "<script>"}}
	nb := func(trusted bool) contents.Upload {
		return contents.Upload{User: "ann", Type: contents.Notebook, Content: value(t, map[string]any{"nbformat": 4, "cells": []any{
			map[string]any{"cell_type": "code", "metadata": map[string]any{"trusted": trusted}, "source": "", "outputs": []any{out}},
		}})}
	}
	trusted := func(user string) bool {
		_, content := w.get("t.ipynb", contents.Want{User: user, Content: true})
		return strings.Contains(content, `"trusted":true`)
	}
	w.save("t.ipynb", nb(true))
	if !trusted("ann") || trusted("bob") {
		t.Errorf("after ann saved: ann %v, bob %v, want true, false", trusted("ann"), trusted("bob"))
	}
	if err := w.store.Trust(t.Context(), "demo", "bob", "t.ipynb"); err != nil || !trusted("bob") {
		t.Errorf("after bob trusted it: %v, %v", trusted("bob"), err)
	}
	w.file("t.ipynb", strings.Replace(w.onDisk("t.ipynb"), "<script>", "<script>evil", 1))
	if trusted("ann") || trusted("bob") {
		t.Error("a changed file is still trusted")
	}
}

func TestUntitledNamesAreFree(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, c := range []struct {
		kind contents.Type
		ext  string
		want string
	}{
		{contents.Notebook, "", "Untitled.ipynb"},
		{contents.Notebook, "", "Untitled1.ipynb"},
		{"", ".ipynb", "Untitled2.ipynb"},
		{contents.File, ".txt", "untitled.txt"},
		{contents.File, ".txt", "untitled1.txt"},
		{"", "", "untitled"},
		{contents.File, ".tar.gz", "untitled.tar.gz"},
		{contents.File, ".tar.gz", "untitled1.tar.gz"},
		{contents.Directory, "", "Untitled Folder"},
		{contents.Directory, "", "Untitled Folder 1"},
	} {
		item, err := w.store.NewUntitled(t.Context(), "demo", "", c.kind, c.ext)
		if err != nil || item.Name != c.want {
			t.Errorf("NewUntitled(%s, %s) = %+v, %v, want %s", c.kind, c.ext, item, err, c.want)
		}
	}
	if _, content := w.get("Untitled.ipynb", contents.Want{Content: true}); !strings.Contains(content, `"nbformat":4`) {
		t.Errorf("a new notebook holds %s", content)
	}
	_, err := w.store.NewUntitled(t.Context(), "demo", "nowhere", "", "")
	wantCode(t, "in no folder", err, problem.NotFound)
	_, err = w.store.NewUntitled(t.Context(), "demo", "", "", "/../../x")
	wantCode(t, "a path as extension", err, problem.Invalid)
}

func TestManyNewFilesAtOnceAllGetTheirOwnName(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var all sync.Map
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			item, err := w.store.NewUntitled(t.Context(), "demo", "", contents.Notebook, "")
			if err != nil {
				t.Error(err)
				return
			}
			if _, taken := all.LoadOrStore(item.Name, true); taken {
				t.Errorf("%s was given twice", item.Name)
			}
		})
	}
	wg.Wait()
}

func TestCopiesFindAName(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("a.ipynb", `{"nbformat":4,"cells":[]}`)
	w.file("data.tar.gz", "x")
	w.file("d/deep/x.txt", "x")
	for _, c := range []struct{ from, to, want string }{
		{"a.ipynb", "", "a-Copy1.ipynb"},
		{"a.ipynb", "", "a-Copy2.ipynb"},
		{"a-Copy1.ipynb", "", "a-Copy3.ipynb"},
		{"a.ipynb", "d", "d/a.ipynb"},
		{"a.ipynb", "d/own.ipynb", "d/own.ipynb"},
		{"data.tar.gz", "", "data-Copy1.tar.gz"},
		{"d", "", "d-Copy1"},
	} {
		item, err := w.store.Copy(t.Context(), "demo", c.from, c.to)
		if err != nil || item.Path != c.want {
			t.Errorf("Copy(%s, %s) = %+v, %v, want %s", c.from, c.to, item, err, c.want)
		}
	}
	if got := w.onDisk("d-Copy1/deep/x.txt"); got != "x" {
		t.Errorf("a copied folder holds %q", got)
	}
	_, err := w.store.Copy(t.Context(), "demo", "d", "d/deep")
	wantCode(t, "a folder into itself", err, problem.Invalid)
	_, err = w.store.Copy(t.Context(), "demo", "none", "")
	wantCode(t, "nothing", err, problem.NotFound)
	_, err = w.store.Copy(t.Context(), "demo", "a.ipynb", "no/such/place")
	wantCode(t, "to nowhere", err, problem.NotFound)
}

func TestRenameNeverOverwrites(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("a.txt", "a")
	w.file("b.txt", "b")
	w.file("d/x", "x")
	_, err := w.store.Rename(t.Context(), "demo", "a.txt", "b.txt")
	wantCode(t, "onto a file", err, problem.Conflict)
	_, err = w.store.Rename(t.Context(), "demo", "none", "c.txt")
	wantCode(t, "nothing", err, problem.NotFound)
	_, err = w.store.Rename(t.Context(), "demo", "a.txt", "none/c.txt")
	wantCode(t, "to no folder", err, problem.NotFound)
	_, err = w.store.Rename(t.Context(), "demo", "d", "d/e")
	wantCode(t, "into itself", err, problem.Invalid)
	_, err = w.store.Rename(t.Context(), "demo", "a.txt", ".a")
	wantCode(t, "to a hidden name", err, problem.Invalid)
	if item, err := w.store.Rename(t.Context(), "demo", "a.txt", "d/c.txt"); err != nil || item.Path != "d/c.txt" {
		t.Errorf("Rename = %+v, %v", item, err)
	}
	if w.onDisk("b.txt") != "b" || w.onDisk("d/c.txt") != "a" {
		t.Error("files changed")
	}
}

func TestDeleteTakesFoldersWhole(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("d/deep/x.txt", "x")
	w.file("kept.txt", "x")
	_ = os.Symlink("../kept.txt", filepath.Join(w.dir, "d", "link"))
	if err := w.store.Delete(t.Context(), "demo", "d"); err != nil {
		t.Error(err)
	}
	if w.store.IsDir("demo", "d") || !w.store.IsFile("demo", "kept.txt") {
		t.Error("the wrong things are gone")
	}
	wantCode(t, "nothing", w.store.Delete(t.Context(), "demo", "d"), problem.NotFound)
	wantCode(t, "the root", w.store.Delete(t.Context(), "demo", "/"), problem.Invalid)
	wantCode(t, "hidden", w.store.Delete(t.Context(), "demo", ".x"), problem.Invalid)
}

func TestCheckpointsGoBackAndMoveAlong(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.save("a.txt", text(t, "one"))
	c, err := w.store.CreateCheckpoint(ctx, "demo", "a.txt")
	if err != nil || c.ID != "checkpoint" {
		t.Fatalf("CreateCheckpoint = %+v, %v", c, err)
	}
	w.save("a.txt", text(t, "two"))
	if got := w.onDisk(".ipynb_checkpoints/a-checkpoint.txt"); got != "one" {
		t.Errorf("checkpoint holds %q", got)
	}
	if _, err := w.store.Rename(ctx, "demo", "a.txt", "b.txt"); err != nil {
		t.Fatal(err)
	}
	if err := w.store.RestoreCheckpoint(ctx, "demo", "b.txt", c.ID); err != nil || w.onDisk("b.txt") != "one" {
		t.Errorf("after restoring: %q, %v", w.onDisk("b.txt"), err)
	}
	if err := w.store.DeleteCheckpoint(ctx, "demo", "b.txt", c.ID); err != nil {
		t.Error(err)
	}
	if list, err := w.store.Checkpoints(ctx, "demo", "b.txt"); err != nil || len(list) != 0 {
		t.Errorf("after deleting: %v, %v", list, err)
	}
	wantCode(t, "restoring nothing", w.store.RestoreCheckpoint(ctx, "demo", "b.txt", c.ID), problem.NotFound)
	wantCode(t, "another id", w.store.DeleteCheckpoint(ctx, "demo", "b.txt", "other"), problem.NotFound)
	_, err = w.store.CreateCheckpoint(ctx, "demo", "none.txt")
	wantCode(t, "of nothing", err, problem.NotFound)
}

func TestSavingKeepsModeAndLinks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("d/run.sh", "old")
	if err := os.Chmod(filepath.Join(w.dir, "d/run.sh"), 0o750); err != nil {
		t.Fatal(err)
	}
	_ = os.Symlink("d/run.sh", filepath.Join(w.dir, "link.sh"))
	if _, created := w.save("link.sh", text(t, "new")); created {
		t.Error("saving through a link counts as new")
	}
	info, err := os.Lstat(filepath.Join(w.dir, "link.sh"))
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
	info, err = os.Stat(filepath.Join(w.dir, "d/run.sh"))
	if err != nil || info.Mode().Perm() != 0o750 || w.onDisk("d/run.sh") != "new" {
		t.Errorf("the file became %v %q, %v", info.Mode(), w.onDisk("d/run.sh"), err)
	}
}

func TestSavingWhatIsIncomplete(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if item, created := w.save("new.ipynb", contents.Upload{}); item.Type != contents.Notebook || !created {
		t.Errorf("a new notebook = %+v, %v", item, created)
	}
	if item, created := w.save("dir", contents.Upload{Type: contents.Directory}); item.Type != contents.Directory || !created {
		t.Errorf("a new folder = %+v, %v", item, created)
	}
	if _, created := w.save("dir", contents.Upload{Type: contents.Directory}); created {
		t.Error("an old folder counts as new")
	}
	bad := map[string]contents.Upload{
		"no type":    {Content: value(t, "x"), Format: contents.Text},
		"no content": {Type: contents.File, Format: contents.Text},
		"no format":  {Type: contents.File, Content: value(t, "x")},
		"a number":   {Type: contents.File, Format: contents.Text, Content: value(t, 1)},
		"no base64":  {Type: contents.File, Format: contents.Base64, Content: value(t, "a b c!")},
		"cut base64": {Type: contents.File, Format: contents.Base64, Content: value(t, "AAA")},
	}
	w.save("old.txt", text(t, "old"))
	for name, up := range bad {
		_, _, err := w.store.Save(t.Context(), "demo", "old.txt", up)
		wantCode(t, name, err, problem.Invalid)
	}
	_, _, err := w.store.Save(t.Context(), "demo", "no/such/x.txt", text(t, "x"))
	wantCode(t, "in no folder", err, problem.NotFound)
	_, _, err = w.store.Save(t.Context(), "demo", "dir", text(t, "x"))
	wantCode(t, "over a folder", err, problem.Invalid)
	_, _, err = w.store.Save(t.Context(), "demo", strings.Repeat("x", 300), text(t, "x"))
	wantCode(t, "a name too long", err, problem.Invalid)
	if w.onDisk("old.txt") != "old" {
		t.Errorf("old.txt = %q after saves that failed", w.onDisk("old.txt"))
	}
	assertNothingLeft(t, w.dir)
}

// assertNothingLeft fails if an unfinished file is left in dir.
func assertNothingLeft(t testing.TB, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, ".hopyard-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestResolveFindsWhatAProgramNames(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("d/x.py", "x")
	for path, want := range map[string]string{"d/x.py": "d/x.py", w.dir + "/d/x.py": "d/x.py", w.dir: "", "/d/x.py": "d/x.py"} {
		if got, ok := w.store.Resolve("demo", path); !ok || got != want {
			t.Errorf("Resolve(%s) = %q, %v, want %q", path, got, ok, want)
		}
	}
	for _, path := range []string{"/etc/passwd", "none", w.dir + "/../x"} {
		if got, ok := w.store.Resolve("demo", path); ok {
			t.Errorf("Resolve(%s) = %q, want nothing", path, got)
		}
	}
}

func TestNotebooksNameTheBuildTheyRanOn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ran := &workloads.Environment{Name: "python", Build: 12, ID: "0123456789abcdef", Lock: "abc"}
	const body = `{"cells":[],"metadata":{"zoo":1,"hopyard":{"name":"old"},"kernelspec":{"name":"python3"}},"nbformat":4,"nbformat_minor":5}`
	content, err := nbformat.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ran  *workloads.Environment
		want string
	}{
		{ran, `{"cells":[],"metadata":{"hopyard":{"name":"python","build":12,"id":"0123456789abcdef","lock":"abc"},"kernelspec":{"name":"python3"},"zoo":1},"nbformat":4,"nbformat_minor":5}`},
		{nil, `{"cells":[],"metadata":{"hopyard":{"name":"old"},"kernelspec":{"name":"python3"},"zoo":1},"nbformat":4,"nbformat_minor":5}`},
	} {
		up := contents.Upload{User: "ann", Type: contents.Notebook, Content: content, Ran: c.ran}
		if _, _, err := w.store.Save(t.Context(), "demo", "n.ipynb", up); err != nil {
			t.Fatal(err)
		}
		var got, want any
		b, err := os.ReadFile(filepath.Join(w.dir, "n.ipynb"))
		if err := errors.Join(err, json.Unmarshal(b, &got), json.Unmarshal([]byte(c.want), &want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("saved = %s, %v, want %s", b, err, c.want)
		}
	}
}
