package build

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/lock"
)

// skeleton are the folders of packages, made before it was known for which prefix: a prefix has a thousand and more, and they take a
// good part of the time that linking does. It is a head start and nothing else: a folder in which nothing came to lie is removed again,
// and the installer makes those that are not there.
type skeleton struct {
	at      string              // where the folders are
	folders map[string]bool     // relative to it, with their parents
	byPart  map[string][]string // folders that hold files of a package
}

// partOf names a package of a lock so that the same name means the same files.
func partOf(p lock.Package) string { return p.SHA256 + " " + cacheName(p) }

// makeSkeleton makes the folders of those packages of a lock that are in the cache. When enough is closed, it gives what it has.
func makeSkeleton(enough <-chan struct{}, at, packages string, l *lock.Lock) (*skeleton, error) {
	if err := os.Mkdir(at, 0o755); err != nil {
		return nil, err
	}
	s := &skeleton{at: at, folders: map[string]bool{}, byPart: map[string][]string{}}
	all := map[string]bool{}
	for _, p := range l.Packages {
		if closed(enough) {
			return s, nil
		}
		folders, err := foldersOf(filepath.Join(packages, cacheName(p)), p.Noarch, sitePackages(l))
		if errors.Is(err, fs.ErrNotExist) {
			continue // not in the cache, or of the time before there was such a list
		}
		if err != nil {
			return nil, err
		}
		s.byPart[partOf(p)] = folders
		addParents(all, folders)
	}
	for _, folder := range slices.Sorted(maps.Keys(all)) { // parents come first
		if closed(enough) {
			break
		}
		if err := os.Mkdir(filepath.Join(at, folder), 0o755); err != nil {
			return nil, err
		}
		s.folders[folder] = true
	}
	return s, nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// foldersOf are the folders in which a package of the cache has files once it is installed.
func foldersOf(dir, noarch, sitePackages string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "info", "paths.json"))
	if err != nil {
		return nil, err
	}
	var list struct {
		Paths []struct {
			Path string `json:"_path"`
			Type string `json:"path_type"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	folders := map[string]bool{}
	for _, p := range list.Paths {
		name := p.Path
		if below, ok := strings.CutPrefix(name, "site-packages/"); ok && noarch == "python" {
			name = path.Join(sitePackages, below)
		} else if below, ok := strings.CutPrefix(name, "python-scripts/"); ok && noarch == "python" {
			name = path.Join("bin", below)
		}
		if p.Type != "directory" && filepath.IsLocal(name) && path.Clean(name) == name {
			folders[path.Dir(name)] = true
		}
	}
	return slices.Collect(maps.Keys(folders)), nil
}

// addParents adds folders and all above them.
func addParents(all map[string]bool, folders []string) {
	for _, folder := range folders {
		for ; folder != "." && !all[folder]; folder = path.Dir(folder) {
			all[folder] = true
		}
	}
}

var errNothingAhead = errors.New("nothing of it was made ahead")

// become makes the skeleton a prefix that has the folders of those packages alone that are in l too.
func (s *skeleton) become(prefix string, l *lock.Lock) error {
	wanted := map[string]bool{}
	for _, p := range l.Packages {
		addParents(wanted, s.byPart[partOf(p)])
	}
	if len(wanted) == 0 {
		return errNothingAhead
	}
	for _, folder := range slices.Backward(slices.Sorted(maps.Keys(s.folders))) { // what is in a folder comes first
		if wanted[folder] {
			continue
		}
		if err := os.Remove(filepath.Join(s.at, folder)); err != nil {
			return err
		}
		delete(s.folders, folder)
	}
	return os.Rename(s.at, prefix)
}

// clear removes those of the empty folders of a prefix that were made for it ahead, and says whether there were any: which folders a
// prefix has must not depend on what was made ahead. It finds none, unless an installer has put a package elsewhere than we thought.
func (s *skeleton) clear(root *os.Root, empty []string) (any bool, err error) {
	if s == nil {
		return false, nil
	}
	for _, folder := range empty {
		for ; s.folders[folder]; folder = path.Dir(folder) {
			err := root.Remove(folder)
			if errors.Is(err, fs.ErrExist) { // there is something else in it
				break
			}
			if err != nil {
				return any, err
			}
			any = true
		}
	}
	return any, nil
}
