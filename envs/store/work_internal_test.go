package store

import (
	"errors"
	"os"
	"testing"

	"github.com/hopyard/hopyard/internal/filelock"
)

func TestLockOfAFileThatAnotherHasMadeAnewIsNotOurs(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const id = "0123456789abcdef"
	var other *filelock.Lock
	held, err := s.locked(id, func(path string) (*filelock.Lock, error) {
		mine, err := filelock.Try(path)
		if other == nil && err == nil { // its folder goes, and somebody else makes it anew, before we look what we have
			err = os.Remove(path)
			other = must(t)(s.TryLock(id))
		}
		return mine, err
	})
	if !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("locked() = %v, %v, want that another has it", held, err)
	}
	_ = other.Close()
}

func must(t *testing.T) func(*filelock.Lock, error) *filelock.Lock {
	return func(l *filelock.Lock, err error) *filelock.Lock {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}
