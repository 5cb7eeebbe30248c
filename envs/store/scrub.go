package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Damage is a file of the cache that is not what its package says.
type Damage struct {
	Package string // the folder in the cache, or the wheel
	Path    string // in the package
	Why     string

	dir string // of the package
}

// Scrub reads everything in the caches that came with hashes and compares: extracted conda packages and unpacked wheels with the lists
// that are in them, because a write through one environment would be in all that share the file, and downloaded wheels with their
// names. It gives what differs, in the order of its place, and goes on where something cannot be read.
func (s *Store) Scrub(ctx context.Context) ([]Damage, error) { return s.scrub(ctx, 0) }

// ScrubGently is Scrub in the background: it rests nine times as long as it reads.
func (s *Store) ScrubGently(ctx context.Context) ([]Damage, error) { return s.scrub(ctx, 9) }

// Scrubbed is when the caches were last read to the end, by whoever uses the store; zero if they never were.
func (s *Store) Scrubbed() time.Time {
	info, err := os.Stat(s.scrubbedPath())
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (s *Store) scrubbedPath() string { return s.path("pkgs", "scrubbed") }

func (s *Store) scrub(ctx context.Context, rests int) ([]Damage, error) {
	items, err := s.scrubItems()
	if err != nil {
		return nil, err
	}
	var all []Damage
	for _, dir := range items {
		if err := context.Cause(ctx); err != nil {
			return all, fmt.Errorf("scrub: %w", err)
		}
		began := time.Now()
		all = append(all, s.inspect(ctx, dir)...)
		select {
		case <-time.After(time.Duration(rests) * time.Since(began)):
		case <-ctx.Done():
		}
	}
	if err := writeFile(s.scrubbedPath(), nil, 0o644, false); err != nil {
		return all, fmt.Errorf("scrub: %w", err)
	}
	return all, nil
}

// scrubItems are the folders in the caches that can be compared with something.
func (s *Store) scrubItems() ([]string, error) {
	var items []string
	for pattern, below := range map[string]int{"pkgs/*/*/info/paths.json": 2, "wheels/*/" + hashGlob: 0, "uv/*/archive-*/*/*.dist-info/RECORD": 2} {
		found, err := filepath.Glob(s.path(pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			for range below {
				path = filepath.Dir(path)
			}
			items = append(items, path)
		}
	}
	slices.Sort(items)
	return slices.Compact(items), nil
}

// inspect compares what is in one of those folders.
func (s *Store) inspect(ctx context.Context, dir string) []Damage {
	domain, _ := filepath.Rel(s.dir, dir)
	kind, domain, _ := strings.Cut(domain, string(filepath.Separator))
	domain, _, _ = strings.Cut(domain, string(filepath.Separator))
	switch kind {
	case "wheels":
		return scrubWheel(ctx, dir)
	case "uv":
		return scrubUnpacked(ctx, dir, s.path("wheels", domain))
	default:
		return scrubPackage(ctx, dir)
	}
}

// Expelled is a package that is out of the cache, and the prefixes that have a damaged file of it.
type Expelled struct {
	Package  string
	Prefixes []string // ids, sorted
}

// Expel removes the packages from the caches that Scrub found damaged and that still are, so that no other prefix gets them: the next
// one fetches them anew. Prefixes that have damaged files stay; it tells which those are. It waits for builders that use the caches.
func (s *Store) Expel(ctx context.Context, damage []Damage) ([]Expelled, error) {
	if len(damage) == 0 {
		return nil, nil
	}
	caches, err := s.awaitCaches(ctx, unix.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("expel damaged packages: %w", err)
	}
	defer caches.Close()
	lists, err := s.inodes()
	if err != nil {
		return nil, err
	}
	var all []Expelled
	var errs []error
	for _, dir := range dirs(damage) {
		found := s.inspect(ctx, dir)
		if err := context.Cause(ctx); err != nil {
			return all, errors.Join(append(errs, err)...)
		}
		if len(found) == 0 {
			continue
		}
		e := Expelled{found[0].Package, holders(lists, found)}
		err := s.forgetUnpacked(dir)
		if err == nil {
			err = s.discardCached(ctx, dir)
		}
		if err == nil {
			all = append(all, e)
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// dirs are the folders of damaged packages, each once.
func dirs(damage []Damage) []string {
	var all []string
	for _, d := range damage {
		all = append(all, d.dir)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// holders are the prefixes that have damaged files: the same ones, by other names.
func holders(lists map[string]Inodes, damage []Damage) []string {
	bad := map[uint64]bool{}
	for _, d := range damage {
		var st unix.Stat_t
		if d.Path != "" && unix.Lstat(filepath.Join(d.dir, d.Path), &st) == nil {
			bad[st.Ino] = true
		}
	}
	var ids []string
	for id, files := range lists {
		if slices.ContainsFunc(files, func(f Inode) bool { return bad[f.Number] }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// listed is a file in a package's info/paths.json.
type listed struct {
	Path   string `json:"_path"`
	Type   string `json:"path_type"`
	SHA256 string `json:"sha256"`
	Size   *int64 `json:"size_in_bytes"`
}

func scrubPackage(ctx context.Context, dir string) []Damage {
	damage := func(path, why string) Damage {
		return Damage{Package: filepath.Base(dir), Path: path, Why: why, dir: dir}
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has been collected meanwhile
	}
	if err != nil {
		return []Damage{damage("", err.Error())}
	}
	defer root.Close()
	files, err := readPaths(root)
	if err != nil {
		return []Damage{damage("info/paths.json", err.Error())}
	}
	var all []Damage
	once := newOnce(root)
	for _, f := range files {
		if f.Type != "hardlink" && f.Type != "" {
			continue
		}
		why := once.differs(ctx, f)
		if ctx.Err() != nil || len(all) == maxDamage {
			break
		}
		if why != "" {
			all = append(all, damage(f.Path, why))
		}
	}
	return all
}

// readPaths reads a package's list of files, and leaves out what is not in its folder.
func readPaths(root *os.Root) ([]listed, error) {
	b, err := root.ReadFile("info/paths.json")
	if err != nil {
		return nil, err
	}
	var list struct {
		Paths []listed `json:"paths"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Paths, func(f listed) bool { return !filepath.IsLocal(f.Path) }), nil
}
