package contents

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
)

// Checkpoint is a copy of a file to which one can go back. There is one for each file, where Jupyter keeps its own:
// .ipynb_checkpoints/name-checkpoint.ext beside the file.
type Checkpoint struct {
	ID       string
	Modified time.Time // of the file when it was copied
}

// checkpointID is the only id there is.
const checkpointID = "checkpoint"

const checkpointDir = ".ipynb_checkpoints"

func checkpointPath(file string) string {
	dir, name := split(file)
	ext := path.Ext(name)
	return join(join(dir, checkpointDir), strings.TrimSuffix(name, ext)+"-"+checkpointID+ext)
}

// Checkpoints lists the checkpoints of a file. A file that does not exist has none.
func (s *Store) Checkpoints(_ context.Context, project, path string) ([]Checkpoint, error) {
	at, err := s.at(project, path, hiddenNotFound)
	if err != nil {
		return nil, err
	}
	info, err := at.root.Stat(checkpointPath(at.path))
	if err != nil || !info.Mode().IsRegular() {
		return []Checkpoint{}, nil
	}
	return []Checkpoint{{checkpointID, info.ModTime()}}, nil
}

// CreateCheckpoint copies the file at path as it is now, in place of an older copy.
func (s *Store) CreateCheckpoint(_ context.Context, project, path string) (Checkpoint, error) {
	at, err := s.at(project, path, hiddenNotFound)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := s.checkpoint(at)
	return c, explain(at.path, err)
}

func (s *Store) checkpoint(at place) (Checkpoint, error) {
	if at.path == "" {
		return Checkpoint{}, problem.New(problem.Invalid, "a directory has no checkpoints").WithReason(badType)
	}
	f, info, err := openFile(at.root, at.path)
	if err != nil {
		return Checkpoint{}, err
	}
	defer f.Close()
	to := place{at.root, checkpointPath(at.path)}
	dir, _ := split(to.path)
	if err := s.mkdir(place{at.root, dir}); err != nil && !errors.Is(err, fs.ErrExist) {
		return Checkpoint{}, err
	}
	if _, _, err := replace(to, func(w io.Writer) error { _, err := io.Copy(w, f); return err }); err != nil {
		return Checkpoint{}, err
	}
	err = at.root.Chtimes(to.path, info.ModTime(), info.ModTime())
	return Checkpoint{checkpointID, info.ModTime()}, err
}

// firstCheckpoint makes sure that a notebook has a checkpoint, as Jupyter does.
func (s *Store) firstCheckpoint(at place) error {
	_, err := at.root.Stat(checkpointPath(at.path))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = s.checkpoint(at)
	}
	return err
}

// RestoreCheckpoint makes the file at path what it was at the checkpoint.
func (s *Store) RestoreCheckpoint(_ context.Context, project, path, id string) error {
	at, err := s.checkpointOf(project, path, id)
	if err != nil {
		return err
	}
	f, _, err := openFile(at.root, checkpointPath(at.path))
	if errors.Is(err, fs.ErrNotExist) {
		return noCheckpoint(at.path, id)
	} else if err != nil {
		return explain(at.path, err)
	}
	defer f.Close()
	_, _, err = replace(at, func(w io.Writer) error { _, err := io.Copy(w, f); return err })
	return explain(at.path, err)
}

// DeleteCheckpoint removes a checkpoint.
func (s *Store) DeleteCheckpoint(_ context.Context, project, path, id string) error {
	at, err := s.checkpointOf(project, path, id)
	if err != nil {
		return err
	}
	err = at.root.Remove(checkpointPath(at.path))
	if errors.Is(err, fs.ErrNotExist) {
		return noCheckpoint(at.path, id)
	}
	return explain(at.path, err)
}

func (s *Store) checkpointOf(project, path, id string) (place, error) {
	at, err := s.at(project, path, hiddenNotFound)
	if err == nil && (id != checkpointID || at.path == "") {
		err = noCheckpoint(at.path, id)
	}
	return at, err
}

func noCheckpoint(path, id string) error {
	return problem.New(problem.NotFound, "Checkpoint does not exist: %s@%s", path, id)
}
