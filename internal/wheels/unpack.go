package wheels

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hopyard/hopyard/internal/filelock"
	"golang.org/x/sys/unix"
)

// maxFile is the largest file in bytes that Extract takes out of a wheel, so that a mistaken pin cannot fill a disk.
const maxFile = 256 << 20

// Subtree says that the files of a wheel below From go below To. Both are slash paths without a leading slash; a From
// that names one file takes that file.
type Subtree struct {
	From, To string
}

// Extract writes the chosen subtrees of a wheel below dir. Only plain files are taken: a name that would leave dir, a
// symbolic link or a file that exists already is an error.
func Extract(ctx context.Context, wheel, dir string, subtrees ...Subtree) error {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("open wheel %s: %w", filepath.Base(wheel), err)
	}
	defer archive.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(wheel), err)
	}
	defer root.Close()
	for _, file := range archive.File {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		to, wanted := place(file.Name, subtrees)
		if !wanted || strings.HasSuffix(file.Name, "/") {
			continue
		}
		if err := extract(root, file, to); err != nil {
			return fmt.Errorf("unpack %s from %s: %w", file.Name, filepath.Base(wheel), err)
		}
	}
	return nil
}

// place finds where a file of the wheel goes.
func place(name string, subtrees []Subtree) (string, bool) {
	for _, s := range subtrees {
		if rest, ok := strings.CutPrefix(name, s.From); ok && (rest == "" || rest[0] == '/') {
			return s.To + rest, true
		}
	}
	return "", false
}

func extract(root *os.Root, file *zip.File, to string) error {
	switch {
	case !file.Mode().IsRegular():
		return errors.New("not a plain file")
	case !filepath.IsLocal(to) || path.Clean(to) != to:
		return errors.New("the name leads out of the folder")
	case file.UncompressedSize64 > maxFile:
		return fmt.Errorf("%d bytes are too many", file.UncompressedSize64)
	}
	if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	from, err := file.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if n, err := io.Copy(out, io.LimitReader(from, maxFile+1)); err != nil || n > maxFile {
		_ = out.Close()
		return errors.Join(err, errors.New("not unpacked whole"))
	}
	return out.Close()
}

// Once makes the folder dest whole or not at all, and once however many processes ask: fill writes into a new folder
// beside it that becomes dest by one rename, after everything was put on disk. Where dest exists nothing is done.
func Once(ctx context.Context, dest string, fill func(ctx context.Context, dir string) error) error {
	if exists(dest) {
		return nil
	}
	parent := filepath.Dir(dest)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", parent, err)
	}
	lock, err := filelock.Wait(ctx, filepath.Join(parent, ".lock"))
	if err != nil {
		return fmt.Errorf("wait for %s: %w", parent, err)
	}
	defer lock.Close()
	if exists(dest) {
		return nil
	}
	sweep(parent)
	tmp, err := os.MkdirTemp(parent, tmpPrefix)
	if err != nil {
		return fmt.Errorf("make room in %s: %w", parent, err)
	}
	defer os.RemoveAll(tmp)
	if err := fill(ctx, tmp); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := syncTree(tmp); err != nil {
		return fmt.Errorf("write %s to disk: %w", dest, err)
	}
	return os.Rename(tmp, dest)
}

// syncTree writes the file system below dir to disk, in one call for hundreds of files: after a power cut the renamed
// folder must not hold empty ones.
func syncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

func exists(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}
