package build

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// finish makes an environment of what was installed: compiled, checked, marked, sealed, on disk, and last its manifest. What
// can be done side by side is: the interpreter compiles while we look at every file. Until it is known that no symlink
// leads out of the prefix, everything that is written in it goes through an os.Root.
func (b *builder) finish(ctx context.Context, pyc *layer, known *store.Known) error {
	b.events.tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Finish})
	root, err := os.OpenRoot(b.prefix())
	if err != nil {
		return driver.Failf(driver.ToolFailed, "the installer made nothing: %w", err)
	}
	defer root.Close()
	var flushing sync.WaitGroup
	flushing.Go(b.store.Flush) // the most of it, while there are other things to do
	defer flushing.Wait()
	vars, scripts, err := b.look(root)
	if err != nil {
		return err
	}
	found, err := b.complete(ctx, root, pyc, known)
	if err != nil {
		return err
	}
	if most := b.order.Limits.MaxBytes; most > 0 && found.bytes > most {
		return driver.Failf(driver.QuotaExceeded, "this environment takes %d MB on disk and may take %d MB: ask for less, or for a higher limit",
			megabytes(found.bytes), megabytes(most))
	}
	if err := b.kernel(root); err != nil {
		return err
	}
	if err := b.runScripts(ctx, scripts, vars); err != nil {
		return err
	}
	if err := seal(b.prefix(), found); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	flushing.Wait()
	return b.commit(found, vars)
}

// complete brings in the compiled modules and the metadata, and gives all that is then in the prefix, which no symlink leaves.
func (b *builder) complete(ctx context.Context, root *os.Root, pyc *layer, known *store.Known) (*tree, error) {
	changing, err := pyc.prepare(root)
	if err != nil {
		return nil, err
	}
	if b.lock.Kind == lock.Conda {
		changing = append(changing, metadata)
	}
	var found *tree
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return b.mark(root) })
	g.Go(func() error { return pyc.compile(working, b.interpreter(root)) })
	g.Go(func() (err error) {
		if err := pyc.place(root); err != nil {
			return err
		}
		found, err = walk(working, b.prefix(), known, changing, ".")
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	changed, err := pyc.placeFresh(root)
	if err != nil {
		return nil, err
	}
	cleared, err := b.skeleton.clear(root, found.empty)
	if err != nil {
		return nil, err
	}
	if changed || cleared || !known.Valid() { // what was found is not true any more, or may not be
		known, found, changing = &store.Known{}, &tree{}, []string{"."}
	}
	more, err := walk(ctx, b.prefix(), known, nil, changing...)
	if err != nil {
		return nil, err
	}
	found.add(more)
	return found, contained(b.prefix(), found.links, b.mayLeave)
}

// mayLeave says which symlinks may lead out of the prefix: an environment of wheels stands on an interpreter of the host.
func (b *builder) mayLeave(path string) bool { return b.lock.Kind == lock.Venv && isBasePython(path) }

// commit puts the prefix on disk and says that it is there.
func (b *builder) commit(found *tree, vars map[string]string) error {
	root, err := inodeOf(b.prefix())
	if err != nil {
		return err
	}
	// One entry, with the number of the first of them, stands for the folders: they are never shared.
	files := append(found.files, store.Inode{Number: root, Bytes: found.folders})
	return b.store.Commit(&store.Manifest{
		ID: b.id, Lock: b.lock.ID(), Kind: b.lock.Kind, Options: b.order.Options,
		Prefix: b.prefix(), Bin: filepath.Join(b.prefix(), "bin"),
		Python: pythonPath(b.prefix()), PythonVersion: pythonVersion(b.prefix(), b.lock),
		Variables: vars, Kernelspecs: kernelspecs(b.prefix()), Packages: Inventory(b.lock, b.order.Requested),
		Link: b.linkMode(found), Files: len(found.files), Bytes: found.bytes, OwnBytes: found.own,
		Tool: b.order.Tools.Version, Finished: time.Now().UTC(),
	}, files)
}

// linkMode is how most of the files came here, by what the filesystem says: installers copy silently where they cannot link.
func (b *builder) linkMode(found *tree) string {
	switch {
	case 2*found.shared >= len(found.files):
		return "hardlink"
	case b.store.Link() == "reflink":
		return "reflink"
	default:
		return "copy"
	}
}

func inodeOf(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return 0, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return st.Ino, nil
}
