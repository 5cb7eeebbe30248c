package build

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// finish makes an environment of what was installed: checked, compiled, tried, marked, sealed, on disk, and last its manifest.
// Nothing of the prefix is run, and nothing in it is reached by its path, before it is known that no symlink leads out of it.
func (b *builder) finish(ctx context.Context, pyc *layer) error {
	b.events.tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Finish})
	vars, scripts, err := b.look()
	if err != nil {
		return err
	}
	found, err := walk(ctx, b.prefix(), ".")
	if err != nil {
		return err
	}
	if err := contained(b.prefix(), found.links, b.mayLeave); err != nil {
		return err
	}
	if most := b.order.Limits.MaxBytes; most > 0 && found.bytes > most {
		return driver.Failf(driver.QuotaExceeded, "this environment takes %d MB on disk and may take %d MB: ask for less, or for a higher limit",
			megabytes(found.bytes), megabytes(most))
	}
	if err := b.complete(ctx, pyc, found); err != nil {
		return err
	}
	if err := b.smoke(ctx); err != nil {
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
	return b.commit(found, vars)
}

// mayLeave says which symlinks may lead out of the prefix: an environment of wheels stands on an interpreter of the host.
func (b *builder) mayLeave(path string) bool { return b.lock.Kind == lock.Venv && isBasePython(path) }

// complete brings in the compiled modules and the metadata, and adds them to what was found.
func (b *builder) complete(ctx context.Context, pyc *layer, found *tree) error {
	python := interpreter(b.prefix())
	var dirs []string
	g, working := errgroup.WithContext(ctx)
	g.Go(b.mark)
	g.Go(func() (err error) {
		dirs, err = pyc.finish(working, python)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if found.has(dirs) {
		// Modules came compiled with a package, and ours took their place: what was found is not true any more.
		again, err := walk(ctx, b.prefix(), ".")
		if err != nil {
			return err
		}
		*found, dirs = *again, nil
	}
	if b.lock.Kind == lock.Conda {
		dirs = append(dirs, metadata)
	}
	more, err := walk(ctx, b.prefix(), dirs...)
	if err != nil {
		return err
	}
	found.add(more)
	return contained(b.prefix(), more.links, b.mayLeave)
}

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
		Python: interpreter(b.prefix()), PythonVersion: pythonVersion(b.prefix(), b.lock),
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
