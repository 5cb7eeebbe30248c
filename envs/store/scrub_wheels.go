package store

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// hashGlob matches the folders of downloaded wheels, which are called by their hashes.
var hashGlob = strings.Repeat("[0-9a-f]", 2*sha256.Size)

// maxRecord bounds the list of files in an unpacked wheel, in bytes.
const maxRecord = 64 << 20

// scrubWheel compares a downloaded wheel with the hash that its folder is called by.
func scrubWheel(ctx context.Context, dir string) []Damage {
	wheels, _ := filepath.Glob(filepath.Join(dir, "[^.]*"))
	var all []Damage
	for _, path := range wheels {
		damage := Damage{Package: filepath.Base(path), dir: dir}
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has been collected meanwhile
		}
		if err == nil {
			var sum string
			if sum, err = hashOf(ctx, file); err == nil && sum != filepath.Base(dir) {
				err = errContent
			}
			file.Close()
		}
		if ctx.Err() != nil {
			return all
		}
		if err != nil {
			damage.Why = err.Error()
			all = append(all, damage)
		}
	}
	return all
}

// scrubUnpacked compares the files of an unpacked wheel with its RECORD. There are wheels whose RECORD is wrong from the start: what
// is as in the downloaded wheel, which lies below wheels, is no damage. A file of which RECORD has no hash is not looked at.
func scrubUnpacked(ctx context.Context, dir, wheels string) []Damage {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has been collected meanwhile
	}
	if err != nil {
		return []Damage{{Package: filepath.Base(dir), Why: err.Error(), dir: dir}}
	}
	defer root.Close()
	lists, _ := fs.Glob(root.FS(), "*.dist-info/RECORD")
	var all []Damage
	for _, list := range lists {
		title := strings.TrimSuffix(path.Dir(list), ".dist-info")
		damage := func(path, why string) { all = append(all, Damage{Package: title, Path: path, Why: why, dir: dir}) }
		files, err := readRecord(root, list)
		if err != nil {
			damage(list, err.Error())
			continue
		}
		for _, f := range files {
			if ctx.Err() != nil {
				return all
			}
			if why := differs(root, f); why != "" && !inWheel(ctx, root, f.Path, title, wheels) {
				damage(f.Path, why)
			}
		}
	}
	return all
}

// readRecord reads the list of a wheel's files: path, "sha256=" and the hash in base64, size. What has no hash is left out, and so is
// what is not in the folder.
func readRecord(root *os.Root, name string) ([]listed, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseRecord(io.LimitReader(file, maxRecord))
}

func parseRecord(text io.Reader) ([]listed, error) {
	lines := csv.NewReader(text)
	lines.FieldsPerRecord = -1
	lines.LazyQuotes = true
	var files []listed
	for {
		line, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it cannot be read: %w", err)
		}
		if len(line) < 2 || !filepath.IsLocal(line[0]) {
			continue
		}
		algorithm, value, _ := strings.Cut(line[1], "=")
		sum, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
		if algorithm != "sha256" || err != nil || len(sum) != sha256.Size {
			continue
		}
		f := listed{Path: line[0], SHA256: hex.EncodeToString(sum)}
		if len(line) > 2 {
			if size, err := strconv.ParseInt(line[2], 10, 64); err == nil {
				f.Size = &size
			}
		}
		files = append(files, f)
	}
}

// inWheel says whether a file of an unpacked wheel is as in a downloaded one of that name and version.
func inWheel(ctx context.Context, root *os.Root, name, title, wheels string) bool {
	archives, _ := filepath.Glob(filepath.Join(wheels, hashGlob, title+"-*.whl"))
	for _, archive := range archives {
		if len(scrubWheel(ctx, filepath.Dir(archive))) == 0 && sameIn(ctx, archive, root, name) {
			return true
		}
	}
	return false
}

func sameIn(ctx context.Context, archive string, root *os.Root, name string) bool {
	wheel, err := zip.OpenReader(archive)
	if err != nil {
		return false
	}
	defer wheel.Close()
	packed, err := wheel.Open(name)
	if err != nil {
		return false
	}
	defer packed.Close()
	want, err := hashOf(ctx, packed)
	if err != nil {
		return false
	}
	file, err := root.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	got, err := hashOf(ctx, file)
	return err == nil && got == want
}

// hashOf is the SHA-256 of what is read, in hexadecimal digits.
func hashOf(ctx context.Context, from io.Reader) (string, error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := context.Cause(ctx); err != nil {
			return "", err
		}
		n, err := from.Read(buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
