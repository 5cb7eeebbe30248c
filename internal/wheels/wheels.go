// Package wheels brings pinned Python wheels to this machine and takes them apart.
//
// Downloads go through the machine's own pip, so that its mirrors, proxies and certificates apply and no address of a
// registry is written anywhere here. Nothing is trusted but the SHA-256 in the pin: a file enters the cache only after
// it was verified, by one rename, and is verified again each time it is handed out.
package wheels

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// Wheel is one pinned wheel: the exact file and nothing else will do.
type Wheel struct {
	Name     string // the distribution's name, as pip knows it
	Version  string
	Filename string // the wheel's file name, without a folder
	SHA256   string // lower-case hex
	Size     int64  // bytes; 0 when not known
}

// Parse reads pins, one a line, in pip's own requirements format with the file's name and size in the comment:
//
//	jupyterlab==4.6.6 --hash=sha256:4261… # jupyterlab-4.6.6-py3-none-any.whl 17334944
//
// Empty lines and lines that begin with # are skipped. The text is thus at the same time a requirements file.
func Parse(r io.Reader) ([]Wheel, error) {
	var pins []Wheel
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		w, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("pinned wheels, line %d: %w", n, err)
		}
		pins = append(pins, w)
	}
	return pins, lines.Err()
}

func parseLine(line string) (Wheel, error) {
	spec, comment, _ := strings.Cut(line, "#")
	fields, file := strings.Fields(spec), strings.Fields(comment)
	if len(fields) != 2 || len(file) != 2 {
		return Wheel{}, fmt.Errorf("want `name==version --hash=sha256:… # file size`, got %q", line)
	}
	var w Wheel
	var named, hashed bool
	w.Name, w.Version, named = strings.Cut(fields[0], "==")
	w.SHA256, hashed = strings.CutPrefix(fields[1], "--hash=sha256:")
	if !named || !hashed {
		return Wheel{}, fmt.Errorf("want name==version and --hash=sha256:, got %q", spec)
	}
	w.Filename = file[0]
	var err error
	if w.Size, err = strconv.ParseInt(file[1], 10, 64); err != nil {
		return Wheel{}, fmt.Errorf("size of %s: %w", w.Filename, err)
	}
	return w, w.check()
}

// check refuses pins that could not be kept apart or that would be read by pip as something else.
func (w Wheel) check() error {
	switch sum, err := hex.DecodeString(w.SHA256); {
	case err != nil || len(sum) != 32 || strings.ToLower(w.SHA256) != w.SHA256:
		return fmt.Errorf("%s: %q is not a SHA-256 in lower-case hex", w.Name, w.SHA256)
	case w.Name == "" || strings.HasPrefix(w.Name, "-") || strings.ContainsAny(w.Name, " \t\r\n;@/\\"):
		return fmt.Errorf("%q is not the name of a distribution", w.Name)
	case w.Version == "" || strings.ContainsAny(w.Version, " \t\r\n;,*"):
		return fmt.Errorf("%s: %q is not an exact version", w.Name, w.Version)
	case filepath.Base(w.Filename) != w.Filename || !strings.HasSuffix(w.Filename, ".whl"):
		return fmt.Errorf("%s: %q is not the name of a wheel", w.Name, w.Filename)
	}
	return nil
}

// requirements writes the pins as pip reads them.
func requirements(pins []Wheel) []byte {
	var b bytes.Buffer
	for _, w := range pins {
		fmt.Fprintf(&b, "%s==%s --hash=sha256:%s\n", w.Name, w.Version, w.SHA256)
	}
	return b.Bytes()
}
