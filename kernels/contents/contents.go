// Package contents is the domain of a project's files as Jupyter sees them: listing, reading, saving, copying, checkpoints,
// uploads in chunks, and whether a notebook's output is to be trusted.
//
// Everything happens below one os.Root per project, so that no path, whatever it is made of, and no symbolic link leads out:
// it is the operating system that refuses, not a comparison of strings. What is outside is simply not there.
//
// A file is saved under a hidden name beside its place, flushed to the disk, and then renamed: at every moment its name
// stands for the whole old or the whole new content. Deleting is for good, folders with all that is in them; Jupyter would move
// to a trash that a server does not have, so the page is told delete_to_trash=false and asks people accordingly.
package contents

import (
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

// Type is what an Item is.
type Type string

// The types. Anything else that a client asks for counts as File.
const (
	Directory Type = "directory"
	File      Type = "file"
	Notebook  Type = "notebook"
)

// Format is how content is written as JSON.
type Format string

// The formats: JSON for notebooks and directories, the other two for files.
const (
	JSON   Format = "json"
	Text   Format = "text"
	Base64 Format = "base64"
)

// Item is what stands at a path: Jupyter's contents model.
type Item struct {
	Name     string
	Path     string // below the project's root, with slashes, empty for the root itself
	Type     Type
	Writable bool
	Created  time.Time
	Modified time.Time
	Size     int64  // bytes, of anything but a directory
	Mimetype string // empty where it is not known
	Hash     string // SHA-256 of the bytes in hex, where it was asked for or is known anyway
	Format   Format // empty without content
	// Items are the children of a directory, without their content, by name.
	Items []Item
	// Content is the content of a file or notebook as JSON, where it was asked for. Whoever gets it closes it.
	Content *Content
}

// Store keeps the files of all projects. It is safe for concurrent use.
type Store struct {
	root   func(project string) (string, error)
	trust  trust
	log    *slog.Logger
	mu     sync.Mutex // guards roots and closed
	roots  map[string]*os.Root
	closed bool
}

// New makes a Store. Root gives the folder with a project's files; it must exist. The records remember which notebooks
// are trusted, by whom.
func New(root func(project string) (string, error), records storage.Backend, log *slog.Logger) *Store {
	return &Store{root: root, trust: trust{records}, log: log, roots: map[string]*os.Root{}}
}

// Close gives back what the Store holds. What is under way fails.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, r := range s.roots {
		_ = r.Close()
	}
	clear(s.roots)
	return nil
}

// Forget gives back what the Store holds of one project, to be called when the project is deleted or its folder moves.
func (s *Store) Forget(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.roots[project]; r != nil {
		_ = r.Close()
		delete(s.roots, project)
	}
}

// open gives the root of a project, opened once.
func (s *Store) open(project string) (*os.Root, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fs.ErrClosed
	}
	if r := s.roots[project]; r != nil {
		return r, nil
	}
	dir, err := s.root(project)
	if err != nil {
		return nil, err
	}
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s.roots[project] = r
	return r, nil
}

// place is a path within an opened project.
type place struct {
	root *os.Root
	path string // clean, with slashes, empty for the root
}

// at finds the place of a path; hidden says what to answer for a hidden one.
func (s *Store) at(project, path string, hidden hiddenAnswer) (place, error) {
	path, err := clean(path)
	if err != nil {
		return place{}, err
	}
	if isHidden(path) {
		return place{}, hidden(path)
	}
	root, err := s.open(project)
	return place{root, path}, err
}
