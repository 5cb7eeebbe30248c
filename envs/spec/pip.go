package spec

import (
	"regexp"
	"slices"
	"strings"
)

// pipLine is a requirement (PEP 508) in its parts.
type pipLine struct {
	text    string // without comment and hashes; empty for a line that asks for nothing
	name    string // normalised
	extras  []string
	version string // conditions without blanks
	marker  bool
	marks   string // the marker
	hashes  []string
}

var (
	pipName     = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`)
	pipDashes   = regexp.MustCompile(`[-_.]+`)
	pipVersion  = regexp.MustCompile(`(?i)^v?(\d+!)?\d+(\.\d+)*([-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(-\d+|[-_.]?(post|rev|r)[-_.]?\d*)?([-_.]?dev[-_.]?\d*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?$`)
	pipOperator = regexp.MustCompile(`^(===|==|~=|!=|<=|>=|<|>)\s*([^\s;(),]+)$`)
	twoNumbers  = regexp.MustCompile(`^v?(\d+!)?\d+\.\d`)
	pipHash     = regexp.MustCompile(`\s--hash[=\s]\s*(\S+)`)
	pipComment  = regexp.MustCompile(`(^|\s)#.*$`)
	sha256Hash  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	vcsAddress  = regexp.MustCompile(`(?i)(^|@\s*)(git|hg|svn|bzr)\+`)
	pathEnd     = regexp.MustCompile(`(?i)\.(whl|zip|tar\.gz|tar\.bz2|tgz)(\[.*\])?$`)
)

// normalName is a name as package indexes compare it (PEP 503).
func normalName(name string) string {
	return strings.ToLower(pipDashes.ReplaceAllString(name, "-"))
}

// parsePip takes a line of pip's apart and refuses all that is no wheel of the index, with what to do instead.
func parsePip(line string) (pipLine, *problem) {
	var p pipLine
	text := strings.TrimSpace(pipComment.ReplaceAllString(line, ""))
	if text == "" {
		return p, nil
	}
	if words := refusePip(text); words != "" {
		return p, problemf(0, "%s", words)
	}
	for _, found := range pipHash.FindAllStringSubmatch(text, -1) {
		if !sha256Hash.MatchString(found[1]) {
			return p, problemf(strings.Index(text, found[1]), "a hash is written --hash=sha256: and 64 hex digits")
		}
		p.hashes = append(p.hashes, found[1])
	}
	p.text = strings.TrimSpace(pipHash.ReplaceAllString(text, ""))
	head, marker, marked := strings.Cut(p.text, ";")
	name := pipName.FindString(head)
	if name == "" {
		return p, problemf(0, "a requirement begins with the name of a package, made of letters, digits, - _ and .")
	}
	p.name, p.marker = normalName(name), marked
	at := len(name)
	rest, problem := p.parseExtras(head[at:], at)
	if problem == nil {
		problem = p.parseVersions(strings.TrimSpace(rest), len(head)-len(strings.TrimLeft(rest, " \t")))
	}
	if problem == nil && marked {
		p.marks = strings.Join(strings.Fields(marker), " ")
		problem = checkMarker(marker, len(head)+1)
	}
	return p, problem
}

// refusePip says why a line is refused that is no name with conditions; empty if it may be one.
func refusePip(text string) string {
	const instead = "name the package and its version; only wheels of the site's package index are installed, because only they can be checked"
	option, _, _ := strings.Cut(strings.ReplaceAll(text, "=", " "), " ")
	switch {
	case option == "-e" || option == "--editable":
		return "editable installs (-e) are not taken, because an environment never changes: put the folder on PYTHONPATH under \"variables:\", or " + instead
	case option == "-r" || option == "--requirement" || option == "-c" || option == "--constraint":
		return "other files (" + option + ") are not read, because an environment must be whole in one text: copy their lines here"
	case slices.Contains([]string{"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--trusted-host"}, option):
		return "the package index is the site's choice (" + option + " is not taken): delete this line, and ask who runs the site to allow another index"
	case strings.HasPrefix(option, "-"):
		return "options of pip (" + option + ") are not taken: delete this line, or " + instead
	case vcsAddress.MatchString(text):
		return "repositories (git+…) are not taken, because building them runs their code: build a wheel, put it on the site's index and name it here"
	case strings.Contains(text, "://") || strings.Contains(text, "@ ") || strings.HasPrefix(text, "file:"):
		return "addresses are not taken: " + instead
	case strings.HasPrefix(text, ".") || strings.HasPrefix(text, "/") || strings.HasPrefix(text, "~") || pathEnd.MatchString(text):
		return "files and folders are not taken: " + instead
	}
	return ""
}

func (p *pipLine) parseExtras(text string, at int) (rest string, _ *problem) {
	trimmed := strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(trimmed, "[") {
		return text, nil
	}
	inside, rest, ok := strings.Cut(trimmed[1:], "]")
	if !ok {
		return "", problemf(at, "the [ before the extras is not followed by a ]")
	}
	for extra := range strings.SplitSeq(inside, ",") {
		if extra = strings.TrimSpace(extra); extra == "" && strings.TrimSpace(inside) == "" {
			continue
		}
		if extra == "" || pipName.FindString(extra) != extra {
			return "", problemf(at, "%q is no name of an extra", extra)
		}
		p.extras = append(p.extras, normalName(extra))
	}
	slices.Sort(p.extras)
	return rest, nil
}

func (p *pipLine) parseVersions(text string, at int) *problem {
	if text == "" {
		return nil
	}
	if strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") {
		text, at = text[1:len(text)-1], at+1
	}
	text = strings.TrimSuffix(text, ",")
	var conditions []string
	offset := at
	for part := range strings.SplitSeq(text, ",") {
		found := pipOperator.FindStringSubmatch(strings.TrimSpace(part))
		if found == nil {
			return p.wrongCondition(strings.TrimSpace(part), offset)
		}
		op, version := found[1], found[2]
		if op == "==" || op == "!=" {
			version = strings.TrimSuffix(version, ".*")
		}
		if op != "===" && !pipVersion.MatchString(version) {
			return problemf(offset, "%q is no version as Python writes them (PEP 440)", found[2])
		}
		switch {
		case strings.Contains(version, "+") && op != "==" && op != "!=" && op != "===":
			return problemf(offset, "a version with a + is compared by == and != only")
		case op == "~=" && !twoNumbers.MatchString(version):
			return problemf(offset, "~= needs a version with two numbers, such as ~=2.0")
		}
		conditions = append(conditions, op+found[2])
		offset += len(part) + 1
	}
	slices.Sort(conditions)
	p.version = strings.Join(conditions, ",")
	return nil
}

func (p *pipLine) wrongCondition(part string, offset int) *problem {
	if version, one := strings.CutPrefix(part, "="); one && pipVersion.MatchString(strings.TrimSpace(version)) {
		version = strings.TrimSpace(version)
		return problemf(offset, "below pip a version is written with two signs: %s==%s", p.name, version)
	}
	if part == "" {
		return problemf(offset, "a condition on the version is missing next to a comma")
	}
	return problemf(offset, "%q is no condition on a version: write ==1.2.3, >=1,<2 or ~=1.2", part)
}

// normal is the form in which equal requirements look the same.
func (p pipLine) normal() string {
	return p.name + "[" + strings.Join(p.extras, ",") + "]" + p.version + ";" + p.marks + " " + strings.Join(slices.Sorted(slices.Values(p.hashes)), " ")
}
