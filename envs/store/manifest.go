package store

import (
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

// cached is a manifest as it was read from a file of that age and size.
type cached struct {
	m    *Manifest
	mod  time.Time
	size int64
}

// Manifest gives the manifest of id, if that prefix is whole. It costs one stat once it has been read. The result is shared:
// do not change it.
func (s *Store) Manifest(id string) (*Manifest, bool) {
	if check(id) != nil {
		return nil, false
	}
	path := s.manifestPath(id)
	info, err := os.Stat(path)
	if err != nil {
		s.forget(id)
		return nil, false
	}
	s.mu.Lock()
	c, ok := s.cache[id]
	s.mu.Unlock()
	if ok && c.mod.Equal(info.ModTime()) && c.size == info.Size() {
		return c.m, true
	}
	m, err := readManifest(path)
	if err != nil || m.ID != id {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache[id] = cached{m, info.ModTime(), info.Size()}
	return m, true
}

// Find gives the manifest of id if the prefix can be used now: its interpreter, which for an environment of wheels is one of
// the host, is still there.
func (s *Store) Find(id string) (*Manifest, bool) {
	m, ok := s.Manifest(id)
	if !ok {
		return nil, false
	}
	must := m.Prefix
	if m.Python != "" {
		must = m.Python // through its symlinks
	}
	if _, err := os.Stat(must); err != nil {
		return nil, false
	}
	return m, true
}

// Manifests gives all manifests, sorted by id.
func (s *Store) Manifests() ([]*Manifest, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var all []*Manifest
	for _, id := range ids {
		if m, ok := s.Manifest(id); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

// ids are the ids that have a manifest, sorted.
func (s *Store) ids() ([]string, error) {
	entries, err := os.ReadDir(s.path("m"))
	if err != nil {
		return nil, fmt.Errorf("list environments on disk: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok && check(id) == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Commit writes the manifest of a prefix, with what its files are, when those are on disk. From then on the prefix is used. The caller
// holds the lock of m.ID.
//
// Everything is put on disk by one call for the whole filesystem: a prefix is ten thousand names in a thousand folders, each of
// which would want an fsync of its own, and the first of them has the journal write what the others would.
func (s *Store) Commit(m *Manifest, files Inodes) error {
	if err := check(m.ID); err != nil {
		return err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	list, err := draft(s.inodesPath(m.ID), files.encode(), 0o644)
	if err != nil {
		return fmt.Errorf("write list of files: %w", err)
	}
	defer os.Remove(list)
	manifest, err := draft(s.manifestPath(m.ID), b, 0o644)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	defer os.Remove(manifest)
	err = syncFilesystem(s.dir)
	if err == nil {
		err = os.Rename(list, s.inodesPath(m.ID))
	}
	if err == nil {
		err = os.Rename(manifest, s.manifestPath(m.ID))
	}
	if err == nil {
		err = syncDir(s.path("m"))
	}
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

func (s *Store) manifestPath(id string) string { return s.path("m", id+".json") }
func (s *Store) inodesPath(id string) string   { return s.path("m", id+".inodes") }

func (s *Store) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cache, id)
}

func readManifest(path string) (*Manifest, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", filepath.Base(path), err)
	}
	return &m, nil
}

// writeFile replaces a file whole or not at all; durable, it is on disk under its name when writeFile returns.
func writeFile(path string, b []byte, mode fs.FileMode, durable bool) error {
	tmp, err := draft(path, b, mode)
	if err != nil {
		return err
	}
	if durable {
		err = syncFile(tmp)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return err
	}
	if durable {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

// draft writes what is to become path beside it, and says where.
func draft(path string, b []byte, mode fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncFile writes a file or a folder to disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func syncDir(dir string) error { return syncFile(dir) }

// Flush begins to write to disk what a builder has written so far, so that Commit has less to do.
func (s *Store) Flush() { _ = syncFilesystem(s.dir) }

// syncFilesystem writes to disk all that was written to the filesystem of dir.
func syncFilesystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
