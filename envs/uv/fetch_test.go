package uv_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
)

// long is a wheel of some hundred kilobytes that does not pack well.
func long(name string) distribution {
	var text strings.Builder
	for n := range 60_000 {
		text.WriteString(strconv.Itoa(n * n))
	}
	return distribution{name: name, version: "1.0", files: []file{{name: name + "_data.txt", text: text.String()}}}
}

func at(dir string, w lock.Wheel) string { return filepath.Join(dir, w.SHA256, w.Filename) }

// nothingBut fails the test when there are wheels in dir.
func noWheels(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.whl")); len(left) > 0 {
		t.Errorf("wheels are there: %v", left)
	}
}

func TestFetchBringsEachWheelOnce(t *testing.T) {
	t.Parallel()
	one, two := long("one"), long("two")
	i := newIndex(t, one, two)
	wheels := []lock.Wheel{i.wheel(one), i.wheel(two)}
	dir := t.TempDir()
	var heard sink
	if err := (&uv.Tool{Hosts: here}).Fetch(t.Context(), wheels, nil, dir, heard.tell); err != nil {
		t.Fatal(err)
	}
	for _, w := range wheels {
		got, err := os.ReadFile(at(dir, w))
		if err != nil || string(got) != string(i.contents[w.Filename]) {
			t.Errorf("%s: %d bytes, %v", w.Filename, len(got), err)
		}
	}
	sum := wheels[0].Size + wheels[1].Size
	if e := heard.last(); e.Phase != driver.Fetch || e.Done != 2 || e.Total != 2 || e.Bytes != sum || e.TotalBytes != sum {
		t.Errorf("last event = %+v, want all of 2 wheels and %d bytes", e, sum)
	}
	before := len(i.seen(""))
	if err := (&uv.Tool{Hosts: here, Offline: true}).Fetch(t.Context(), wheels, nil, dir, heard.tell); err != nil {
		t.Error(err)
	}
	if after := len(i.seen("")); after != before || heard.last().Done != 2 {
		t.Errorf("%d requests for what was there, last event %+v", after-before, heard.last())
	}
}

func TestFetchTakesFilesFromDisk(t *testing.T) {
	t.Parallel()
	one := long("one")
	content := one.wheel(t)
	w := locked(one, content, "http://unused")
	path := filepath.Join(t.TempDir(), w.Filename)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	w.URL = "file://" + path
	dir := t.TempDir()
	if err := (&uv.Tool{Hosts: here, Offline: true}).Fetch(t.Context(), []lock.Wheel{w}, nil, dir, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(at(dir, w)); err != nil {
		t.Error(err)
	}
	w.URL += ".gone"
	failure(t, (&uv.Tool{Hosts: here}).Fetch(t.Context(), []lock.Wheel{w}, nil, t.TempDir(), nil), driver.ChannelUnreachable)
}

// cut answers with half of what is left, times times.
func cut(i *index, times int, ranges bool) {
	i.answer(func(w http.ResponseWriter, r *http.Request) bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		if !ranges {
			r.Header.Del("Range")
		}
		if times--; times < 0 {
			return false
		}
		content := i.contents[filepath.Base(r.URL.Path)]
		from := 0
		if span, found := strings.CutPrefix(r.Header.Get("Range"), "bytes="); found {
			from, _ = strconv.Atoi(strings.TrimSuffix(span, "-"))
			w.Header().Set("Content-Range", "bytes "+span+strconv.Itoa(len(content)-1)+"/"+strconv.Itoa(len(content)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(content[from : from+(len(content)-from)/2])
		panic(http.ErrAbortHandler)
	})
}

func TestFetchGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	for _, ranges := range []bool{true, false} {
		t.Run(map[bool]string{true: "on a server that knows ranges", false: "and begins again where it does not"}[ranges], func(t *testing.T) {
			t.Parallel()
			one := long("one")
			i := newIndex(t, one)
			cut(i, 2, ranges)
			dir, w := t.TempDir(), i.wheel(one)
			var heard sink
			if err := (&uv.Tool{Hosts: here}).Fetch(t.Context(), []lock.Wheel{w}, nil, dir, heard.tell); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(at(dir, w)); string(got) != string(i.contents[w.Filename]) {
				t.Error("the file is another one")
			}
			if heard.last().Bytes != w.Size {
				t.Errorf("last event = %+v", heard.last())
			}
			requests := i.seen("/files/")
			if len(requests) != 3 || ranges && requests[2].Header.Get("Range") == "" {
				t.Errorf("%d requests, the last with Range %q", len(requests), requests[len(requests)-1].Header.Get("Range"))
			}
		})
	}
}

func TestFetchForgetsAPieceOfAnotherFile(t *testing.T) {
	t.Parallel()
	one := long("one")
	i := newIndex(t, one)
	dir, w := t.TempDir(), i.wheel(one)
	part := filepath.Join(dir, w.SHA256, ".part")
	if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(part, []byte("the beginning of something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&uv.Tool{Hosts: here}).Fetch(t.Context(), []lock.Wheel{w}, nil, dir, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(at(dir, w)); string(got) != string(i.contents[w.Filename]) {
		t.Error("the file is another one")
	}
}

func TestFetchTriesAgain(t *testing.T) {
	t.Parallel()
	one := long("one")
	i := newIndex(t, one)
	times := 2
	i.answer(func(w http.ResponseWriter, r *http.Request) bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		if times--; times < 0 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if err := (&uv.Tool{Hosts: here}).Fetch(t.Context(), []lock.Wheel{i.wheel(one)}, nil, t.TempDir(), nil); err != nil {
		t.Error(err)
	}
}

func TestFetchNamesTheCause(t *testing.T) {
	t.Parallel()
	one := long("one")
	answer := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(status); return true }
	}
	for _, c := range []struct {
		name   string
		before func(http.ResponseWriter, *http.Request) bool
		change func(*lock.Wheel)
		cause  driver.Cause
	}{
		{"other bytes", nil, func(w *lock.Wheel) { w.SHA256 = strings.Repeat("ab", 32) }, driver.HashMismatch},
		{"more bytes", nil, func(w *lock.Wheel) { w.Size -= 10 }, driver.HashMismatch},
		{"a login", answer(http.StatusUnauthorized), nil, driver.AuthFailed},
		{"a refusal", answer(http.StatusForbidden), nil, driver.AuthFailed},
		{"a file that has gone", answer(http.StatusNotFound), nil, driver.PackageMissing},
		{"an odd answer", answer(http.StatusTeapot), nil, driver.ChannelUnreachable},
		{"a server that stays broken", answer(http.StatusInternalServerError), nil, driver.ChannelUnreachable},
		{"a name that is a path", nil, func(w *lock.Wheel) { w.Filename = "../one-1.0-py3-none-any.whl" }, driver.SpecInvalid},
		{"a hash that is a path", nil, func(w *lock.Wheel) { w.SHA256 = "../x" }, driver.SpecInvalid},
		{"an address of another kind", nil, func(w *lock.Wheel) { w.URL = "ftp://127.0.0.1/x" }, driver.SpecInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newIndex(t, one)
			i.answer(c.before)
			dir, w := t.TempDir(), i.wheel(one)
			if c.change != nil {
				c.change(&w)
			}
			f := failure(t, (&uv.Tool{Hosts: here}).Fetch(t.Context(), []lock.Wheel{w}, nil, dir, nil), c.cause)
			if c.cause != driver.SpecInvalid && f.Package != "one" {
				t.Errorf("package = %q", f.Package)
			}
			noWheels(t, dir)
		})
	}
}

func TestFetchEndsWhenCanceled(t *testing.T) {
	t.Parallel()
	one := long("one")
	i := newIndex(t, one)
	started := make(chan struct{})
	i.answer(func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = w.Write([]byte("PK"))
		w.(http.Flusher).Flush()
		close(started)
		<-r.Context().Done()
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	dir := t.TempDir()
	failure(t, (&uv.Tool{Hosts: here}).Fetch(ctx, []lock.Wheel{i.wheel(one)}, nil, dir, nil), driver.Canceled)
	noWheels(t, dir)
}

func TestFetchSendsCredentialsToTheirHostAlone(t *testing.T) {
	t.Parallel()
	one := long("one")
	other := newIndex(t, one)
	i := newIndex(t, one)
	i.answer(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusFound)
		return true
	})
	tool := &uv.Tool{Hosts: append(here, "localhost"), AuthFile: authFile(t, `{"127.0.0.1": {"BearerToken": "t0ken"}}`)}
	if err := tool.Fetch(t.Context(), []lock.Wheel{i.wheel(one)}, nil, t.TempDir(), nil); err != nil {
		t.Fatal(err)
	}
	if got := i.seen("/files/")[0].Header.Get("Authorization"); got != "Bearer t0ken" {
		t.Errorf("Authorization = %q", got)
	}
	if got := other.seen("/files/")[0].Header.Get("Authorization"); got != "" {
		t.Errorf("another host was told %q", got)
	}
}

func TestFetchOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this user cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	one := long("one")
	i := newIndex(t, one)
	failure(t, (&uv.Tool{Hosts: here}).Fetch(t.Context(), []lock.Wheel{i.wheel(one)}, nil, dir, nil), driver.DiskFull)
	noWheels(t, dir)
}

func TestFetchOfPinnedWheelsUsesTheSharedCache(t *testing.T) {
	t.Parallel()
	one := long("one")
	content := one.wheel(t)
	w := locked(one, content, "")
	w.URL = ""
	cache := t.TempDir()
	if err := os.WriteFile(filepath.Join(cache, w.Filename), content, 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var heard sink
	tool := &uv.Tool{Hosts: here, Offline: true, Pinned: uv.Pinned{Cache: cache}}
	if err := tool.Fetch(t.Context(), []lock.Wheel{w}, nil, dir, heard.tell); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(at(dir, w)); string(got) != string(content) || heard.last().Done != 1 {
		t.Errorf("%d bytes, last event %+v", len(got), heard.last())
	}
	w.Filename, w.SHA256 = "two-1.0-py3-none-any.whl", strings.Repeat("ab", 32)
	has(t, failure(t, tool.Fetch(t.Context(), []lock.Wheel{w}, nil, dir, nil), driver.ChannelUnreachable).Message, "offline", w.Filename)
}
