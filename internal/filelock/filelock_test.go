package filelock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/filelock"
)

func TestTrySaysWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = filelock.Try(path)
	held, ok := errors.AsType[*filelock.HeldError](err)
	if !ok || !errors.Is(err, filelock.ErrHeld) || held.PID != os.Getpid() {
		t.Fatalf("Try of a held lock = %v, want ErrHeld naming pid %d", err, os.Getpid())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := filelock.Try(path)
	if err != nil {
		t.Fatalf("Try after Close = %v, want the lock", err)
	}
	_ = again.Close()
}

func TestWaitGetsTheLockWhenItIsGivenUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		lock, err := filelock.Wait(t.Context(), path)
		if err == nil {
			_ = lock.Close()
		}
		got <- err
	}()
	_ = first.Close()
	select {
	case err := <-got:
		if err != nil {
			t.Fatalf("Wait = %v, want the lock", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("Wait did not return after the lock was given up")
	}
}

func TestWaitGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := filelock.Wait(ctx, path); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait = %v, want context.Canceled", err)
	}
}

func TestLockOfAFileThatWasMadeAnewIsNotThatOfTheNewOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	is := func(want bool) {
		t.Helper()
		if got, err := first.Is(path); err != nil || got != want {
			t.Errorf("Is() = %v, %v, want %v", got, err, want)
		}
	}
	is(true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	is(false)
	second, err := filelock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	is(false)
}
