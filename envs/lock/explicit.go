package lock

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

const explicitMark = "@EXPLICIT"

// explicit writes an explicit list (CEP 23), each package after those that it needs.
func explicit(l *Lock, name string) ([]byte, error) {
	if len(l.Packages) == 0 {
		return nil, errors.New("this environment has no packages of conda channels, and an explicit list holds nothing else: export its requirements")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s, lock %s\n# conda create --name NAME --file THIS_FILE\n# platform: %s\n", name, l.ID(), l.Platform)
	b.WriteString(explicitMark + "\n")
	for _, p := range inOrder(l.Packages) {
		fmt.Fprintf(&b, "%s#sha256:%s\n", p.URL, p.SHA256)
	}
	if len(l.Wheels) > 0 {
		b.WriteString("# An explicit list cannot hold wheels. This environment has these as well; its requirements install them:\n")
		for _, w := range l.Wheels {
			fmt.Fprintf(&b, "#   %s==%s\n", w.Name, w.Version)
		}
	}
	return b.Bytes(), nil
}

const platformComment = "# platform:"

// importExplicit reads an explicit list. What it knows of a package is what its address says.
func importExplicit(text string) (*Lock, error) {
	l := &Lock{Kind: Conda}
	begun := false
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if platform, ok := strings.CutPrefix(line, platformComment); ok {
			l.Platform = strings.TrimSpace(platform)
		}
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == explicitMark:
			begun = true
		case !begun:
			return nil, complain(number, "something stands before "+explicitMark)
		default:
			p, err := explicitPackage(line)
			if err != nil {
				return nil, complain(number, err.Error())
			}
			l.Packages = append(l.Packages, p)
		}
	}
	return l, nil
}

func explicitPackage(line string) (Package, error) {
	address, anchor, _ := strings.Cut(line, "#")
	if !strings.Contains(address, "://") {
		return Package{}, errors.New("this is no address; a file on the machine of whoever wrote the list cannot be used here")
	}
	hash, isSHA256 := strings.CutPrefix(anchor, "sha256:")
	switch {
	case anchor == "":
		return Package{}, errors.New("the package has no hash; write the list with SHA-256 hashes (conda list --explicit --sha256)")
	case !isSHA256:
		return Package{}, errors.New("the package has an MD5 alone, which proves nothing; write the list with SHA-256 hashes (conda list --explicit --sha256)")
	}
	p, err := packageAt(address)
	p.SHA256 = strings.ToLower(hash)
	return p, err
}

// packageAt is what the address of a package says of it: .../SUBDIR/NAME-VERSION-BUILD.conda.
func packageAt(address string) (Package, error) {
	if err := checkAddress(address); err != nil {
		return Package{}, err
	}
	stem, ok := strings.CutSuffix(fileOf(address), ".conda")
	if !ok {
		stem, ok = strings.CutSuffix(stem, ".tar.bz2")
	}
	parts := strings.Split(stem, "-")
	if !ok || len(parts) < 3 {
		return Package{}, errors.New("the address does not end in the file of a package, NAME-VERSION-BUILD.conda")
	}
	n := len(parts)
	p := Package{
		Name: strings.ToLower(strings.Join(parts[:n-2], "-")), Version: parts[n-2], Build: parts[n-1],
		Subdir: folderOf(address), URL: address,
	}
	p.Noarch = noarchOf(p)
	return p, nil
}
