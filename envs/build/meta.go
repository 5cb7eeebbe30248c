package build

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// record is what a file of conda-meta says of itself, before its lists of files.
type record struct {
	Name, Version, Build, SHA256 string
}

// readRecord reads a record and stops as soon as it has all: the lists of files behind it may have megabytes.
func readRecord(r io.Reader) (record, error) {
	var rec record
	fields := map[string]*string{"name": &rec.Name, "version": &rec.Version, "build": &rec.Build, "sha256": &rec.SHA256}
	d := json.NewDecoder(bufio.NewReader(r))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return rec, fmt.Errorf("not a record: %w", errors.Join(err, errNoObject))
	}
	for len(fields) > 0 && d.More() {
		key, err := d.Token()
		if err != nil {
			return rec, fmt.Errorf("not a record: %w", err)
		}
		name, _ := key.(string)
		if into, ok := fields[name]; ok {
			delete(fields, name)
			err = d.Decode(into)
		} else {
			var skipped json.RawMessage
			err = d.Decode(&skipped)
		}
		if err != nil {
			return rec, fmt.Errorf("not a record: %q: %w", name, err)
		}
	}
	return rec, nil
}

var errNoObject = errors.New("it does not begin as an object")

// records compares what the installer says that it installed with the lock, and shares the records themselves between prefixes: they
// have megabytes and are the same wherever a package is.
func (b *builder) records(root *os.Root) error {
	dir, err := root.Open("conda-meta")
	if err != nil {
		return driver.Failf(driver.ToolFailed, "the installer left no records: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return driver.Failf(driver.ToolFailed, "the installer left no records: %w", err)
	}
	want := make(map[string]lock.Package, len(b.lock.Packages))
	for _, p := range b.lock.Packages {
		want[cacheName(p)+".json"] = p
	}
	for _, name := range names {
		if path.Ext(name) != ".json" {
			continue
		}
		p, ok := want[name]
		if !ok {
			return driver.Failf(driver.ToolFailed, "the installer installed %s, which the lock does not have", strings.TrimSuffix(name, ".json"))
		}
		delete(want, name)
		if err := b.record(root, "conda-meta/"+name, p); err != nil {
			return err
		}
	}
	for _, p := range want {
		return driver.Failf(driver.ToolFailed, "the installer did not install %s %s", p.Name, p.Version)
	}
	return nil
}

// record checks and shares one record.
func (b *builder) record(root *os.Root, name string, p lock.Package) error {
	text, err := root.ReadFile(name)
	if err != nil {
		return broken(p.Name, "the record of %s cannot be read: %v", p.Name, err)
	}
	rec, err := readRecord(bytes.NewReader(text))
	if err != nil {
		return broken(p.Name, "the record of %s cannot be read: %v", p.Name, err)
	}
	if rec.SHA256 != p.SHA256 || rec.Name != p.Name || rec.Version != p.Version || rec.Build != p.Build {
		f := driver.Failf(driver.HashMismatch, "what was installed as %s is %s %s %s with the hash %s, and the lock says %s %s with the hash %s",
			p.Name, rec.Name, rec.Version, rec.Build, rec.SHA256, p.Version, p.Build, p.SHA256)
		f.Package = p.Name
		return f
	}
	return b.store.ShareText(b.order.Options.Domain, shareable(text), root, name)
}

// Installers note the hashes of files into which they wrote the prefix, and of the scripts that they made for it. Those alone make
// records differ from prefix to prefix, and a hash is there at will.
var (
	hashInPrefix = regexp.MustCompile(`"sha256_in_prefix":\s*"[0-9a-f]{64}",\s*`)
	hashOfScript = regexp.MustCompile(`("path_type":\s*"unix_python_entry_point",\s*)"sha256":\s*"[0-9a-f]{64}",\s*`)
)

// shareable is a record without what is true in one prefix alone. It works on the text, since decoding megabytes takes longer than all
// else that is done with them; no text of a record can look like a field, because quotes within it are escaped.
func shareable(record []byte) []byte {
	return hashOfScript.ReplaceAll(hashInPrefix.ReplaceAll(record, nil), []byte("$1"))
}

// sources are the Python sources that an artifact put below the interpreter's library. Those that are not what the artifact held,
// because they were patched or another package has overwritten them, are private.
func (b *builder) sources(a artifact) ([]source, error) {
	if a.wheel != nil {
		return b.wheelSources(a)
	}
	var meta struct {
		Paths struct {
			Paths []struct {
				Path        string  `json:"_path"`
				Type        string  `json:"path_type"`
				SHA256      string  `json:"sha256"`
				Placeholder *string `json:"prefix_placeholder"`
			} `json:"paths"`
		} `json:"paths_data"`
	}
	text, err := os.ReadFile(filepath.Join(b.prefix(), "conda-meta", a.meta))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return nil, broken(a.name, "the record of %s cannot be read: %v", a.name, err)
	}
	var all []source
	for _, p := range meta.Paths.Paths {
		if !b.isModule(p.Path) || p.Type == "softlink" || p.Type == "directory" {
			continue
		}
		s := source{p.Path, compiled}
		if p.Placeholder != nil || !hasHash(filepath.Join(b.prefix(), p.Path), p.SHA256) {
			s.fate = ownOnly
		}
		all = append(all, s)
	}
	return all, nil
}

// isModule says whether path is that of a source which the environment's interpreter may import.
func (b *builder) isModule(path string) bool {
	return isSource(path) && strings.HasPrefix(path, "lib/python"+b.lock.Python+"/")
}

// hasHash says whether the file is regular and has that hash, in hexadecimal digits.
func hasHash(path, want string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	b, err := os.ReadFile(path)
	sum := sha256.Sum256(b)
	return err == nil && hex.EncodeToString(sum[:]) == strings.ToLower(want)
}
