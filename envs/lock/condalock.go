package lock

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// condaLockFile is conda-lock's file, version 1 (CEP 37), as far as we write and read it.
type condaLockFile struct {
	Version  int                `yaml:"version"`
	Metadata condaLockMetadata  `yaml:"metadata"`
	Packages []condaLockPackage `yaml:"package"`
}

type condaLockMetadata struct {
	ContentHash map[string]string  `yaml:"content_hash"`
	Channels    []condaLockChannel `yaml:"channels"`
	Platforms   []string           `yaml:"platforms"`
	Sources     []string           `yaml:"sources"`
}

type condaLockChannel struct {
	URL         string   `yaml:"url"`
	UsedEnvVars []string `yaml:"used_env_vars"`
}

type condaLockPackage struct {
	Name         string            `yaml:"name"`
	Version      string            `yaml:"version"`
	Manager      string            `yaml:"manager"`
	Platform     string            `yaml:"platform"`
	Dependencies map[string]string `yaml:"dependencies"`
	URL          string            `yaml:"url"`
	Hash         condaLockHash     `yaml:"hash"`
	Category     string            `yaml:"category"`
	Optional     bool              `yaml:"optional"`
}

type condaLockHash struct {
	MD5    string `yaml:"md5,omitempty"`
	SHA256 string `yaml:"sha256,omitempty"`
}

const mainCategory = "main"

func condaLock(l *Lock, name string) ([]byte, error) {
	file := condaLockFile{Version: 1, Metadata: condaLockMetadata{
		ContentHash: map[string]string{l.Platform: l.ID()},
		Channels:    []condaLockChannel{},
		Platforms:   []string{l.Platform},
		Sources:     []string{"environment.yml"},
	}}
	for _, channel := range l.Channels {
		file.Metadata.Channels = append(file.Metadata.Channels, condaLockChannel{URL: channel, UsedEnvVars: []string{}})
	}
	for _, p := range l.Packages {
		file.Packages = append(file.Packages, condaLockOf(l, p))
	}
	for _, w := range l.Wheels {
		if w.URL == "" {
			return nil, fmt.Errorf("a conda-lock file needs the address of every wheel, and this lock, which came with Hopyard, has none for %s: "+
				"export its requirements, or upgrade a package, which solves it anew", w.Name)
		}
		file.Packages = append(file.Packages, condaLockOfWheel(l, w))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s, lock %s\n# conda-lock install --name NAME THIS_FILE\n", name, l.ID())
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(file), encoder.Close()); err != nil {
		return nil, fmt.Errorf("write conda-lock: %w", err)
	}
	return b.Bytes(), nil
}

func condaLockOf(l *Lock, p Package) condaLockPackage {
	depends := map[string]string{}
	for _, spec := range p.Depends {
		name, rest := splitSpec(spec)
		depends[name] = rest
	}
	return condaLockPackage{
		Name: p.Name, Version: p.Version, Manager: fromConda, Platform: l.Platform, Dependencies: depends, URL: p.URL,
		Hash: condaLockHash{MD5: p.MD5, SHA256: p.SHA256}, Category: mainCategory,
	}
}

func condaLockOfWheel(l *Lock, w Wheel) condaLockPackage {
	depends := map[string]string{}
	for _, name := range w.Requires {
		depends[name] = ">=0" // any: "*" is what conda-lock writes, and rattler does not take
	}
	return condaLockPackage{
		Name: w.Name, Version: w.Version, Manager: fromPip, Platform: l.Platform, Dependencies: depends, URL: w.URL,
		Hash: condaLockHash{SHA256: w.SHA256}, Category: mainCategory,
	}
}

// importCondaLock reads the packages for one platform: the only one, or this host's. Optional packages and those of other
// categories are left out, as conda-lock leaves them out.
func importCondaLock(text []byte) (*Lock, error) {
	var file condaLockFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("this is no YAML that we can read: %w", err)
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("this lock file has version %d; of conda-lock's files version 1 is taken", file.Version)
	}
	platform, err := condaLockPlatform(file)
	if err != nil {
		return nil, err
	}
	l := &Lock{Kind: Conda, Platform: platform}
	for i, p := range file.Packages {
		if p.Platform != platform || p.Optional || p.Category != mainCategory && p.Category != "" {
			continue
		}
		if err := l.addCondaLock(p); err != nil {
			return nil, fmt.Errorf("package %d, %q: %w", i+1, clip(p.Name), err)
		}
	}
	for _, channel := range file.Metadata.Channels {
		if checkAddress(channel.URL) == nil {
			l.Channels = append(l.Channels, strings.TrimRight(channel.URL, "/"))
		}
	}
	return l, nil
}

func condaLockPlatform(file condaLockFile) (string, error) {
	platforms := map[string]bool{}
	for _, p := range file.Packages {
		platforms[p.Platform] = true
	}
	host := hostPlatform()
	switch {
	case len(platforms) == 0:
		return "", errors.New("this lock file has no packages")
	case platforms[host]:
		return host, nil
	case len(platforms) == 1:
		return file.Packages[0].Platform, nil
	}
	return "", fmt.Errorf("this lock file is for several platforms, and %s is none of them", host)
}

func (l *Lock) addCondaLock(p condaLockPackage) error {
	hash := strings.ToLower(p.Hash.SHA256)
	switch {
	case hash == "":
		return errors.New("it has no SHA-256, and an MD5 proves nothing: write the lock file anew with a conda-lock that gives SHA-256 hashes")
	case p.Manager == fromConda:
		got, err := packageAt(p.URL)
		if err != nil {
			return err
		}
		got.SHA256, got.MD5 = hash, strings.ToLower(p.Hash.MD5)
		got.Depends = condaLockSpecs(p.Dependencies)
		l.Packages = append(l.Packages, got)
	case p.Manager == fromPip:
		w := Wheel{
			Name: NormalName(p.Name), Version: p.Version, Filename: fileOf(p.URL), URL: p.URL, SHA256: hash,
			Requires: sortedNames(p.Dependencies),
		}
		if !strings.HasSuffix(w.Filename, ".whl") {
			return errors.New("it is no wheel; source distributions run code when they are built and are not taken")
		}
		l.Wheels = append(l.Wheels, w)
	default:
		return fmt.Errorf("%q is no manager; there are conda and pip", clip(p.Manager))
	}
	return nil
}
