package build

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// staging collects compiled modules in one folder for each __pycache__ of a prefix, so that the thousands of links are
// made before the prefix is there, and afterwards a few hundred folders are moved.
type staging struct {
	dir     string
	next    int
	pending map[string]modules // by the folder in the prefix
	staged  stage
	ahead   stage // what was staged before it was known what for
}

// modules are files of the layer, by the names that they get.
type modules map[string]string

// stage is what was staged, by the folder in the prefix.
type stage map[string]folder

type folder struct {
	at   string
	have modules
}

// begin makes an empty folder to stage in.
func (s *staging) begin() error {
	s.pending, s.staged = map[string]modules{}, stage{}
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	return os.MkdirAll(s.dir, 0o755)
}

func (s *staging) end() { os.RemoveAll(s.dir) }

// add wants the layer's file to become dir/name.
func (s *staging) add(dir, name, file string) {
	names := s.pending[dir]
	if names == nil {
		names = modules{}
		s.pending[dir] = names
	}
	names[name] = file
}

// drop takes back what was added.
func (s *staging) drop(dir, name string) {
	delete(s.pending[dir], name)
	if staged, ok := s.staged[dir]; ok {
		delete(staged.have, name)
		os.Remove(filepath.Join(staged.at, name))
	}
}

// link makes the links of all that was added.
func (s *staging) link() error {
	if len(s.pending) == 0 {
		return nil
	}
	// Each worker has a folder to make folders in: two that made them in one would only wait for each other.
	workers := min(4, runtime.NumCPU())
	shares := make([][]change, workers)
	for dir, names := range s.pending {
		i := s.next % workers
		had, ok := s.ahead[dir]
		delete(s.ahead, dir)
		if !ok {
			had.at = filepath.Join(s.dir, "w"+strconv.Itoa(i), strconv.Itoa(s.next))
		}
		s.next++
		s.staged[dir] = folder{had.at, names}
		if !maps.Equal(had.have, names) {
			shares[i] = append(shares[i], change{had, names})
		}
	}
	clear(s.pending)
	var linking errgroup.Group
	for i, share := range shares {
		linking.Go(func() error {
			if err := os.MkdirAll(filepath.Join(s.dir, "w"+strconv.Itoa(i)), 0o755); err != nil {
				return err
			}
			for _, c := range share {
				if err := c.make(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return linking.Wait()
}

// change makes a staged folder have other modules; one that has none is not there yet.
type change struct {
	folder
	want modules
}

func (c change) make() error {
	if c.have == nil {
		if err := os.Mkdir(c.at, 0o755); err != nil {
			return err
		}
	}
	for name, file := range c.have {
		if c.want[name] != file {
			if err := os.Remove(filepath.Join(c.at, name)); err != nil {
				return err
			}
		}
	}
	for name, file := range c.want {
		if c.have[name] == file {
			continue
		}
		if err := store.LinkFile(file, filepath.Join(c.at, name)); err != nil {
			return fmt.Errorf("link compiled module: %w", err)
		}
	}
	return nil
}

// place moves what is staged into the prefix. It looks at where each folder goes through root, so that no symlink leads it
// elsewhere.
func (s *staging) place(root *os.Root) error {
	for dir := range s.staged {
		if err := s.placeOne(root, dir); err != nil {
			return err
		}
	}
	return nil
}

// placeOne places what is staged for one folder, if there is something.
func (s *staging) placeOne(root *os.Root, dir string) error {
	staged, ok := s.staged[dir]
	if !ok {
		return nil
	}
	delete(s.staged, dir)
	if info, err := root.Stat(filepath.Dir(dir)); err != nil || !info.IsDir() {
		return nil // the package's sources are not where they were in another environment
	}
	err := os.Rename(staged.at, filepath.Join(root.Name(), dir))
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTDIR) {
		// Compiled modules came with the package. Ours do not depend on times.
		err = merge(staged.at, root, dir)
	}
	if err != nil {
		return fmt.Errorf("place compiled modules: %w", err)
	}
	return nil
}

// merge moves the files of one folder into another, which may not be a symlink.
func merge(from string, root *os.Root, to string) error {
	if info, err := root.Lstat(to); err != nil || !info.IsDir() {
		return broken("", "%s is not a folder", to)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(root.Name(), to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
