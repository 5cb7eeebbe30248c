package build

import (
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

const (
	// expansion is how many bytes on disk an artifact's byte becomes, with the artifact itself: archives of packages are there until
	// they are unpacked, a few at a time.
	expansion = 4
	// overhead is what a prefix takes even when all its files are shared: folders, patched files, metadata.
	overhead = 16 << 20
	// leave is what must stay free on a disk where the order does not say.
	leave = 1 << 30
)

// room fails early where there is not enough disk for what has to be fetched.
func (b *builder) room() error {
	if most := b.order.Limits.MaxBytes; most > 0 && b.lock.Bytes() > most {
		return driver.Failf(driver.QuotaExceeded, "the packages of this environment have %d MB before they are unpacked and may take %d MB: "+
			"ask for less, or for a higher limit", megabytes(b.lock.Bytes()), megabytes(most))
	}
	free, size, err := b.store.Free()
	if err != nil {
		return err
	}
	floor := b.order.Limits.FreeBytes
	if floor == 0 {
		floor = min(leave, size/20)
	}
	need := overhead + expansion*b.missing()
	if free-need < floor {
		return driver.Failf(driver.DiskFull, "the disk of the environments has %d MB free, of which %d MB must stay so, and this build needs "+
			"about %d MB: ask the operator to make room", megabytes(free), megabytes(floor), megabytes(need))
	}
	return nil
}

// megabytes rounds up: nobody is to read that 0 MB are missing.
func megabytes(n int64) int64 { return (n + 999_999) / 1_000_000 }

// missing is the size of the artifacts that are not in the caches.
func (b *builder) missing() (bytes int64) {
	packages := b.store.Packages(b.order.Options.Domain)
	for _, p := range b.lock.Packages {
		if !exists(filepath.Join(packages, cacheName(p))) {
			bytes += p.Size
		}
	}
	wheels := b.store.Wheels(b.order.Options.Domain)
	for _, w := range b.lock.Wheels {
		if !exists(filepath.Join(wheels, w.SHA256)) {
			bytes += w.Size
		}
	}
	return bytes
}

// cacheName is the folder of a package in the cache, without what the installer may append.
func cacheName(p lock.Package) string { return p.Name + "-" + p.Version + "-" + p.Build }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
