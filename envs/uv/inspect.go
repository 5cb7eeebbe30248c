package uv

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
)

const (
	// maxUnpacked bounds what one wheel may unpack to, in bytes, and maxFiles how many files it may hold.
	maxUnpacked = 32 << 30
	maxFiles    = 200_000
)

// inspect looks into all wheels before any of them touches the environment.
func inspect(ctx context.Context, req InstallRequest, tell driver.Sink) error {
	root, err := os.OpenRoot(filepath.Dir(filepath.Dir(req.Python)))
	if err != nil {
		return fmt.Errorf("open the environment: %w", err)
	}
	defer root.Close()
	site, err := relativeSite(root, req.Python)
	if err != nil {
		return err
	}
	look := inspection{root: root, site: site, owners: map[string]owner{}, tops: map[string]bool{}}
	for _, w := range req.Wheels {
		if ctx.Err() != nil {
			return fetch.Ended(ctx)
		}
		if err := look.wheel(w, placeOf(req.Dir, w)); err != nil {
			return &driver.Failure{Cause: driver.PackageBroken, Package: w.Name, Message: fmt.Sprintf("%s is refused: %s", w.Filename, err), Err: err}
		}
	}
	if len(look.shared) > 0 && tell != nil {
		tell(driver.Event{Type: driver.TypeLog, Phase: driver.Pip, Text: look.warning()})
	}
	return nil
}

func relativeSite(root *os.Root, python string) (string, error) {
	folders := sitePackages(python)
	if len(folders) != 1 {
		return "", driver.Failf(driver.ToolFailed, "%s has %d folders of packages; one was expected", filepath.Dir(filepath.Dir(python)), len(folders))
	}
	return filepath.Rel(root.Name(), folders[0])
}

// inspection remembers which wheel brings which file.
type inspection struct {
	root   *os.Root
	site   string // folder of modules, from the root
	owners map[string]owner
	tops   map[string]bool // whether the first folder of a path was there, so that most files need no look of their own
	shared []string        // "a and b both bring x"
}

type owner struct {
	name string
	crc  uint32
}

// wheel checks one wheel's names and kinds of files, and that none replaces what is there.
func (i *inspection) wheel(w lock.Wheel, file string) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	defer archive.Close()
	if len(archive.File) > maxFiles {
		return fmt.Errorf("it has %d files", len(archive.File))
	}
	var size uint64
	for _, f := range archive.File {
		if size += f.UncompressedSize64; size > maxUnpacked {
			return errors.New("it unpacks to too many bytes")
		}
		if err := checkEntry(f); err != nil {
			return err
		}
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if path.Base(f.Name) == "entry_points.txt" && strings.HasSuffix(path.Dir(f.Name), ".dist-info") {
			if err := checkEntryPoints(f); err != nil {
				return err
			}
		}
		if err := i.claim(w, f); err != nil {
			return err
		}
	}
	return nil
}

// checkEntry refuses what could end up anywhere but in its place. Go's zip reader leaves such names as they are.
func checkEntry(f *zip.File) error {
	name := strings.TrimSuffix(f.Name, "/")
	switch mode := f.Mode(); {
	case !filepath.IsLocal(name) || path.Clean(name) != name || strings.ContainsAny(name, "\\\x00"):
		return fmt.Errorf("the name %q leads out of the environment", f.Name)
	case mode.IsDir() != strings.HasSuffix(f.Name, "/"):
		return fmt.Errorf("%q is neither file nor folder", f.Name)
	case mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeType&^fs.ModeDir) != 0:
		return fmt.Errorf("%q is not a plain file", f.Name)
	}
	return nil
}

// checkEntryPoints refuses scripts whose name is a path or that of the interpreter.
func checkEntryPoints(f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	section := ""
	lines := bufio.NewScanner(io.LimitReader(r, maxMetadata))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[] \t")
			continue
		}
		if section != "console_scripts" && section != "gui_scripts" {
			continue
		}
		name, _, found := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); found && (strings.ContainsAny(name, "/\\") || isInterpreter(name)) {
			return fmt.Errorf("it would write a script called %q", name)
		}
	}
	return lines.Err()
}

func isInterpreter(name string) bool {
	rest, found := strings.CutPrefix(name, "python")
	return found && strings.Trim(rest, "0123456789.") == ""
}

// claim notes that a wheel brings a file, and refuses one that would replace another that is there, from conda or from the
// virtual environment itself. Two wheels with the same file are common, and the last one wins: that is only told.
func (i *inspection) claim(w lock.Wheel, f *zip.File) error {
	at, ok := i.destination(f.Name)
	if !ok {
		return nil
	}
	if isInterpreter(path.Base(at)) && path.Dir(at) == "bin" || at == "pyvenv.cfg" || strings.HasPrefix(at, "conda-meta/") {
		return fmt.Errorf("it would replace %s", at)
	}
	if other, taken := i.owners[at]; taken && other.crc != f.CRC32 {
		i.shared = append(i.shared, fmt.Sprintf("%s and %s both bring %s", other.name, w.Name, at))
	}
	i.owners[at] = owner{w.Name, f.CRC32}
	if !i.topExists(at) {
		return nil
	}
	info, err := i.root.Lstat(at)
	if err != nil {
		return nil // nothing there
	}
	if !info.Mode().IsRegular() || info.Size() != int64(f.UncompressedSize64) || i.sum(at) != f.CRC32 {
		return fmt.Errorf("it would replace %s, which another package brought", at)
	}
	return nil
}

// topExists reports whether there is anything at the first step of a path, below the folder of modules for what goes there.
func (i *inspection) topExists(at string) bool {
	base := ""
	if rest, below := strings.CutPrefix(at, i.site+"/"); below {
		base, at = i.site, rest
	}
	first, _, _ := strings.Cut(at, "/")
	top := path.Join(base, first)
	there, known := i.tops[top]
	if !known {
		_, err := i.root.Lstat(top)
		there = err == nil
		i.tops[top] = there
	}
	return there
}

func (i *inspection) sum(at string) uint32 {
	file, err := i.root.Open(at)
	if err != nil {
		return 0
	}
	defer file.Close()
	h := crc32.NewIEEE()
	_, _ = io.Copy(h, file)
	return h.Sum32()
}

// destination is where a file of a wheel goes, from the root; ok is false for headers, which have a folder
// of their own (binary distribution format, "The .data directory").
func (i *inspection) destination(name string) (at string, ok bool) {
	top, rest, _ := strings.Cut(name, "/")
	if !strings.HasSuffix(top, ".data") {
		return path.Join(i.site, name), true
	}
	scheme, below, _ := strings.Cut(rest, "/")
	switch scheme {
	case "purelib", "platlib":
		return path.Join(i.site, below), true
	case "scripts":
		return path.Join("bin", below), true
	case "data":
		return below, true
	}
	return "", false
}

// warning tells of the files that several wheels bring, a few of them by name.
func (i *inspection) warning() string {
	const most = 3
	text := strings.Join(i.shared[:min(len(i.shared), most)], "; ")
	if more := len(i.shared) - most; more > 0 {
		text += fmt.Sprintf("; and %d more files", more)
	}
	return text + ": the later one is used"
}
