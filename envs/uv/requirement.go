package uv

import (
	"regexp"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
)

// A requirement by name (PEP 508): the name, extras, versions and a marker. What comes by an address, from a repository or a
// folder would have to be built or could not be checked, and a line beginning with - is an option of uv's.
var requirement = regexp.MustCompile(`^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[A-Za-z0-9._,\s-]*\])?\s*(\(?\s*(?:(?:===|[<>=!~]=|[<>])\s*[A-Za-z0-9.*+!_-]+\s*,?\s*)+\)?)?\s*(;[^#\x00-\x1f]*)?(\s#.*)?$`)

// A version of Python's packages (PEP 440, Appendix B): epoch, release, pre, post, dev, local.
var pep440 = regexp.MustCompile(`(?i)^\s*v?(?:\d+!)?\d+(?:\.\d+)*(?:[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)[-_.]?\d*)?(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?\s*$`)

// ValidVersion reports whether text is a version that Python's packages may have (PEP 440), as a requirement must name it.
func ValidVersion(text string) bool { return pep440.MatchString(text) }

// CheckRequirement refuses, with a *driver.Failure, what is not a requirement by name.
func CheckRequirement(line string) error {
	if !strings.ContainsAny(line, "\r\n\x00") && requirement.MatchString(line) {
		return nil
	}
	return &driver.Failure{
		Cause:   driver.SpecInvalid,
		Message: "“" + clip(fetch.Redact(line)) + "” is not a requirement by name, like “pandas>=2”; addresses, folders and options are not taken",
	}
}

func checkRequirements(lines []string) error {
	for _, line := range lines {
		if err := CheckRequirement(line); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is the name that a requirement begins with, normalised; empty where there is none.
func nameOf(line string) string {
	m := requirement.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return normalize(m[1])
}

func clip(text string) string {
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
