package lock

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// requirements writes what pip and uv install with --require-hashes. For an environment of kind conda that is its wheels; the
// packages of conda, which have no hashes on an index, are told as comments.
func requirements(l *Lock, name string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s, lock %s\n", name, l.ID())
	if l.Python != "" {
		fmt.Fprintf(&b, "# python %s, %s\n", l.Python, l.Platform)
	}
	b.WriteString("# pip install --no-deps --require-hashes -r THIS_FILE\n")
	for _, index := range l.Indexes {
		fmt.Fprintf(&b, "# from %s\n", index)
	}
	for _, w := range l.Wheels {
		fmt.Fprintf(&b, "%s==%s \\\n    --hash=sha256:%s\n", w.Name, w.Version, w.SHA256)
	}
	if len(l.Packages) > 0 {
		b.WriteString("# The rest of this environment is packages of conda, which pip cannot install; its explicit list or conda-lock file holds them:\n")
		for _, p := range l.Packages {
			fmt.Fprintf(&b, "#   %s %s %s\n", p.Name, p.Version, p.Build)
		}
	}
	return b.Bytes(), nil
}

// importRequirements reads requirements that name wheels by their addresses, with hashes.
func importRequirements(text string) (*Lock, error) {
	l := &Lock{Kind: Venv}
	number, begun, logical := 0, 0, ""
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || line == "" && logical == "" {
			continue
		}
		if logical == "" {
			begun = number
		}
		part, more := strings.CutSuffix(line, "\\")
		logical += " " + strings.TrimSpace(part)
		if more {
			continue
		}
		w, err := requirement(strings.TrimSpace(logical))
		if err != nil {
			return nil, complain(begun, err.Error())
		}
		l.Wheels, logical = append(l.Wheels, w), ""
	}
	if logical != "" {
		return nil, complain(begun, "the line goes on after its “\\”, and there is nothing")
	}
	return l, nil
}

// errNoLock is the answer to what is in none of the forms.
var errNoLock = errors.New("this is no lock that we can read: send an @EXPLICIT list, a conda-lock file, requirements of the form " +
	"“name @ address” with hashes, or a lock of ours")

func requirement(line string) (Wheel, error) {
	line, _, _ = strings.Cut(line, " #") // a comment
	words := strings.Fields(line)
	if strings.Contains(line, "==") && strings.Contains(line, "--hash=") && !strings.Contains(line, " @ ") {
		return Wheel{}, errors.New("a version and a hash name no file: create the environment from these requirements instead, and it is solved anew")
	}
	if len(words) < 3 || words[1] != "@" {
		return Wheel{}, errNoLock
	}
	address, fragment, _ := strings.Cut(words[2], "#")
	if err := checkAddress(address); err != nil {
		return Wheel{}, err
	}
	w := Wheel{Name: NormalName(words[0]), URL: address, Filename: fileOf(address)}
	if parts := wheelFile.FindStringSubmatch(w.Filename); parts != nil {
		w.Version = strings.ReplaceAll(parts[2], "_", "-")
	}
	if filepath.Ext(w.Filename) != ".whl" {
		return Wheel{}, errors.New("the address is not that of a wheel; source distributions run code when they are built and are not taken")
	}
	w.SHA256 = strings.ToLower(strings.TrimPrefix(fragment, "sha256="))
	for _, word := range words[3:] {
		hash, ok := strings.CutPrefix(word, "--hash=sha256:")
		if !ok {
			return Wheel{}, fmt.Errorf("%q is no hash; take markers and options away", clip(word))
		}
		w.SHA256 = strings.ToLower(hash)
	}
	if w.SHA256 == "" {
		return Wheel{}, errors.New("the wheel has no SHA-256; add --hash=sha256:…")
	}
	return w, nil
}
