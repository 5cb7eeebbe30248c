package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// problem is what is wrong at an offset, in characters, of a line's text.
type problem struct {
	offset  int
	message string
}

func problemf(offset int, format string, args ...any) *problem {
	return &problem{offset, fmt.Sprintf(format, args...)}
}

// match is a MatchSpec (CEP 29) in its parts.
type match struct {
	channel, name, version, build string
	brackets                      []string // "key=value", sorted
}

var (
	condaName     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*`)
	condaVersion  = regexp.MustCompile(`^(?:(?:==?)?\*|(?:==|!=|<=|>=|~=|<|>|=)?[A-Za-z0-9][A-Za-z0-9_.!+-]*\*?)$`)
	condaBuild    = regexp.MustCompile(`^[A-Za-z0-9_.+*]+$`)
	condaOperator = regexp.MustCompile(`([<>=!~|,(]+)\s+`)
	hexHash       = regexp.MustCompile(`^[0-9a-fA-F]+$`)
	bracketKeys   = []string{
		"version", "build", "build_number", "channel", "subdir", "md5", "sha256", "license", "license_family",
		"track_features", "extras", "flags", "when",
	}
)

// parseMatch takes "channel::name version build[key=value]" apart.
func parseMatch(text string) (match, *problem) {
	var m match
	if p := refuseArtifact(text); p != nil {
		return m, p
	}
	rest, at := text, 0
	if channel, after, ok := strings.Cut(text, "::"); ok && !strings.ContainsAny(channel, "[ ") {
		m.channel, rest, at = channel, after, len(channel)+2
		bare := strings.TrimSuffix(strings.TrimSuffix(channel, "/"+platform), "/noarch")
		if words := channelMistake(bare); words != "" {
			return m, problemf(0, "%s", words)
		}
		m.channel = bare
	}
	m.name = condaName.FindString(rest)
	if m.name == "" {
		return m, problemf(at, "a dependency begins with the name of a package, made of letters, digits, - _ and .")
	}
	rest, at = rest[len(m.name):], at+len(m.name)
	if open := strings.IndexByte(rest, '['); open >= 0 {
		if p := m.parseBrackets(strings.TrimRight(rest[open:], " "), at+open); p != nil {
			return m, p
		}
		rest = rest[:open]
	}
	return m, m.parseVersion(rest, at)
}

// refuseArtifact finds files where a package should be named: nobody could check where they come from.
func refuseArtifact(text string) *problem {
	const advice = "files and addresses of packages are not taken: name the package and its version, and the channel that has it below \"channels:\""
	before, _, channel := strings.Cut(text, "::")
	switch {
	case channel && !strings.ContainsAny(before, "[ "):
		return nil
	case strings.Contains(text, "://") && !strings.Contains(text, "["), strings.HasPrefix(text, "/"), strings.HasPrefix(text, "./"),
		strings.HasPrefix(text, "../"), strings.HasPrefix(text, "~"), strings.HasSuffix(text, ".conda"), strings.HasSuffix(text, ".tar.bz2"):
		return problemf(0, advice)
	case strings.HasPrefix(text, "-"):
		return problemf(0, "options of pip and conda are not taken: name the package")
	}
	return nil
}

// parseVersion reads what stands behind the name: conditions and a build, joined by = or blanks.
func (m *match) parseVersion(text string, at int) *problem {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return nil
	}
	at += strings.Index(text, trimmed)
	if strings.HasPrefix(trimmed, "@") || strings.Contains(trimmed, "@ ") {
		return problemf(at, "addresses of packages are not taken: name the package and its version")
	}
	if i := strings.IndexByte(trimmed, ';'); i >= 0 {
		return problemf(at+i, "conditions behind ; belong below \"pip:\"; conda takes a selector in a comment: # [linux]")
	}
	if !strings.ContainsAny(text[:1], " =<>!~") {
		return problemf(at, "%q may not stand behind the name %s: write %s, %s=1.2 or %s>=1,<2", trimmed[:1], m.name, m.name, m.name, m.name)
	}
	joined := condaOperator.ReplaceAllString(trimmed, "$1")
	joined = strings.ReplaceAll(joined, " ,", ",")
	joined = strings.ReplaceAll(joined, " |", "|")
	version, build, _ := strings.Cut(joined, " ")
	build = strings.TrimSpace(build)
	if build == "" {
		version, build = cutBuild(version)
	}
	if p := checkVersion(version, at); p != nil {
		return p
	}
	if build != "" && !condaBuild.MatchString(build) {
		return problemf(at, "%q is no build of %s: after the name come a version and a build, %s=1.2=py311_0", build, m.name, m.name)
	}
	m.version, m.build = version, build
	return nil
}

// cutBuild takes the build off "=1.2=py311_0".
func cutBuild(text string) (version, build string) {
	last := strings.LastIndexByte(text, '=')
	if last <= 0 || strings.ContainsAny(text[last-1:last], "=<>!~") || strings.TrimLeft(text[:last], "=") == "" {
		return text, ""
	}
	return text[:last], text[last+1:]
}

// checkVersion checks conditions on a version, joined by commas (and) and bars (or), with parentheses.
func checkVersion(text string, at int) *problem {
	depth := 0
	for _, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 || depth > 20 {
			break
		}
	}
	if depth != 0 {
		return problemf(at, "the parentheses of %q do not match", text)
	}
	for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '(' || c == ')' }) {
		for atom := range strings.FieldsFuncSeq(part, func(c rune) bool { return c == ',' || c == '|' }) {
			if strings.HasPrefix(atom, "===") || !condaVersion.MatchString(strings.TrimSpace(atom)) {
				return problemf(at, "%q is no condition on a version: write =1.2, ==1.2.3, >=1,<2 or 1.2.*", atom)
			}
		}
	}
	if strings.HasPrefix(text, ",") || strings.HasSuffix(text, ",") || strings.HasPrefix(text, "|") || strings.HasSuffix(text, "|") ||
		strings.Contains(text, ",,") || strings.Contains(text, "||") || strings.Contains(text, "()") {
		return problemf(at, "a condition on the version is missing in %q", text)
	}
	return nil
}

// parseBrackets reads [key=value,key="value"].
func (m *match) parseBrackets(text string, at int) *problem {
	if !strings.HasSuffix(text, "]") {
		return problemf(at, "the [ is not followed by a ] at the end")
	}
	for _, pair := range splitOutsideQuotes(text[1 : len(text)-1]) {
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"'`)
		switch {
		case !ok:
			return problemf(at, "[%s] is no condition of conda: write [key=value]; extras such as %s[%s] belong below \"pip:\"", pair, m.name, pair)
		case key == "url" || key == "fn":
			return problemf(at, "files and addresses of packages are not taken: name the package and its version")
		case !slices.Contains(bracketKeys, key):
			return problemf(at, "there is no condition %q: conda knows %s", key, strings.Join(bracketKeys, ", "))
		case key == "version":
			if p := checkVersion(strings.ReplaceAll(value, " ", ""), at); p != nil {
				return p
			}
		case key == "channel":
			if words := channelMistake(value); words != "" {
				return problemf(at, "%s", words)
			}
			m.channel = value
		case key == "subdir" && value != platform && value != "noarch":
			return problemf(at, "environments here are made for %s, not for %s", platform, value)
		case key == "md5" && (len(value) != 32 || !hexHash.MatchString(value)), key == "sha256" && (len(value) != 64 || !hexHash.MatchString(value)):
			return problemf(at, "%q is no %s hash", value, key)
		}
		m.brackets = append(m.brackets, key+"="+value)
	}
	slices.Sort(m.brackets)
	return nil
}

// splitOutsideQuotes splits at commas that are not in quotes or lists.
func splitOutsideQuotes(text string) []string {
	var parts []string
	var quote rune
	depth, start := 0, 0
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth == 0:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}

// normal is the form in which equal MatchSpecs look the same.
func (m match) normal() string {
	channel := m.channel
	if channel != "" {
		channel += "::"
	}
	return strings.TrimSpace(channel+strings.ToLower(m.name)+" "+strings.TrimPrefix(m.version+" "+m.build, " ")) + strings.Join(m.brackets, ",")
}
