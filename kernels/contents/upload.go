package contents

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
)

// An upload in chunks gathers in a hidden folder beside its target, one for each target and uploader. The folder holds one file,
// whose name is the whole state: the number of the last chunk and the size so far. A chunk is taken by renaming that file, so
// a chunk that comes twice, too early or from a second upload finds nothing to append to; and since the state is on disk,
// an upload goes on after a restart and on any replica.

// uploading is how long after its last chunk an upload counts as going on, so that a second one cannot start.
const uploading = 3 * time.Second

func uploadDir(at place, user string) string {
	dir, _ := split(at.path)
	key := sha256.Sum256([]byte(at.path + "\x00" + user))
	return join(dir, tempPrefix+"upload-"+hex.EncodeToString(key[:12]))
}

// saveChunk takes one part of a file, and with the last one puts the file in its place.
func (s *Store) saveChunk(at place, up Upload) (*Item, bool, error) {
	if up.Type != File {
		return nil, false, problem.New(problem.Invalid, "File type %q is not supported for large file transfer", up.Type)
	}
	content, err := up.bytes(at.path)
	if err != nil {
		return nil, false, err
	}
	dir := uploadDir(at, up.User)
	part, size, err := s.claim(at, dir, up.Chunk)
	if err != nil {
		return nil, false, err
	}
	if size, err = s.grow(at.root, part, size, content, up.Chunk == -1); err != nil {
		_ = at.root.RemoveAll(dir)
		return nil, false, err
	}
	if up.Chunk == -1 {
		return s.finish(at, dir, part)
	}
	if err := at.root.Rename(part, join(dir, fmt.Sprintf("%d-%d", up.Chunk, size))); err != nil {
		return nil, false, err
	}
	return s.unfinished(at, dir)
}

// claim takes the file that chunk is appended to out of reach of other requests, and gives its path and its size.
func (s *Store) claim(at place, dir string, chunk int) (part string, size int64, err error) {
	part = join(dir, "writing")
	last, state, modified, err := uploadState(at.root, dir)
	if err != nil {
		return "", 0, err
	}
	if chunk == 1 {
		if time.Since(modified) < uploading {
			return "", 0, problem.New(problem.Conflict, "%s is being uploaded already; wait for that or try again in a few seconds", at.path)
		}
		return part, 0, s.begin(at, dir)
	}
	if last == 0 || chunk > 0 && chunk != last+1 {
		_ = at.root.RemoveAll(dir)
		return "", 0, problem.New(problem.Conflict, "the upload of %s was interrupted or another one came between: start it again", at.path)
	}
	if _, err := fmt.Sscanf(path.Base(state), "%d-%d", &last, &size); err != nil {
		return "", 0, err
	}
	return part, size, at.root.Rename(state, part)
}

// begin starts an upload afresh.
func (s *Store) begin(at place, dir string) error {
	if err := at.root.RemoveAll(dir); err != nil {
		return err
	}
	return s.mkdir(place{at.root, dir})
}

// uploadState reads which chunk came last, 0 for none, from the name of the one file in the upload's folder.
func uploadState(root *os.Root, dir string) (last int, state string, modified time.Time, err error) {
	d, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", time.Time{}, nil
	} else if err != nil {
		return 0, "", time.Time{}, err
	}
	defer d.Close()
	entries, err := d.ReadDir(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, "", time.Time{}, err
	}
	for _, e := range entries {
		if n, _ := fmt.Sscanf(e.Name(), "%d-", &last); n == 1 && strings.Contains(e.Name(), "-") {
			state = join(dir, e.Name())
		}
		if info, err := e.Info(); err == nil {
			modified = info.ModTime()
		}
	}
	return last, state, modified, nil
}

// grow appends a chunk behind the first size bytes and gives the new size. The last chunk flushes the whole to disk.
func (s *Store) grow(root *os.Root, part string, size int64, content func(io.Writer) error, last bool) (int64, error) {
	f, err := root.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		return 0, err
	}
	if err := content(f); err != nil {
		return 0, err
	}
	if last {
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return f.Seek(0, io.SeekCurrent)
}

// finish puts the whole file in its place.
func (s *Store) finish(at place, dir, part string) (*Item, bool, error) {
	defer func() { _ = at.root.RemoveAll(dir) }()
	target, err := follow(at)
	if err != nil {
		return nil, false, err
	}
	old, err := at.root.Stat(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	if old != nil && (!old.Mode().IsRegular() || !writable(old)) {
		return nil, false, fs.ErrPermission
	}
	parent, _ := split(target)
	if err := adoptPath(at.root, parent, part, old); err != nil {
		return nil, false, err
	}
	if err := at.root.Rename(part, target); err != nil {
		return nil, false, err
	}
	if err := syncDir(at.root, parent); err != nil {
		return nil, false, err
	}
	item, err := at.item()
	return item, old == nil, err
}

func adoptPath(root *os.Root, dir, path string, old fs.FileInfo) error {
	f, err := root.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return adopt(root, dir, f, old)
}

// unfinished describes the file as it will be, with the size so far: clients want a whole model after each chunk.
func (s *Store) unfinished(at place, dir string) (*Item, bool, error) {
	_, state, _, err := uploadState(at.root, dir)
	if err != nil {
		return nil, false, err
	}
	info, err := at.root.Stat(state)
	if err != nil {
		return nil, false, err
	}
	item := describe(at.path, info)
	item.Type, item.Mimetype = File, Mimetype(item.Name)
	_, err = at.root.Stat(at.path)
	return &item, errors.Is(err, fs.ErrNotExist), nil
}
