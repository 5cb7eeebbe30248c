package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sys/unix"
)

// finish makes an environment of what was installed: checked, compiled, tried, marked, sealed, on disk, and last its manifest.
// Nothing of the prefix is run, and nothing in it is reached by its path, before it is known that no symlink leads out of it.
func (b *builder) finish(ctx context.Context, pyc *layer) error {
	b.events.tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Finish})
	vars, skipped, err := b.mark()
	if err != nil {
		return err
	}
	found, err := walk(ctx, b.prefix(), true, ".")
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
	if err := b.compile(ctx, pyc, found); err != nil {
		return err
	}
	if err := b.smoke(ctx); err != nil {
		return err
	}
	if err := b.runScripts(ctx, skipped, vars); err != nil {
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

// compile brings the compiled modules in and adds them to what was found.
func (b *builder) compile(ctx context.Context, pyc *layer, found *tree) error {
	dirs, err := pyc.finish(ctx, interpreter(b.prefix()))
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(found.dirs))
	for _, d := range found.dirs {
		known[d] = true
	}
	if slices.ContainsFunc(dirs, func(d string) bool { return known[d] }) {
		// Modules came compiled with a package, and ours took their place: what was found is not true any more.
		all, err := walk(ctx, b.prefix(), true, ".")
		if err == nil {
			*found = *all
		}
		return err
	}
	more, err := walk(ctx, b.prefix(), false, dirs...)
	if err == nil {
		found.add(more)
	}
	return err
}

// commit puts the prefix on disk and then says that it is there.
func (b *builder) commit(found *tree, vars map[string]string) error {
	if err := syncFilesystem(b.prefix()); err != nil {
		return fmt.Errorf("write environment to disk: %w", err)
	}
	// One entry stands for the folders: they are never shared.
	files := append(found.files, store.Inode{Bytes: found.folders})
	return b.store.Commit(&store.Manifest{
		ID: b.id, Lock: b.lock.ID(), Kind: b.lock.Kind, Options: b.order.Options,
		Prefix: b.prefix(), Bin: filepath.Join(b.prefix(), "bin"),
		Python: interpreter(b.prefix()), PythonVersion: pythonVersion(b.lock),
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

// syncFilesystem has the kernel write to disk all that was written to the filesystem of dir. One call for everything: a prefix is
// ten thousand names in a thousand folders, each of which would want its own fsync, and on most filesystems the first of them
// has to write the others' metadata anyway.
func syncFilesystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
