package uv

import (
	"cmp"
	"regexp"
	"strings"
)

// One version of Python's packages (PEP 440, Appendix B), in groups: epoch, release, pre, its number, post, dev, local.
var pep440 = regexp.MustCompile(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?((?:-\d+)|(?:[-_.]?(?:post|rev|r)[-_.]?\d*))?([-_.]?dev[-_.]?\d*)?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// ValidVersion reports whether text is a version that Python's packages may have.
func ValidVersion(text string) bool {
	return pep440.MatchString(strings.ToLower(strings.TrimSpace(text)))
}

// PreRelease reports whether text is the version of something not yet released: an alpha, a candidate, a development state.
func PreRelease(text string) bool {
	m := pep440.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	return m != nil && (m[3] != "" || m[6] != "")
}

// CompareVersions orders two versions as PEP 440 does: negative where a is older than b, 0 where they are equal. What is no
// version is older than all that are.
func CompareVersions(a, b string) int {
	ma := pep440.FindStringSubmatch(strings.ToLower(strings.TrimSpace(a)))
	mb := pep440.FindStringSubmatch(strings.ToLower(strings.TrimSpace(b)))
	switch {
	case ma == nil && mb == nil:
		return strings.Compare(a, b)
	case ma == nil:
		return -1
	case mb == nil:
		return 1
	}
	return cmp.Or(
		compareNumbers(ma[1], mb[1]),
		compareReleases(ma[2], mb[2]),
		comparePre(ma, mb),
		compareOptional(ma[5], mb[5], -1),
		compareOptional(ma[6], mb[6], 1),
		compareLocal(ma[7], mb[7]),
	)
}

// compareNumbers orders decimal numbers of any length; empty is zero.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func compareReleases(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		var x, y string
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		if order := compareNumbers(x, y); order != 0 {
			return order
		}
	}
	return 0
}

// comparePre puts 1.0.dev1 before 1.0a1 before 1.0rc1 before 1.0.
func comparePre(a, b []string) int {
	rank := func(m []string) int {
		switch letter := m[3]; {
		case letter == "" && m[5] == "" && m[6] != "":
			return 0 // a development state of the release itself
		case letter == "":
			return 4
		case letter[0] == 'a':
			return 1
		case letter[0] == 'b':
			return 2
		}
		return 3 // c, rc, pre, preview
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), compareNumbers(a[4], b[4]))
}

// compareOptional orders ".post3" or ".dev3"; being without counts as absent: -1 lower, 1 higher than any.
func compareOptional(a, b string, absent int) int {
	switch {
	case a == "" && b == "":
		return 0
	case a == "":
		return absent
	case b == "":
		return -absent
	}
	digits := func(s string) string { return strings.TrimLeft(s, "-_.abcdefghijklmnopqrstuvwxyz") }
	return compareNumbers(digits(a), digits(b))
}

// compareLocal orders local versions: none is lowest, numbers are above words.
func compareLocal(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("-_.", r) })
	}
	number := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	as, bs := split(a), split(b)
	for i := range min(len(as), len(bs)) {
		x, y := as[i], bs[i]
		var order int
		switch {
		case number(x) && number(y):
			order = compareNumbers(x, y)
		case number(x):
			order = 1
		case number(y):
			order = -1
		default:
			order = strings.Compare(x, y)
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(len(as), len(bs))
}
