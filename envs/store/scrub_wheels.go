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
	"slices"
	"strconv"
	"strings"
)

// hashGlob matches the folders of downloaded wheels, which are called by their hashes.
var hashGlob = strings.Repeat("[0-9a-f]", 2*sha256.Size)

// maxRecord bounds the list of files in an unpacked wheel, in bytes.
const maxRecord = 64 << 20

// maxArchives is how many downloaded wheels of one name and version are looked into: one for each platform would do.
const maxArchives = 8

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
	once := newOnce(root)
	for _, list := range lists {
		title := strings.TrimSuffix(path.Dir(list), ".dist-info")
		damage := func(path, why string) { all = append(all, Damage{Package: title, Path: path, Why: why, dir: dir}) }
		files, err := readRecord(root, list)
		if err != nil {
			damage(list, err.Error())
			continue
		}
		from := &archives{pattern: filepath.Join(wheels, hashGlob, title+"-*.whl")}
		for _, f := range files {
			why := once.differs(ctx, f)
			asPacked := why != "" && from.hold(ctx, once, f.Path)
			if ctx.Err() != nil || len(all) == maxDamage {
				break
			}
			if why != "" && !asPacked {
				damage(f.Path, why)
			}
		}
		from.close()
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

// archives are the downloaded wheels that a folder may have been unpacked from. They are opened and checked when the first file is
// asked for, and each of their files is read once.
type archives struct {
	pattern string
	open    []*zip.ReadCloser // nil while nothing was asked for
	sums    map[packed]string
}

// packed is a file of an archive.
type packed struct {
	archive *zip.ReadCloser
	name    string
}

// hold says whether one of them has a file as it is in the folder.
func (a *archives) hold(ctx context.Context, folder *once, name string) bool {
	here := folder.read(ctx, name)
	if here.err != nil {
		return false
	}
	if a.open == nil {
		a.start(ctx)
	}
	return slices.ContainsFunc(a.open, func(archive *zip.ReadCloser) bool {
		return a.sum(ctx, packed{archive, name}, here.size) == here.sum
	})
}

// start opens those that are what their folders say.
func (a *archives) start(ctx context.Context) {
	a.open, a.sums = []*zip.ReadCloser{}, map[packed]string{}
	found, _ := filepath.Glob(a.pattern)
	for _, path := range found {
		if len(scrubWheel(ctx, filepath.Dir(path))) > 0 || len(a.open) == maxArchives {
			continue
		}
		if archive, err := zip.OpenReader(path); err == nil {
			a.open = append(a.open, archive)
		}
	}
}

// sum is the hash of a file that unpacks to so many bytes; empty where there is none.
func (a *archives) sum(ctx context.Context, p packed, size int64) string {
	if sum, known := a.sums[p]; known {
		return sum
	}
	sum := ""
	if file, err := p.archive.Open(p.name); err == nil {
		if info, err := file.Stat(); err == nil && info.Size() == size {
			sum, _ = hashOf(ctx, file)
		}
		file.Close()
	}
	a.sums[p] = sum
	return sum
}

func (a *archives) close() {
	for _, archive := range a.open {
		archive.Close()
	}
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
