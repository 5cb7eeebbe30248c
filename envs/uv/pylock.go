package uv

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/hopyard/hopyard/envs/lock"
)

// pylock is what we read of a lock file of PEP 751.
type pylock struct {
	Packages []pylockPackage `toml:"packages"`
}

type pylockPackage struct {
	Name    string        `toml:"name"`
	Version string        `toml:"version"`
	Wheels  []pylockWheel `toml:"wheels"`
}

type pylockWheel struct {
	Name     string            `toml:"name"`
	URL      string            `toml:"url"`
	Path     string            `toml:"path"`
	Size     int64             `toml:"size"`
	Uploaded time.Time         `toml:"upload-time"`
	Hashes   map[string]string `toml:"hashes"`
}

// candidates are the wheels of one package among which a target's best is to be found.
type candidates struct {
	name, version string
	wheels        []lock.Wheel
}

// parsePylock reads a lock file whose relative paths are below dir. Addresses lose their credentials. A package without any
// wheel is an error, as is a wheel without a SHA-256.
func parsePylock(text, dir string) ([]candidates, error) {
	var doc pylock
	if _, err := toml.Decode(text, &doc); err != nil {
		return nil, fmt.Errorf("read pylock: %w", err)
	}
	all := make([]candidates, 0, len(doc.Packages))
	seen := map[string]bool{}
	for _, p := range doc.Packages {
		c := candidates{name: normalize(p.Name), version: p.Version}
		switch {
		case !validName.MatchString(p.Name):
			return nil, fmt.Errorf("pylock: %q is not the name of a package", p.Name)
		case seen[c.name]:
			return nil, fmt.Errorf("pylock: %s is there twice", c.name)
		case !validVersion.MatchString(p.Version):
			return nil, fmt.Errorf("pylock: %s has %q for a version", p.Name, p.Version)
		case len(p.Wheels) == 0:
			return nil, fmt.Errorf("pylock: %s has no wheels", p.Name)
		}
		seen[c.name] = true
		for _, w := range p.Wheels {
			wheel, err := w.wheel(c, dir)
			if err != nil {
				return nil, fmt.Errorf("pylock: %s: %w", c.name, err)
			}
			c.wheels = append(c.wheels, wheel)
		}
		all = append(all, c)
	}
	return all, nil
}

func (w pylockWheel) wheel(of candidates, dir string) (lock.Wheel, error) {
	address := w.URL
	if address == "" && w.Path != "" {
		if !filepath.IsAbs(w.Path) {
			w.Path = filepath.Join(dir, w.Path)
		}
		address = (&url.URL{Scheme: "file", Path: w.Path}).String()
	}
	clean, err := cleanAddress(address)
	if err != nil {
		return lock.Wheel{}, err
	}
	filename := w.Name
	if filename == "" {
		u, err := url.Parse(clean)
		if err != nil {
			return lock.Wheel{}, err
		}
		filename = path.Base(u.Path)
	}
	if err := checkFilename(filename); err != nil {
		return lock.Wheel{}, err
	}
	hash := strings.ToLower(w.Hashes["sha256"])
	if err := checkHash(hash); err != nil {
		return lock.Wheel{}, fmt.Errorf("%s: %w", filename, err)
	}
	if w.Size < 0 {
		return lock.Wheel{}, fmt.Errorf("%s has a size of %d bytes", filename, w.Size)
	}
	wheel := lock.Wheel{Name: of.name, Version: of.version, Filename: filename, URL: clean, SHA256: hash, Size: w.Size}
	if !w.Uploaded.IsZero() {
		wheel.Uploaded = w.Uploaded.UTC().Format(time.RFC3339)
	}
	return wheel, nil
}

var (
	validName    = regexp.MustCompile(`^(?i:[a-z0-9]|[a-z0-9][a-z0-9._-]*[a-z0-9])$`)
	validVersion = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.!+_-]*$`)
	validFile    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl$`)
	separators   = regexp.MustCompile(`[-_.]+`)
)

// normalize gives a name's one spelling (PEP 503).
func normalize(name string) string {
	return separators.ReplaceAllString(strings.ToLower(name), "-")
}

func checkFilename(name string) error {
	if len(name) > 255 || !validFile.MatchString(name) {
		return fmt.Errorf("%q is not the name of a wheel", name)
	}
	return nil
}

func checkHash(hash string) error {
	if sum, err := hex.DecodeString(hash); err != nil || len(sum) != 32 || strings.ToLower(hash) != hash {
		return fmt.Errorf("%q is not a SHA-256 in lower-case hex", hash)
	}
	return nil
}

// preferences writes a lock file that uv takes versions from where it can.
func preferences(wheels []lock.Wheel) string {
	var text strings.Builder
	text.WriteString("lock-version = \"1.0\"\ncreated-by = \"hopyard\"\n")
	for _, w := range wheels {
		if validName.MatchString(w.Name) && validVersion.MatchString(w.Version) {
			fmt.Fprintf(&text, "\n[[packages]]\nname = %q\nversion = %q\n", w.Name, w.Version)
		}
	}
	return text.String()
}
