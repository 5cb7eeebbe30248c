package build

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
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

func (b *builder) sitePackages() string { return sitePackages(b.lock) }

// sitePackages is where what is pure Python is installed, below the prefix.
func sitePackages(l *lock.Lock) string {
	return filepath.Join("lib", "python"+l.Python, "site-packages")
}

// verifyWheels looks for the metadata of every wheel of the lock.
func (b *builder) verifyWheels(root *os.Root) error {
	if len(b.lock.Wheels) == 0 {
		return nil
	}
	infos, err := b.distInfos(root)
	if err != nil {
		return err
	}
	for _, w := range b.lock.Wheels {
		info, ok := infos[lock.NormalName(w.Name)]
		if !ok {
			return driver.Failf(driver.ToolFailed, "the installer did not install %s %s", w.Name, w.Version)
		}
		if lock.CompareVersions(strings.ReplaceAll(info.version, "_", "-"), w.Version) != 0 {
			f := driver.Failf(driver.PackageBroken, "%s %s says of itself that it is version %s", w.Name, w.Version, info.version)
			f.Package = w.Name
			return f
		}
	}
	return nil
}

// distInfo is the metadata of an installed wheel.
type distInfo struct {
	version string
	dir     string // below the prefix
}

// distInfos are those in site-packages, by normal name. Packages of conda have some too.
func (b *builder) distInfos(root *os.Root) (map[string]distInfo, error) {
	dir, err := root.Open(b.sitePackages())
	if err != nil {
		return nil, driver.Failf(driver.ToolFailed, "the installer left no modules: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, driver.Failf(driver.ToolFailed, "the installer left no modules: %w", err)
	}
	infos := map[string]distInfo{}
	for _, entry := range names {
		stem, ok := strings.CutSuffix(entry, ".dist-info")
		name, version, both := strings.Cut(stem, "-")
		if ok && both {
			infos[lock.NormalName(name)] = distInfo{version, filepath.Join(b.sitePackages(), entry)}
		}
	}
	return infos, nil
}

// wheelSources are the Python sources that a wheel's RECORD names.
func (b *builder) wheelSources(a artifact) ([]source, error) {
	root, err := os.OpenRoot(b.prefix())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	infos, err := b.distInfos(root)
	if err != nil {
		return nil, err
	}
	info, ok := infos[lock.NormalName(a.wheel.Name)]
	if !ok {
		return nil, nil
	}
	f, err := root.Open(filepath.Join(info.dir, "RECORD"))
	if err != nil {
		return nil, broken(a.name, "%s has no list of its files", a.name)
	}
	defer f.Close()
	entries, err := readWheelRecord(f, b.sitePackages())
	if err != nil {
		return nil, broken(a.name, "the list of the files of %s cannot be used: %v", a.name, err)
	}
	var all []source
	for _, e := range entries {
		if !b.isModule(e.path) {
			continue
		}
		s := source{e.path, compiled}
		if !hasHash(filepath.Join(b.prefix(), e.path), e.sha256) {
			s.fate = ownOnly
		}
		all = append(all, s)
	}
	return all, nil
}

// recorded is one file of a wheel, by its path below the prefix.
type recorded struct {
	path   string
	sha256 string // hexadecimal; empty where the list has none
}

// readWheelRecord reads a RECORD whose paths are relative to site, a path below the prefix. A path out of the prefix is an error.
func readWheelRecord(r io.Reader, site string) ([]recorded, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = -1
	lines.ReuseRecord = true
	var all []recorded
	for {
		line, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		at := path.Join(site, line[0])
		if !filepath.IsLocal(at) || path.IsAbs(line[0]) {
			return nil, fmt.Errorf("%q leads out of the environment", line[0])
		}
		e := recorded{path: at}
		if len(line) > 1 {
			if b64, ok := strings.CutPrefix(line[1], "sha256="); ok {
				sum, _ := base64.RawURLEncoding.DecodeString(strings.TrimRight(b64, "="))
				e.sha256 = hex.EncodeToString(sum)
			}
		}
		all = append(all, e)
	}
}

// requiresOf are the names of what a package of conda depends on.
func requiresOf(p lock.Package) []string {
	var names []string
	for _, d := range p.Depends {
		name := d
		if i := strings.IndexAny(d, " =<>!~["); i >= 0 {
			name = d[:i]
		}
		if _, after, ok := strings.Cut(name, "::"); ok {
			name = after
		}
		if name != "" && !strings.HasPrefix(name, "__") {
			names = append(names, name)
		}
	}
	return names
}
