package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// tree is what was found below some folders of a prefix. Paths are relative to the prefix.
type tree struct {
	files   store.Inodes // regular files
	shared  int          // files with more than one name
	bytes   int64        // that they and the folders take on disk
	own     int64        // the part of files with one name, and of folders
	folders int64        // the part of folders
	dirs    []string
	open    []string // files whose mode is not that of a sealed one
	links   []string // symlinks
	empty   []string // folders
}

func (t *tree) add(o *tree) {
	t.files = append(t.files, o.files...)
	t.shared += o.shared
	t.bytes += o.bytes
	t.own += o.own
	t.folders += o.folders
	t.dirs = append(t.dirs, o.dirs...)
	t.open = append(t.open, o.open...)
	t.links = append(t.links, o.links...)
	t.empty = append(t.empty, o.empty...)
}

// walker visits folders with a few goroutines: reading 10,000 entries is a matter of system calls.
type walker struct {
	prefix string
	known  map[uint64]int64 // bytes by inode
	notYet map[string]bool
	todo   chan string
	left   sync.WaitGroup // folders that are not done

	mu  sync.Mutex // guards err
	err error      // the first
}

// walk visits the folders, which are relative to prefix, and all below, but for those that are not to be looked at yet. What is no
// file, folder or symlink is refused. Known files are not looked at: theirs are most of the system calls that this takes.
func walk(ctx context.Context, prefix string, known *store.Known, notYet []string, dirs ...string) (*tree, error) {
	w := &walker{prefix: prefix, known: known.Bytes, notYet: map[string]bool{}, todo: make(chan string, 1024)}
	for _, dir := range notYet {
		w.notYet[dir] = true
	}
	w.left.Add(len(dirs))
	workers := min(4, runtime.NumCPU())
	found := make([]tree, workers)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			for dir := range w.todo {
				w.visit(ctx, dir, &found[i])
			}
		})
	}
	for _, dir := range dirs {
		w.todo <- dir
	}
	w.left.Wait()
	close(w.todo)
	running.Wait()
	total := &tree{}
	for i := range found {
		total.add(&found[i])
	}
	return total, w.err
}

// visit looks at one folder, and goes on below where nobody is free to take a folder.
func (w *walker) visit(ctx context.Context, dir string, t *tree) {
	defer w.left.Done()
	below, err := w.read(ctx, dir, t)
	if err != nil {
		w.mu.Lock()
		if w.err == nil {
			w.err = err
		}
		w.mu.Unlock()
		return
	}
	w.left.Add(len(below))
	for _, d := range below {
		select {
		case w.todo <- d:
		default:
			w.visit(ctx, d, t)
		}
	}
}

// read looks at the entries of one folder and gives the folders among them.
func (w *walker) read(ctx context.Context, dir string, t *tree) (below []string, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	fd, err := unix.Open(filepath.Join(w.prefix, dir), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	t.dirs = append(t.dirs, dir)
	t.bytes += st.Blocks * 512
	t.own += st.Blocks * 512
	t.folders += st.Blocks * 512
	entries, err := readDir(fd)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	if len(entries) == 0 {
		t.empty = append(t.empty, dir)
	}
	for _, e := range entries {
		if bytes, ok := w.known[e.inode]; ok && e.kind == unix.DT_REG {
			t.files = append(t.files, store.Inode{Number: e.inode, Bytes: bytes})
			t.bytes += bytes
			t.shared++
			continue
		}
		path := filepath.Join(dir, e.name)
		kind := e.kind
		if kind == unix.DT_UNKNOWN {
			if kind, err = kindOf(fd, e.name); err != nil {
				return nil, fmt.Errorf("read %s: %w", path, err)
			}
		}
		switch kind {
		case unix.DT_DIR:
			if !w.notYet[path] {
				below = append(below, path)
			}
		case unix.DT_LNK:
			t.links = append(t.links, path)
		case unix.DT_REG:
			if err := t.file(fd, e.name, path); err != nil {
				return nil, err
			}
		default:
			return nil, broken("", "%s is a device, a pipe or a socket, which no environment may hold", path)
		}
	}
	return below, nil
}

func (t *tree) file(dir int, name, path string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("read file %s: %w", path, err)
	}
	bytes := st.Blocks * 512
	t.files = append(t.files, store.Inode{Number: st.Ino, Bytes: bytes})
	t.bytes += bytes
	if st.Nlink > 1 {
		t.shared++
	} else {
		t.own += bytes
	}
	if st.Mode&0o7777 != sealed(st.Mode) {
		t.open = append(t.open, path)
	}
	return nil
}

// sealed is the mode of a file that nobody changes any more: whoever wrote through one environment would write into all.
func sealed(mode uint32) uint32 {
	if mode&0o111 != 0 {
		return 0o555
	}
	return 0o444
}

// contained refuses symlinks that lead out of the prefix, seen through all other symlinks. Those of exempt, by their path, may.
func contained(prefix string, links []string, exempt func(path string) bool) error {
	root, err := os.OpenRoot(prefix)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, link := range links {
		if exempt(link) {
			continue
		}
		if target, out := leavesRoot(root, prefix, link); out {
			return broken("", "the symlink %s leads out of the environment, to %s", link, target)
		}
	}
	return nil
}

// leavesRoot follows one symlink.
func leavesRoot(root *os.Root, prefix, link string) (target string, out bool) {
	target, err := root.Readlink(link)
	if err != nil {
		return target, true
	}
	at := link
	if filepath.IsAbs(target) {
		rel, err := filepath.Rel(prefix, target)
		if err != nil || !filepath.IsLocal(rel) {
			return target, true
		}
		at = rel
	}
	_, err = root.Stat(at)
	// Nothing where it leads is no way out, and neither is a circle.
	return target, err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR)
}

// broken is the failure of a package that cannot be taken.
func broken(name, format string, args ...any) *driver.Failure {
	f := driver.Failf(driver.PackageBroken, format, args...)
	f.Package = name
	f.Message += ": report it to the channel, or choose another version"
	return f
}

// seal makes files and folders unchangeable. Folders of the store's own caches are not touched: only what the prefix owns has a
// mode that is not yet that of a sealed file, but for the first time that a cached file is linked.
func seal(prefix string, t *tree) error {
	for _, path := range t.open {
		full := filepath.Join(prefix, path)
		info, err := os.Lstat(full)
		if err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		if err := unix.Chmod(full, sealed(uint32(info.Mode().Perm()))); err != nil {
			return fmt.Errorf("seal %s: %w", path, err)
		}
	}
	var sealing errgroup.Group
	for dirs := range slices.Chunk(t.dirs, 1+len(t.dirs)/min(4, runtime.NumCPU())) {
		sealing.Go(func() error {
			for _, dir := range dirs {
				if err := unix.Chmod(filepath.Join(prefix, dir), 0o555); err != nil {
					return fmt.Errorf("seal %s: %w", dir, err)
				}
			}
			return nil
		})
	}
	return sealing.Wait()
}

// isBasePython says whether path is the way of an environment of wheels to the interpreter that it stands on.
func isBasePython(path string) bool {
	dir, name := filepath.Split(path)
	return dir == "bin/" && strings.HasPrefix(name, "python")
}
