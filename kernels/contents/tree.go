package contents

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/hopyard/hopyard/internal/problem"
)

// NewUntitled makes something new and empty in a folder, under the first untitled name that is free. Without a type, ext decides: ".ipynb" is
// a notebook, everything else a file.
func (s *Store) NewUntitled(_ context.Context, project, dir string, t Type, ext string) (*Item, error) {
	at, err := s.at(project, dir, hiddenNotFound)
	if err != nil {
		return nil, err
	}
	if t == "" {
		t = typeOf(ext)
	}
	base, insert, err := untitled(t, ext)
	if err != nil {
		return nil, err
	}
	if info, err := at.root.Stat(osPath(at.path)); err != nil || !info.IsDir() {
		return nil, problem.New(problem.NotFound, "No such directory: %s", at.path)
	}
	name := numbered(base, insert)
	if t == Directory {
		item, err := s.newDirectory(at, name)
		return item, explain(at.path, err)
	}
	content := ""
	if t == Notebook {
		content = emptyNotebookFile
	}
	temp, _, err := stage(at.root, at.path, nil, func(w io.Writer) error { _, err := io.WriteString(w, content); return err })
	if err != nil {
		return nil, explain(at.path, err)
	}
	item, err := s.publishItem(at, temp, name)
	if err != nil {
		return nil, explain(at.path, err)
	}
	item.Type, item.Mimetype = t, mimetypeOf(t, item.Name)
	return item, nil
}

// emptyNotebookFile is emptyNotebook as it stands on disk.
const emptyNotebookFile = "{\n \"cells\": [],\n \"metadata\": {},\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n"

func (s *Store) newDirectory(at place, name func(int) string) (*Item, error) {
	for i := range 10_000 {
		to := place{at.root, join(at.path, name(i))}
		err := s.mkdir(to)
		if errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		return to.item()
	}
	return nil, problem.New(problem.Conflict, "there are too many files called like %s", name(0))
}

// publishItem gives what was staged in the folder at its name; after an error what was staged is gone.
func (s *Store) publishItem(at place, temp string, name func(int) string) (*Item, error) {
	target, err := publish(at.root, at.path, temp, name)
	if err != nil {
		_ = at.root.RemoveAll(temp)
		return nil, err
	}
	return place{at.root, target}.item()
}

// Copy copies a file or a folder. Into a folder it keeps its name, with -Copy1 and so on where that is taken; to is
// otherwise the path of the copy.
func (s *Store) Copy(ctx context.Context, project, from, to string) (*Item, error) {
	src, err := s.at(project, from, hiddenInvalid)
	if err != nil {
		return nil, err
	}
	dst, err := s.at(project, to, hiddenInvalid)
	if err != nil {
		return nil, err
	}
	item, err := s.copyTo(ctx, src, dst)
	return item, explain(src.path, err)
}

func (s *Store) copyTo(ctx context.Context, src, dst place) (*Item, error) {
	info, err := src.root.Stat(osPath(src.path))
	if err != nil {
		return nil, err
	}
	_, base := split(src.path)
	name := numbered(copySuffix.ReplaceAllString(base, "."), "-Copy")
	into, err := dst.root.Stat(osPath(dst.path))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil && !into.IsDir():
		return nil, problem.New(problem.Conflict, "File already exists: %s", dst.path)
	case err != nil: // a path that is free: the copy's own
		dir, exact := split(dst.path)
		if parent, err := dst.root.Stat(osPath(dir)); err != nil || !parent.IsDir() {
			return nil, problem.New(problem.NotFound, "No such parent directory: %s to copy file in", dir)
		}
		dst.path, name = dir, numbered(exact, "-Copy")
	}
	if info.IsDir() {
		return s.copyDirectory(ctx, src, dst, name)
	}
	return s.copyFile(src, dst, name)
}

func (s *Store) copyFile(src, dst place, name func(int) string) (*Item, error) {
	f, info, err := openFile(src.root, src.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	temp, _, err := stage(dst.root, dst.path, info, func(w io.Writer) error { _, err := io.Copy(w, f); return err })
	if err != nil {
		return nil, err
	}
	return s.publishItem(dst, temp, name)
}

// maxCopy bounds the copy of a folder: a request has to end.
const maxCopy = 500 << 20

func (s *Store) copyDirectory(ctx context.Context, src, dst place, name func(int) string) (*Item, error) {
	if src.path == "" || dst.path == src.path || strings.HasPrefix(dst.path, src.path+"/") {
		return nil, problem.New(problem.Invalid, "Can't copy '%s' into Folder '%s'", src.path, dst.path)
	}
	temp := join(dst.path, tempName())
	left := int64(maxCopy)
	err := fs.WalkDir(src.root.FS(), src.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return s.copyEntry(src, place{dst.root, temp + strings.TrimPrefix(path, src.path)}, path, e, &left)
	})
	if err != nil {
		_ = dst.root.RemoveAll(temp)
		return nil, err
	}
	return s.publishItem(dst, temp, name)
}

// copyEntry copies one entry of a folder. Links are copied as links; sockets and the like are left out.
func (s *Store) copyEntry(src, to place, path string, e fs.DirEntry, left *int64) error {
	switch {
	case strings.HasPrefix(e.Name(), tempPrefix):
		return nil
	case e.IsDir():
		return s.mkdir(to)
	case e.Type()&fs.ModeSymlink != 0:
		link, err := src.root.Readlink(path)
		if err != nil {
			return err
		}
		return to.root.Symlink(link, to.path)
	case !e.Type().IsRegular():
		return nil
	}
	f, info, err := openFile(src.root, path)
	if err != nil {
		return err
	}
	defer f.Close()
	if *left -= info.Size(); *left < 0 {
		return problem.New(problem.Invalid, "Can't copy folders larger than %dMB, %q is", maxCopy>>20, src.path)
	}
	dir, _ := split(to.path)
	temp, _, err := stage(to.root, dir, info, func(w io.Writer) error { _, err := io.Copy(w, f); return err })
	if err != nil {
		return err
	}
	return to.root.Rename(temp, to.path)
}

// Rename moves a file or folder to a path that is free, with the checkpoint of a file. It is a problem.Conflict if the path
// is taken, a problem.NotFound if there is nothing to move or no folder to move it to.
func (s *Store) Rename(_ context.Context, project, from, to string) (*Item, error) {
	src, err := s.at(project, from, hiddenInvalid)
	if err != nil {
		return nil, err
	}
	dst, err := s.at(project, to, hiddenInvalid)
	if err != nil {
		return nil, err
	}
	if src.path == dst.path {
		item, err := src.item()
		return item, explain(src.path, err)
	}
	if src.path == "" || dst.path == "" {
		return nil, problem.New(problem.Invalid, "the root cannot be renamed")
	}
	if err := renameNew(src.root, src.path, dst.path); errors.Is(err, fs.ErrExist) {
		return nil, problem.New(problem.Conflict, "File already exists: %s", dst.path)
	} else if err != nil {
		return nil, explain(src.path, err)
	}
	s.renameCheckpoint(src, dst)
	item, err := dst.item()
	return item, explain(dst.path, err)
}

// renameCheckpoint takes a file's checkpoint along. The file has its new name already, so what goes wrong is only logged.
func (s *Store) renameCheckpoint(src, dst place) {
	from, to := checkpointPath(src.path), checkpointPath(dst.path)
	if info, err := src.root.Lstat(from); err != nil || !info.Mode().IsRegular() {
		return
	}
	dir, _ := split(to)
	err := s.mkdir(place{dst.root, dir})
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = src.root.Rename(from, to)
	}
	if err != nil {
		s.log.Warn("a checkpoint stays behind its file", "path", src.path, "err", err)
	}
}

// Delete removes a file, or a folder with all that is in it, and checkpoints, for good. A link is removed, not what it leads to.
func (s *Store) Delete(_ context.Context, project, path string) error {
	at, err := s.at(project, path, hiddenInvalid)
	if err != nil {
		return err
	}
	if at.path == "" {
		return problem.New(problem.Invalid, "Can't delete root")
	}
	if _, err := at.root.Lstat(at.path); err != nil {
		return explain(at.path, err)
	}
	if err := at.root.RemoveAll(at.path); err != nil {
		return explain(at.path, err)
	}
	if err := at.root.Remove(checkpointPath(at.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("a checkpoint stays behind its file", "path", at.path, "err", err)
	}
	return nil
}
