package uv

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// target is what wheels must run on: CPython of one minor version, on x86_64 Linux with a glibc.
type target struct {
	minor int // of Python 3
	glibc int // minor of glibc 2
	arch  string
}

const defaultGlibc = "2.28"

// targetOf reads "3.11", "2.28" and conda's platform.
func targetOf(python, glibc, platform string) (target, error) {
	arch, known := map[string]string{"": "x86_64", "linux-64": "x86_64", "linux-aarch64": "aarch64"}[platform]
	if !known {
		return target{}, fmt.Errorf("wheels for the platform %q are not supported", platform)
	}
	minor, err := minorOf(python, "3")
	if err != nil {
		return target{}, fmt.Errorf("python %q: %w", python, err)
	}
	if glibc == "" {
		glibc = defaultGlibc
	}
	libc, err := minorOf(glibc, "2")
	if err != nil {
		return target{}, fmt.Errorf("glibc %q: %w", glibc, err)
	}
	return target{minor: minor, glibc: libc, arch: arch}, nil
}

// minorOf reads the second number of a version that begins with major.
func minorOf(version, major string) (int, error) {
	first, rest, found := strings.Cut(version, ".")
	if !found || first != major {
		return 0, fmt.Errorf("want %s.N", major)
	}
	second, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(second)
	if err != nil || n < 0 || n > 999 {
		return 0, fmt.Errorf("want %s.N", major)
	}
	return n, nil
}

// uvPlatforms are the versions of glibc that uv knows platforms for, the newest first.
var uvPlatforms = []int{40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17}

// uvPlatform is uv's word for the newest platform that the target can run.
func (t target) uvPlatform() string {
	for _, glibc := range uvPlatforms {
		if glibc <= t.glibc {
			return fmt.Sprintf("%s-manylinux_2_%d", t.arch, glibc)
		}
	}
	return t.arch + "-manylinux2014"
}

// wheelName is a wheel's file name taken apart (binary distribution format, "File name convention").
type wheelName struct {
	name, version           string
	build                   string // digits first; empty for most
	pythons, abis, platform []string
}

func parseWheelName(filename string) (wheelName, error) {
	stem, isWheel := strings.CutSuffix(filename, ".whl")
	parts := strings.Split(stem, "-")
	if !isWheel || len(parts) < 5 || len(parts) > 6 || slices.Contains(parts, "") {
		return wheelName{}, fmt.Errorf("%q is not the name of a wheel", filename)
	}
	w := wheelName{name: parts[0], version: parts[1]}
	if len(parts) == 6 {
		if w.build = parts[2]; w.build[0] < '0' || w.build[0] > '9' {
			return wheelName{}, fmt.Errorf("%q has a build tag that does not begin with a digit", filename)
		}
	}
	tags := parts[len(parts)-3:]
	w.pythons, w.abis, w.platform = strings.Split(tags[0], "."), strings.Split(tags[1], "."), strings.Split(tags[2], ".")
	return w, nil
}

// rank orders wheels of one version as pip does: the smaller the better, its parts in order; ok is false where the wheel does
// not run on the target. pip's list of tags (packaging.tags.sys_tags) is: for CPython's own ABI every platform, then abi3 and
// none, then abi3 of older CPythons, then pyXY of descending versions; at last the same without a platform.
func (t target) rank(w wheelName) (rank [2]int, ok bool) {
	best := [2]int{1 << 30, 0}
	for _, python := range w.pythons {
		for _, abi := range w.abis {
			for _, platform := range w.platform {
				group, fits := t.interpreter(python, abi, platform == "any")
				place, runs := t.platform(platform)
				if !fits || !runs {
					continue
				}
				if got := [2]int{group, place}; slices.Compare(got[:], best[:]) < 0 {
					best, ok = got, true
				}
			}
		}
	}
	return best, ok
}

// interpreter is the place of a python and ABI tag in pip's list.
func (t target) interpreter(python, abi string, anywhere bool) (int, bool) {
	own := fmt.Sprintf("cp3%d", t.minor)
	switch implementation, minor := splitPython(python); {
	case anywhere && implementation == "py" && abi == "none":
		return t.pure(minor, 5000)
	case anywhere:
		return 4999, python == own && abi == "none"
	case python == own && abi == own:
		return 0, true
	case python == own && abi == "abi3":
		return 1, true
	case python == own && abi == "none":
		return 2, true
	case implementation == "cp" && abi == "abi3":
		return 3 + t.minor - minor, minor >= 2 && minor < t.minor
	case implementation == "py" && abi == "none":
		return t.pure(minor, 2000)
	}
	return 0, false
}

// pure is the place of py311, py3, py310, py39 … in pip's list.
func (t target) pure(minor, from int) (int, bool) {
	switch minor {
	case t.minor:
		return from, true
	case anyMinor:
		return from + 1, true
	}
	return from + 2 + t.minor - minor, minor >= 0 && minor < t.minor
}

// anyMinor stands for the tag py3.
const anyMinor = -1

// splitPython takes "cp311" apart. What is not for Python 3 has no implementation.
func splitPython(tag string) (implementation string, minor int) {
	if len(tag) < 3 || tag[2] != '3' || tag[:2] != "cp" && tag[:2] != "py" {
		return "", 0
	}
	if tag[3:] == "" {
		return tag[:2], anyMinor
	}
	n, err := strconv.Atoi(tag[3:])
	if err != nil || n < 0 || n > 999 || tag[3] == '+' {
		return "", 0
	}
	return tag[:2], n
}

// platform is the place of a platform tag in pip's list (PEP 600): manylinux of descending glibc, plain linux last.
func (t target) platform(tag string) (int, bool) {
	legacy := map[string]int{"manylinux2014": 17, "manylinux2010": 12, "manylinux1": 5}
	rest, ours := strings.CutSuffix(tag, "_"+t.arch)
	switch {
	case tag == "any":
		return 0, true
	case !ours:
		return 0, false
	case rest == "linux":
		return 2000, true
	}
	if glibc, found := legacy[rest]; found {
		// Each old name comes right after the new one that it stands for.
		return 2*(t.glibc-glibc) + 1, glibc <= t.glibc && (t.arch == "x86_64" || glibc == 17)
	}
	version, found := strings.CutPrefix(rest, "manylinux_2_")
	if !found {
		return 0, false
	}
	glibc, err := strconv.Atoi(version)
	if err != nil || glibc < 5 || glibc > t.glibc || t.arch != "x86_64" && glibc < 17 {
		return 0, false
	}
	return 2 * (t.glibc - glibc), true
}

// best picks the wheel that pip would install; -1 where none runs on the target. Of equal ones that with the higher build tag.
func (t target) best(filenames []string) int {
	best, at := [2]int{}, -1
	build := ""
	for i, filename := range filenames {
		w, err := parseWheelName(filename)
		if err != nil {
			continue
		}
		got, ok := t.rank(w)
		if !ok {
			continue
		}
		order := slices.Compare(got[:], best[:])
		if at < 0 || order < 0 || order == 0 && compareBuilds(w.build, build) > 0 {
			best, at, build = got, i, w.build
		}
	}
	return at
}

// compareBuilds orders build tags: by their number, then as text; none is the lowest.
func compareBuilds(a, b string) int {
	number := func(s string) (int, string) {
		end := 0
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(s[:end])
		if err != nil {
			return -1, s
		}
		return n, s[end:]
	}
	na, ra := number(a)
	nb, rb := number(b)
	if na != nb {
		return na - nb
	}
	return strings.Compare(ra, rb)
}
