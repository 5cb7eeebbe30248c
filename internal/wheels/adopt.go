package wheels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/internal/filelock"
)

// Adopt copies wheels that lie in dir into the cache, each once its hash is the pinned one. What dir does not have is left out. It
// returns how many dir had.
func (f *Fetcher) Adopt(ctx context.Context, dir string, pins []Wheel) (int, error) {
	cache, err := f.cache()
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return 0, fmt.Errorf("make the cache of wheels: %w", err)
	}
	lock, err := filelock.Wait(ctx, filepath.Join(cache, ".lock"))
	if err != nil {
		return 0, fmt.Errorf("wait for the cache of wheels: %w", err)
	}
	defer lock.Close()
	sweep(cache)
	tmp, err := os.MkdirTemp(cache, tmpPrefix)
	if err != nil {
		return 0, fmt.Errorf("make room for wheels: %w", err)
	}
	defer os.RemoveAll(tmp)
	have := 0
	for _, w := range pins {
		if err := w.check(); err != nil {
			return have, err
		}
		draft := filepath.Join(tmp, w.Filename)
		err := copyFile(filepath.Join(dir, w.Filename), draft)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = admit(draft, filepath.Join(cache, w.Filename), w)
		}
		if err != nil {
			return have, fmt.Errorf("adopt %s: %w", w.Filename, err)
		}
		have++
	}
	return have, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
