package build_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
)

// leftNothing checks that nothing of a failed build is there.
func leftNothing(t *testing.T, s *store.Store) {
	t.Helper()
	for _, dir := range []string{"b", "m", "trash"} {
		entries, err := os.ReadDir(filepath.Join(s.Dir(), dir))
		if err != nil || len(entries) > 0 {
			t.Errorf("%s holds %v, %v, want nothing", dir, entries, err)
		}
	}
}

func TestPackagesThatLeaveTheirPrefixAreRefused(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for name, texts := range map[string]map[string]string{
		"absolute symlink":          {"share/evil": "-> " + outside},
		"symlink by dots":           {"share/evil": "-> ../../../../x"},
		"dots behind a symlink":     {"deep/er/up": "-> ../..", "evil": "-> deep/er/up/../x/../../y"},
		"symlink to a symlink":      {"a": "-> b", "b": "-> ../../m"},
		"python elsewhere":          {"bin/python": "-> /usr/bin/env"},
		"metadata elsewhere":        {"conda-meta/evil": "-> /etc/passwd"},
		"symlink in a dotted place": {"a/b/c": "-> ../../../" + filepath.Base(outside)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			_, err := made(t, s, store.Order{}, files(texts))
			f := driver.FailureOf(err)
			if err == nil || f.Cause != driver.PackageBroken || !strings.Contains(f.Message, "leads out of the environment") {
				t.Errorf("build = %v, want that a symlink leads out", err)
			}
			leftNothing(t, s)
		})
	}
}

func TestSymlinksWithinAPrefixAreKept(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m, err := made(t, s, store.Order{}, files(map[string]string{
		"lib/libx.so.1": "code", "lib/libx.so": "-> libx.so.1", "share/up": "-> ../lib/libx.so", "nowhere": "-> lib/not/there", "circle": "-> circle",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(m.Prefix, "share/up")); err != nil || string(b) != "code" {
		t.Errorf("through two symlinks: %q, %v", b, err)
	}
}

func TestMetadataFolderThatIsASymlinkIsNotWrittenThrough(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	outside := t.TempDir()
	_, err := made(t, s, store.Order{}, func(_ context.Context, at driver.Place, _ driver.Sink) error {
		meta := filepath.Join(at.Prefix, "conda-meta")
		if err := os.Rename(meta, filepath.Join(outside, "meta")); err != nil {
			return err
		}
		return os.Symlink(filepath.Join(outside, "meta"), meta)
	})
	if err == nil {
		t.Error("the build went well")
	}
	if _, err := os.Stat(filepath.Join(outside, "meta", "frozen")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was written outside of the prefix")
	}
}

func TestStrangeFilesAreRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	_, err := made(t, s, store.Order{}, func(_ context.Context, at driver.Place, _ driver.Sink) error {
		return syscall.Mkfifo(filepath.Join(at.Prefix, "pipe"), 0o644)
	})
	if f := driver.FailureOf(err); err == nil || f.Cause != driver.PackageBroken || !strings.Contains(f.Message, "pipe") {
		t.Errorf("build = %v, want that a pipe is refused", err)
	}
	leftNothing(t, s)
}

func TestPrefixIsSealed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m, err := made(t, s, store.Order{}, func(_ context.Context, at driver.Place, _ driver.Sink) error {
		for name, mode := range map[string]fs.FileMode{"bin/run": 0o775, "share/text": 0o660, "bin/root": 0o755 | fs.ModeSetuid} {
			path := filepath.Join(at.Prefix, name)
			err := os.MkdirAll(filepath.Dir(path), 0o777)
			if err == nil {
				err = os.WriteFile(path, nil, 0o600)
			}
			if err == nil {
				err = os.Chmod(path, mode)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{
		".": fs.ModeDir | 0o555, "bin": fs.ModeDir | 0o555, "bin/run": 0o555, "bin/root": 0o555, "share/text": 0o444,
		"conda-meta": fs.ModeDir | 0o555, "conda-meta/made-1.0-0.json": 0o444, "conda-meta/frozen": 0o444, "conda-meta/history": 0o444,
	}
	for name, mode := range want {
		if info, err := os.Stat(filepath.Join(m.Prefix, name)); err != nil || info.Mode() != mode {
			t.Errorf("mode of %s = %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
}

func TestInstallerMustInstallWhatTheLockSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		want       driver.Cause
	}{
		"another hash":    {"made-1.0-0.json", `{"name":"made","version":"1.0","build":"0","sha256":"00"}`, driver.HashMismatch},
		"another version": {"made-1.0-0.json", `{"name":"made","version":"2.0","build":"0"}`, driver.HashMismatch},
		"no JSON":         {"made-1.0-0.json", `{"name":`, driver.PackageBroken},
		"one too many":    {"more-1.0-0.json", `{}`, driver.ToolFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			_, err := made(t, s, store.Order{}, files(map[string]string{"conda-meta/" + c.file: c.text}))
			if f := driver.FailureOf(err); err == nil || f.Cause != c.want {
				t.Errorf("build = %v, want %s", err, c.want)
			}
			leftNothing(t, s)
		})
	}
	t.Run("one is missing", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		_, err := made(t, s, store.Order{}, func(_ context.Context, at driver.Place, _ driver.Sink) error {
			return os.Remove(filepath.Join(at.Prefix, "conda-meta", "made-1.0-0.json"))
		})
		if f := driver.FailureOf(err); err == nil || !strings.Contains(f.Message, "did not install made") {
			t.Errorf("build = %v, want that made is missing", err)
		}
	})
}

func TestFailuresHaveTheirCause(t *testing.T) {
	t.Parallel()
	fails := func(err error) func(context.Context, driver.Place, driver.Sink) error {
		return func(context.Context, driver.Place, driver.Sink) error { return err }
	}
	for name, c := range map[string]struct {
		order   store.Order
		install func(context.Context, driver.Place, driver.Sink) error
		want    driver.Cause
		words   string
	}{
		"a driver's own":        {install: fails(driver.Failf(driver.AuthFailed, "no")), want: driver.AuthFailed},
		"no space":              {install: fails(&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}), want: driver.DiskFull},
		"no space, in words":    {install: fails(driver.Failf(driver.ToolFailed, "uv: No space left on device (os error 28)")), want: driver.DiskFull},
		"quota":                 {install: fails(syscall.EDQUOT), want: driver.QuotaExceeded},
		"no memory":             {install: fails(driver.Failf(driver.ToolFailed, "helper: MemoryError")), want: driver.OutOfMemory},
		"anything else":         {install: fails(errors.New("odd")), want: driver.ToolFailed, words: "odd"},
		"a disk that is full":   {order: store.Order{Limits: store.Limits{FreeBytes: 1 << 60}}, want: driver.DiskFull, words: "MB free"},
		"packages over a limit": {order: store.Order{Limits: store.Limits{MaxBytes: 10}}, want: driver.QuotaExceeded, words: "before they are unpacked"},
		"files over a limit": {
			order:   store.Order{Limits: store.Limits{MaxBytes: 64 << 10}},
			install: files(map[string]string{"big": strings.Repeat("x", 1<<20)}), want: driver.QuotaExceeded, words: "on disk",
		},
		"a phase that takes too long": {
			order: store.Order{Limits: store.Limits{Phases: map[driver.Phase]time.Duration{driver.Link: time.Millisecond}}},
			install: func(ctx context.Context, _ driver.Place, _ driver.Sink) error {
				<-ctx.Done()
				return ctx.Err()
			},
			want: driver.TimedOut, words: `"link"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			_, err := made(t, s, c.order, c.install)
			f := driver.FailureOf(err)
			if err == nil || f.Cause != c.want || !strings.Contains(f.Message, c.words) {
				t.Errorf("build = %v (%s), want %s with %q", err, f.Cause, c.want, c.words)
			}
			leftNothing(t, s)
			all := events(t, s, store.ID(lockOf("made"), store.Options{}))
			if last := all[len(all)-1]; last.Type != driver.TypeResult || last.State != "failed" || last.Failure == nil || last.Failure.Cause != c.want {
				t.Errorf("last event = %+v, want a result with the failure", last)
			}
		})
	}
}

func TestCanceledBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := madeIn(t, ctx, s, store.Order{}, func(ctx context.Context, at driver.Place, _ driver.Sink) error {
		if err := files(map[string]string{"a": "b"})(ctx, at, nil); err != nil {
			return err
		}
		cancel()
		return driver.Failf(driver.WorkerLost, "the helper was killed") // which the same signal may have done
	})
	if f := driver.FailureOf(err); err == nil || f.Cause != driver.Canceled {
		t.Errorf("build = %v, want that it was canceled", err)
	}
	leftNothing(t, s)
	all := events(t, s, store.ID(lockOf("made"), store.Options{}))
	if last := all[len(all)-1]; last.State != "canceled" {
		t.Errorf("last event = %+v, want canceled", last)
	}
}

func TestSecondBuilderFindsWhatTheFirstHasMade(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	order := store.Order{Lock: lockOf("made")}
	began, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		_, err := made(t, s, order, func(context.Context, driver.Place, driver.Sink) error {
			close(began)
			<-goOn
			return nil
		})
		first <- err
	}()
	<-began
	second := make(chan error, 1)
	go func() {
		_, err := made(t, s, order, func(context.Context, driver.Place, driver.Sink) error {
			return errors.New("installed twice")
		})
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("the second did not wait: %v", err)
	default:
	}
	close(goOn)
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}
}

func TestNextBuildRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := store.ID(lockOf("made"), store.Options{})
	left := filepath.Join(s.Prefix(id), "left")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := made(t, s, store.Order{}, files(map[string]string{"a": "b"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil || m.Files == 0 {
		t.Errorf("what was left is part of the environment: %+v", m)
	}
}
