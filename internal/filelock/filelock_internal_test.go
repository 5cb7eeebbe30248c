package filelock

import (
	"path/filepath"
	"syscall"
	"testing"
)

func TestLockThatWasGivenUpIsFreeThoughAProgramThatIsBeingStartedHasTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := syscall.Dup(int(lock.file.Fd())) // as a fork does
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(copied)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Try(path)
	if err != nil {
		t.Fatalf("Try after Close = %v, want the lock", err)
	}
	_ = again.Close()
}
