package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Archive is a packed prefix: a tar.gz that runs wherever it is unpacked.
type Archive struct {
	ID     string    `json:"id"`
	Path   string    `json:"path"` // absolute
	Bytes  int64     `json:"bytes"`
	SHA256 string    `json:"sha256"`
	Made   time.Time `json:"made"`
}

// Archive gives the archive of id, if there is one.
func (s *Store) Archive(id string) (*Archive, bool) {
	if check(id) != nil {
		return nil, false
	}
	b, err := os.ReadFile(s.path("archives", id+".json"))
	if err != nil {
		return nil, false
	}
	var a Archive
	if json.Unmarshal(b, &a) != nil {
		return nil, false
	}
	info, err := os.Stat(s.archivePath(id))
	if err != nil || info.Size() != a.Bytes {
		return nil, false
	}
	a.Path = s.archivePath(id)
	return &a, true
}

// ArchiveDraft is where to write the archive of id before CommitArchive. conda-pack knows the format by the ending.
func (s *Store) ArchiveDraft(id string) string { return s.path("archives", "."+id+".tar.gz") }

// CommitArchive makes a draft with that hash the archive of id. The caller holds the lock of id.
func (s *Store) CommitArchive(id, draft, sha256 string) error {
	f, err := os.Open(draft)
	if err != nil {
		return fmt.Errorf("keep archive: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(draft, s.archivePath(id))
	}
	if err != nil {
		return fmt.Errorf("keep archive: %w", err)
	}
	b, err := json.Marshal(Archive{ID: id, Bytes: info.Size(), SHA256: sha256, Made: time.Now().UTC()})
	if err == nil {
		err = writeFile(s.path("archives", id+".json"), b, 0o644, true)
	}
	if err != nil {
		return fmt.Errorf("keep archive: %w", err)
	}
	return nil
}

// RemoveArchive removes the archive of id. Removing what is not there is no error.
func (s *Store) RemoveArchive(id string) error {
	if err := check(id); err != nil {
		return err
	}
	for _, path := range []string{s.path("archives", id+".json"), s.archivePath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove archive: %w", err)
		}
	}
	return nil
}

func (s *Store) archivePath(id string) string { return s.path("archives", id+".tar.gz") }
