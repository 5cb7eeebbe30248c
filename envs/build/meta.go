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
	hashField    = []byte(`"sha256`)
	hashInPrefix = []byte(`"sha256_in_prefix":`)
	hashOfFile   = []byte(`"sha256":`)
	typeField    = []byte(`"path_type":`)
	scriptType   = []byte(`"unix_python_entry_point",`)
)

// shareable is a record without what is true in one prefix alone. It works on the text, since decoding megabytes takes longer than all
// else that is done with them; no text of a record can look like a field, because quotes within it are escaped.
func shareable(record []byte) []byte {
	kept := make([]byte, 0, len(record))
	for {
		at := bytes.Index(record, hashField)
		if at < 0 {
			return append(kept, record...)
		}
		kept, record = append(kept, record[:at]...), record[at:]
		if rest, ok := cutHash(record, kept); ok {
			record = rest
			continue
		}
		kept, record = append(kept, hashField...), record[len(hashField):]
	}
}

// cutHash cuts a field off the beginning of text if it holds a hash that is true in one prefix alone, with the comma and the space
// behind it. Before is what comes before the text.
func cutHash(text, before []byte) (rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(text, hashInPrefix)
	if !ok {
		if rest, ok = bytes.CutPrefix(text, hashOfFile); !ok || !endsInScript(before) {
			return nil, false
		}
	}
	const digits = 2 * sha256.Size
	rest, ok = bytes.CutPrefix(trimLeft(rest), []byte{'"'})
	if !ok || len(rest) < digits || bytes.ContainsFunc(rest[:digits], func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }) {
		return nil, false
	}
	rest, ok = bytes.CutPrefix(rest[digits:], []byte(`",`))
	return trimLeft(rest), ok
}

// endsInScript says whether text ends in the field that says that a path is a script which the installer has made.
func endsInScript(text []byte) bool {
	text, ok := bytes.CutSuffix(bytes.TrimRight(text, jsonSpace), scriptType)
	return ok && bytes.HasSuffix(bytes.TrimRight(text, jsonSpace), typeField)
}

// jsonSpace is what JSON allows between its parts (RFC 8259).
const jsonSpace = " \t\r\n"

func trimLeft(text []byte) []byte { return bytes.TrimLeft(text, jsonSpace) }

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
