package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/internal/filelock"
	"golang.org/x/sys/unix"
)

// CacheUse holds the caches' files where they are. Close gives them free.
type CacheUse struct{ file *os.File }

// Close ends the use.
func (u *CacheUse) Close() error { return filelock.Release(u.file) }

// UseCaches keeps CollectCaches away while an installer takes files from the caches. Many may use them at a time. It waits for a
// collection to end.
func (s *Store) UseCaches(ctx context.Context) (*CacheUse, error) {
	return s.awaitCaches(ctx, unix.LOCK_SH)
}

func (s *Store) awaitCaches(ctx context.Context, how int) (*CacheUse, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		use, err := s.lockCaches(how)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return use, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (s *Store) lockCaches(how int) (*CacheUse, error) {
	f, err := os.OpenFile(s.path("pkgs", "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock caches: %w", err)
	}
	if err := flock(f, how|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock caches: %w", err)
	}
	return &CacheUse{f}, nil
}

// ShareText makes the file name of a prefix a name of the one file of its trust domain that has this text. Records of packages are
// megabytes, and the same in every prefix. Where links are refused the file stays as it is.
func (s *Store) ShareText(domain string, text []byte, prefix *os.Root, name string) error {
	sum := sha256.Sum256(text)
	one := s.path("records", domainDir(domain), hex.EncodeToString(sum[:]))
	full := filepath.Join(prefix.Name(), name)
	tmp := full + ".shared"
	err := os.Link(one, tmp)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(one), 0o755); err != nil {
			return fmt.Errorf("share record: %w", err)
		}
		if err := writeFile(one, text, 0o444, false); err != nil {
			return fmt.Errorf("share record: %w", err)
		}
		err = os.Link(one, tmp)
	}
	if err != nil {
		return nil //nolint:nilerror // no links here, or none left: a file of its own is as good
	}
	if err := os.Rename(tmp, full); err != nil {
		return fmt.Errorf("share record: %w", err)
	}
	return nil
}

// CollectCaches removes from the caches what no prefix has a link to and nobody has used for that long: extracted packages, what killed
// builders left of archives, compiled modules, records, downloaded wheels. It does nothing while a builder uses the caches.
func (s *Store) CollectCaches(ctx context.Context, unused time.Duration) (Collected, error) {
	var done Collected
	lock, err := s.lockCaches(unix.LOCK_EX)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return done, nil
	}
	if err != nil {
		return done, err
	}
	defer lock.Close()
	items, err := s.cacheItems()
	if err != nil {
		return done, err
	}
	before := time.Now().Add(-unused)
	unwanted := map[string]int64{} // bytes by path
	for _, path := range items {
		if err := context.Cause(ctx); err != nil {
			return done, err
		}
		if bytes, idle := s.idle(path, before); idle {
			unwanted[path] = bytes
		}
	}
	if err := s.forgetUnpacked(slices.Collect(maps.Keys(unwanted))...); err != nil {
		return done, err
	}
	var errs []error
	for path, bytes := range unwanted {
		err := s.discardCached(ctx, path)
		if err == nil {
			done.IDs = append(done.IDs, filepath.Base(path))
			done.Bytes += bytes
		}
		errs = append(errs, err)
	}
	slices.Sort(done.IDs)
	return done, errors.Join(errs...)
}

// discardCached removes one thing from the caches, which are locked.
func (s *Store) discardCached(ctx context.Context, path string) error {
	trashed, err := s.toTrash(path)
	if err != nil {
		return err
	}
	os.Remove(path + ".lock") // the installer's own
	return s.empty(ctx, trashed)
}

// forgetUnpacked removes what uv has noted of unpacked wheels that are about to go, or have gone already: it would believe that they
// are there, and fail. A note is a link to the folder, and a file beside it.
func (s *Store) forgetUnpacked(going ...string) error {
	caches, err := filepath.Glob(s.path("uv/*/wheels-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, cache := range caches {
		errs = append(errs, filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Type() != fs.ModeSymlink {
				return err
			}
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(path), to)
			}
			if _, err := os.Lstat(to); err == nil && !slices.Contains(going, to) {
				return nil
			}
			for _, ending := range []string{".rev", ".http", ".msgpack"} {
				os.Remove(path + ending)
			}
			return os.Remove(path)
		}))
	}
	return errors.Join(errs...)
}

// cacheItems are the things in the caches that come and go as one, by trust domain.
func (s *Store) cacheItems() ([]string, error) {
	var items []string
	for _, pattern := range []string{"pkgs/*/[^.]*", "pkgs/*/.archives/*", "pyc/*/*/*", "records/*/*", "wheels/*/[^.]*", "uv/*/archive-*/*"} {
		found, err := filepath.Glob(s.path(pattern))
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

// idle says whether path has no file that is linked from elsewhere and was not used since; bytes is what it takes. The count of
// links is the count of references: nothing else has to be kept true.
func (s *Store) idle(path string, before time.Time) (bytes int64, idle bool) {
	if strings.HasSuffix(path, ".lock") {
		return 0, false
	}
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || used(&st).After(before) {
		return 0, false
	}
	err := filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := unix.Lstat(at, &st); err != nil {
			return err
		}
		if !d.IsDir() && st.Nlink > 1 {
			return errLinked
		}
		bytes += st.Blocks * 512
		return nil
	})
	return bytes, err == nil
}

var errLinked = errors.New("linked from elsewhere")

// used is when something was last made, renamed or linked: the time of the inode, which a removed link renews as well, so that what a
// collected prefix had stays for as long as what was never used. Reading is not counted; disks are mounted without that.
func used(st *unix.Stat_t) time.Time { return time.Unix(st.Ctim.Unix()) }
