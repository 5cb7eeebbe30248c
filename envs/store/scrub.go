package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Damage is a file of the cache that is not what its package says.
type Damage struct {
	Package string // the folder in the cache
	Path    string // in the package
	Why     string
}

// Scrub reads every extracted package in the caches and compares its files with the hashes that came with it: a write through one
// environment would be in all that share the file. It gives what differs, sorted, and goes on where a package cannot be read.
func (s *Store) Scrub(ctx context.Context) ([]Damage, error) {
	packages, err := filepath.Glob(s.path("pkgs/*/*/info/paths.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(packages)
	var all []Damage
	for _, list := range packages {
		if err := context.Cause(ctx); err != nil {
			return all, fmt.Errorf("scrub: %w", err)
		}
		dir := filepath.Dir(filepath.Dir(list))
		for _, d := range scrubPackage(ctx, dir) {
			d.Package = filepath.Base(dir)
			all = append(all, d)
		}
	}
	return all, nil
}

// listed is a file in a package's info/paths.json.
type listed struct {
	Path   string `json:"_path"`
	Type   string `json:"path_type"`
	SHA256 string `json:"sha256"`
	Size   *int64 `json:"size_in_bytes"`
}

func scrubPackage(ctx context.Context, dir string) []Damage {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return []Damage{{Why: err.Error()}}
	}
	defer root.Close()
	files, err := readPaths(root)
	if err != nil {
		return []Damage{{Path: "info/paths.json", Why: err.Error()}}
	}
	var all []Damage
	for _, f := range files {
		if ctx.Err() != nil {
			break
		}
		if f.Type == "hardlink" || f.Type == "" {
			if why := differs(root, f); why != "" {
				all = append(all, Damage{Path: f.Path, Why: why})
			}
		}
	}
	return all
}

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
	return list.Paths, nil
}

// differs says how a file is not what the list says; empty where it is.
func differs(root *os.Root, f listed) string {
	file, err := root.Open(f.Path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if f.SHA256 == "" {
		return ""
	}
	h := sha256.New()
	n, err := io.Copy(h, file)
	switch sum := hex.EncodeToString(h.Sum(nil)); {
	case err != nil:
		return err.Error()
	case f.Size != nil && n != *f.Size:
		return fmt.Sprintf("it has %d bytes and should have %d", n, *f.Size)
	case sum != f.SHA256:
		return errContent.Error()
	}
	return ""
}

var errContent = errors.New("its content is another")
