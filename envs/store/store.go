// Package store is where environments are on disk: immutable prefixes at their final place, their manifests, and the caches
// that they share files with.
//
//	b/<id>          prefixes; the path is short because it is written into binaries
//	m/<id>.json     manifests, written last: what has none is half built and never used
//	m/<id>.inodes   which files a prefix has, to tell shared bytes from exclusive ones
//	work/<id>/      order.json, events.jsonl and lock of a builder
//	work/standby-…/ of a builder that was started ahead: see standby.go
//	pkgs/<domain>/  extracted conda packages; prefixes are hard links to them
//	wheels/ uv/     wheels by hash, and uv's unpacked ones, each by domain
//	pyc/<domain>/   compiled modules, by interpreter and artifact
//	records/        what installers note of packages, by content
//	metadata/       what builders' tools learnt of channels
//	logs/ archives/ trash/
//	roots/          what each data directory that uses this store wants kept
//
// Several gateways may share a store. Whoever changes a prefix holds the flock of work/<id>/lock.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/hopyard/hopyard/internal/problem"
)

// MaxRoot is how long a store's path may be: packages' binaries have room for 255 bytes of prefix, and the first line of a
// script for 127.
const MaxRoot = 100

// Store is one store. It is safe for concurrent use.
type Store struct {
	dir  string
	link string

	mu    sync.Mutex // guards cache
	cache map[string]cached
}

var folders = []string{"b", "m", "work", "pkgs", "wheels", "uv", "pyc", "records", "metadata", "logs", "archives", "trash", "roots"}

// Open opens the store at dir, which is made where it is missing. A path that is too long or not absolute is a
// *problem.Problem.
func Open(dir string) (*Store, error) {
	if !filepath.IsAbs(dir) {
		return nil, problem.New(problem.Invalid, "the folder of environments must be an absolute path, which %q is not", dir)
	}
	dir = filepath.Clean(dir)
	if len(dir) > MaxRoot {
		return nil, problem.New(problem.Invalid, "the path of the folder of environments has %d characters and may have %d, because "+
			"packages keep it in their programs: choose a shorter data directory instead of %s", len(dir), MaxRoot, dir)
	}
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(dir, f), 0o755); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	s := &Store{dir: dir, cache: map[string]cached{}}
	link, err := probeLink(s.path("work"))
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.link = link
	return s, nil
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Link is the best way to share a file's bytes on this filesystem: "reflink", "hardlink" or "copy".
func (s *Store) Link() string { return s.link }

// Prefix is where the environment id is or will be.
func (s *Store) Prefix(id string) string { return s.path("b", id) }

// Events is the file to which the builder of id appends its events, one JSON driver.Event a line, the last a result.
func (s *Store) Events(id string) string { return s.path("work", id, eventsFile) }

// Log is the file that keeps what a numbered build of an environment did.
func (s *Store) Log(project, environment string, build int) string {
	return s.path("logs", project, environment, fmt.Sprintf("%d.jsonl", build))
}

// Packages is the cache of extracted conda packages of a trust domain.
func (s *Store) Packages(domain string) string { return s.path("pkgs", domainDir(domain)) }

// Wheels is the cache of downloaded wheels of a trust domain.
func (s *Store) Wheels(domain string) string { return s.path("wheels", domainDir(domain)) }

// UVCache is uv's cache of a trust domain.
func (s *Store) UVCache(domain string) string { return s.path("uv", domainDir(domain)) }

// Compiled is where the compiled modules of a trust domain are.
func (s *Store) Compiled(domain string) string { return s.path("pyc", domainDir(domain)) }

// Metadata is where a builder's tools keep what they learnt of channels and indexes of a trust domain.
func (s *Store) Metadata(domain string) string { return s.path("metadata", domainDir(domain)) }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)

// ErrID is for names that are no id of a prefix.
var ErrID = errors.New("no id of an environment's files")

func check(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%w: %q", ErrID, id)
	}
	return nil
}

// domainDir is a folder's name for a trust domain, which is a channel's name or address.
func domainDir(domain string) string {
	if domain == "" {
		return "public"
	}
	return "d-" + shortHash(domain)
}
