package contents_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/hopyard/hopyard/kernels/contents/nbformat"
)

const saverEnv = "HOPYARD_TEST_SAVES_IN"

// TestMain lets the test binary be the child that saves without end.
func TestMain(m *testing.M) {
	if dir := os.Getenv(saverEnv); dir != "" {
		saveForEver(dir)
	}
	os.Exit(m.Run())
}

func saveForEver(dir string) {
	s := contents.New(func(string) (string, error) { return dir, nil }, nil, nil)
	for i := 0; ; i++ {
		body := strings.Repeat(fmt.Sprint(i%10), 4<<20)
		content, err := nbformat.Parse([]byte(`"` + body + `"`))
		if err == nil {
			_, _, err = s.Save(context.Background(), "demo", "a.txt", contents.Upload{Type: contents.File, Format: contents.Text, Content: content})
		}
		if err != nil {
			panic(err)
		}
		fmt.Println("saved", i)
	}
}

func TestKillDuringSaveKeepsAWholeFile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for round := range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), saverEnv+"="+w.dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It saves all the time, so wherever it stands after one more line, it is within a save.
		lines := bufio.NewScanner(out)
		for range round + 2 {
			lines.Scan()
		}
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		got := w.onDisk("a.txt")
		if len(got) != 4<<20 || strings.Count(got, got[:1]) != len(got) {
			t.Fatalf("after a kill the file has %d bytes, %d of them its first", len(got), strings.Count(got, got[:1]))
		}
	}
	// What the killed ones left is hidden, and swept once it is old.
	left, _ := filepath.Glob(filepath.Join(w.dir, ".hopyard-*"))
	old := time.Now().Add(-48 * time.Hour)
	for _, path := range left {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if item, _ := w.get("", contents.Want{Content: true}); names(item.Items) != "a.txt" {
		t.Errorf("listing = %s", names(item.Items))
	}
	assertNothingLeft(t, w.dir)
}

// smallDisk gives a folder on a disk of one megabyte.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("a small disk needs the right to mount:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDiskKeepsTheOldFile(t *testing.T) {
	t.Parallel()
	w := setupIn(t, smallDisk(t))
	t.Cleanup(func() { _ = w.store.Close() })
	w.save("a.txt", text(t, "old"))
	big := strings.Repeat("x", 2<<20)
	for name, up := range map[string]contents.Upload{
		"a file":  text(t, big),
		"a chunk": {User: "ann", Type: contents.File, Format: contents.Text, Content: value(t, big), Chunk: 1},
		"a notebook": {Type: contents.Notebook, Content: value(t, map[string]any{"nbformat": 4, "cells": []any{
			map[string]any{"cell_type": "raw", "metadata": map[string]any{}, "source": big},
		}})},
	} {
		_, _, err := w.store.Save(t.Context(), "demo", "a.txt", up)
		wantCode(t, name, err, problem.NoSpace)
		if err != nil && !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%s: message %q", name, err)
		}
	}
	if got := w.onDisk("a.txt"); got != "old" {
		t.Errorf("a.txt = %.20q, want the old content", got)
	}
	_, err := w.store.Spool("demo", io.LimitReader(endless{}, 2<<20), -1)
	wantCode(t, "a spooled body", err, problem.NoSpace)
	assertNothingLeft(t, w.dir)
	w.save("a.txt", text(t, "there is room again"))
	w.store.Forget("demo")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func chunk(t testing.TB, user string, n int, content string) contents.Upload {
	return contents.Upload{
		User: user, Type: contents.File, Format: contents.Base64, Chunk: n,
		Content: value(t, base64.StdEncoding.EncodeToString([]byte(content))),
	}
}

func TestChunksBecomeOneFileAtTheEnd(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.file("a.bin", "old")
	for i, n := range []int{1, 2, 3} {
		item, created := w.save("a.bin", chunk(t, "ann", n, strings.Repeat(fmt.Sprint(n), 1000)))
		if item.Path != "a.bin" || item.Name != "a.bin" || item.Size != int64(1000*(i+1)) || created {
			t.Errorf("chunk %d = %+v, %v", n, item, created)
		}
		if w.onDisk("a.bin") != "old" {
			t.Errorf("the file changed with chunk %d", n)
		}
	}
	w.save("a.bin", chunk(t, "ann", -1, "end"))
	want := strings.Repeat("1", 1000) + strings.Repeat("2", 1000) + strings.Repeat("3", 1000) + "end"
	if got := w.onDisk("a.bin"); got != want {
		t.Errorf("the file has %d bytes, want %d", len(got), len(want))
	}
	assertNothingLeft(t, w.dir)
}

func TestUploadsOfOneNameDoNotMix(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, n := range []int{1, 2} {
		w.save("a.bin", chunk(t, "ann", n, "aaa"))
		w.save("a.bin", chunk(t, "bob", n, "bbb"))
	}
	w.save("a.bin", chunk(t, "ann", -1, "aaa"))
	if got := w.onDisk("a.bin"); got != "aaaaaaaaa" {
		t.Errorf("ann's file = %q", got)
	}
	w.save("a.bin", chunk(t, "bob", -1, "bbb"))
	if got := w.onDisk("a.bin"); got != "bbbbbbbbb" {
		t.Errorf("bob's file = %q", got)
	}
}

func TestASecondUploadBySomebodyWaits(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.save("a.bin", chunk(t, "ann", 1, "first"))
	_, _, err := w.store.Save(t.Context(), "demo", "a.bin", chunk(t, "ann", 1, "second"))
	wantCode(t, "a second tab", err, problem.Conflict)
	w.save("a.bin", chunk(t, "ann", -1, "!"))
	if got := w.onDisk("a.bin"); got != "first!" {
		t.Errorf("the file = %q", got)
	}
}

func TestChunksOutOfOrderAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, order := range map[string][]int{"no first": {2}, "only a last": {-1}, "twice": {1, 2, 2}, "one missing": {1, 3}} {
		path := strings.ReplaceAll(name, " ", "-") + ".bin"
		for _, n := range order[:len(order)-1] {
			w.save(path, chunk(t, "ann", n, "x"))
		}
		_, _, err := w.store.Save(t.Context(), "demo", path, chunk(t, "ann", order[len(order)-1], "x"))
		wantCode(t, name, err, problem.Conflict)
		_, _, err = w.store.Save(t.Context(), "demo", path, chunk(t, "ann", -1, "x"))
		wantCode(t, name+", then the last", err, problem.Conflict)
		if w.store.IsFile("demo", path) {
			t.Errorf("%s made a file", name)
		}
	}
	assertNothingLeft(t, w.dir)
}

func TestAnUploadGoesOnInANewProcess(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.save("a.bin", chunk(t, "ann", 1, "one"))
	again := setupIn(t, w.dir)
	again.save("a.bin", chunk(t, "ann", -1, "two"))
	if got := w.onDisk("a.bin"); got != "onetwo" {
		t.Errorf("the file = %q", got)
	}
}

func TestSpoolHoldsAnyBody(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, size := range []int64{0, 10, 33 << 20} {
		for _, known := range []int64{size, -1} {
			s, err := w.store.Spool("demo", io.LimitReader(endless{}, size), known)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(s.Bytes())) != size || bytes.Count(s.Bytes(), []byte("x")) != int(size) {
				t.Errorf("Spool of %d bytes holds %d", size, len(s.Bytes()))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	assertNothingLeft(t, w.dir)
}
