package spec

import (
	"fmt"
	"slices"
	"strings"
)

// Edit gives the spec that s is after a change. Comments, order and quoting stay. First comes what is removed, then what is
// upgraded, then what is added.
//
// Adding what is there already replaces its version; adding from pip what conda has moves it, and the other way round.
// Upgrading turns a fixed version into the least one; conditions of other forms stay, and so do names that s does not have,
// because others may need them. Its error is an *Error.
func (s *Spec) Edit(e Edit) (*Spec, error) {
	p := planner{spec: s}
	for _, name := range e.Remove {
		p.remove(name)
	}
	for _, name := range e.Upgrade {
		p.upgrade(name)
	}
	for _, add := range e.Add {
		p.add(add)
	}
	p.keepPython()
	if err := mistaken(p.mistakes); err != nil {
		return nil, err
	}
	if p.spec == s {
		return s, nil
	}
	return p.spec, nil
}

// planner makes one change after the other. Its spec is always a valid one.
type planner struct {
	spec     *Spec
	mistakes []Mistake
	removed  []string
}

func (p *planner) wrong(name, format string, args ...any) {
	p.mistakes = append(p.mistakes, Mistake{Message: fmt.Sprintf(format, args...), Package: name})
}

func (p *planner) apply(c change) {
	after, err := c.apply(p.spec)
	if err != nil {
		p.wrong(c.name, "%s", err)
		return
	}
	p.spec = after
}

// having are the requirements of s by that name in a section.
func (s *Spec) having(section, name string) []Requirement {
	list := s.Dependencies
	if section == sectionPip {
		list = s.Pip
	}
	var found []Requirement
	for _, req := range list {
		if req.Name == sectionName(section, name) {
			found = append(found, req)
		}
	}
	return found
}

func (p *planner) remove(name string) {
	found := false
	for _, section := range []string{sectionConda, sectionPip} {
		if len(p.spec.having(section, name)) > 0 {
			found = true
			p.apply(change{section: section, name: sectionName(section, name)})
		}
	}
	if found {
		p.removed = append(p.removed, strings.ToLower(name))
		return
	}
	near := Near(name, p.spec.names(), 3)
	hint := ""
	if len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	p.wrong(name, "environment.yml does not ask for %s, so it cannot be removed%s", name, hint)
	p.mistakes[len(p.mistakes)-1].Near = near
}

func (s *Spec) names() []string {
	var names []string
	for _, req := range slices.Concat(s.Dependencies, s.Pip) {
		names = append(names, req.Name)
	}
	return names
}

// keepPython refuses a spec whose line for Python was taken away though others need it: which Python they got would be left
// to chance.
func (p *planner) keepPython() {
	if !slices.Contains(p.removed, "python") || len(p.spec.having(sectionConda, "python")) > 0 {
		return
	}
	switch {
	case len(p.spec.Pip) > 0:
		p.wrong("python", "python cannot be removed while %s and others below pip need it: remove those first, or change python's version", p.spec.Pip[0].Name)
	case p.spec.Kernel:
		p.wrong("python", "python cannot be removed while ipykernel needs it: remove that first, or change python's version")
	}
}

func (p *planner) upgrade(name string) {
	for _, req := range p.spec.having(sectionConda, name) {
		m, problem := parseMatch(req.Text)
		if problem != nil || len(m.brackets) > 0 {
			continue
		}
		if least, fixed := leastVersion(m.version); fixed {
			p.apply(change{sectionConda, req.Name, m.prefix() + m.name + ">=" + least})
		}
	}
	found := p.spec.having(sectionPip, name)
	if len(found) != 1 { // several lines with markers are somebody's careful work
		return
	}
	line, problem := parsePip(found[0].Text)
	if least, fixed := leastVersion(line.version); problem == nil && fixed && strings.HasPrefix(line.version, "==") {
		p.apply(change{sectionPip, line.name, line.head(found[0].Text) + ">=" + least + line.tail()})
	}
}

// leastVersion is the version that a condition fixes: 1.2 of "=1.2", "==1.2.*" and "1.2".
func leastVersion(condition string) (version string, fixed bool) {
	version = strings.TrimSuffix(strings.TrimSuffix(strings.TrimLeft(condition, "="), "*"), ".")
	return version, version != "" && !strings.ContainsAny(version, "<>!~=,|()*")
}

func (p *planner) add(add Package) {
	switch add.From {
	case "", sectionConda:
		p.addConda(add)
	case sectionPip:
		p.addPip(add)
	default:
		p.wrong(add.Name, "packages come from conda or pip, not from %q", add.From)
	}
}

func (p *planner) addConda(add Package) {
	wanted, problem := parseMatch(strings.TrimSpace(add.Name))
	if problem != nil || wanted.version != "" || len(wanted.brackets) > 0 {
		p.wrong(add.Name, "%q is no name of a conda package", add.Name)
		return
	}
	before := p.spec.having(sectionConda, wanted.name)
	if len(before) > 0 && wanted.channel == "" {
		if m, problem := parseMatch(before[0].Text); problem == nil && len(m.brackets) == 0 {
			wanted.channel = m.channel
		}
	}
	text := wanted.prefix() + strings.ToLower(wanted.name) + condaCondition(add.Version)
	if _, problem := parseMatch(text); problem != nil {
		p.wrong(wanted.name, "%s", problem.message)
		return
	}
	if len(p.spec.having(sectionPip, wanted.name)) > 0 {
		p.apply(change{section: sectionPip, name: normalName(wanted.name)})
	}
	p.apply(change{sectionConda, strings.ToLower(wanted.name), text})
}

func (p *planner) addPip(add Package) {
	wanted, problem := parsePip(add.Name)
	if problem != nil || wanted.version != "" || wanted.marker || len(wanted.hashes) > 0 || wanted.name == "" {
		p.wrong(add.Name, "%q is no name of a Python package", add.Name)
		return
	}
	if wanted.name == "python" {
		p.wrong(add.Name, "Python itself does not come from pip: add it from conda, with its version")
		return
	}
	head, tail := strings.TrimSpace(add.Name), ""
	before := p.spec.having(sectionPip, wanted.name)
	if len(before) == 1 {
		old, _ := parsePip(before[0].Text)
		tail = old.tail()
		if len(wanted.extras) == 0 {
			head = old.head(before[0].Text)
		}
	}
	text := head + pipCondition(add.Version) + tail
	if _, problem := parsePip(text); problem != nil {
		p.wrong(wanted.name, "%s", problem.message)
		return
	}
	if len(p.spec.having(sectionConda, wanted.name)) > 0 {
		p.apply(change{section: sectionConda, name: strings.ToLower(wanted.name)})
	}
	if len(p.spec.Pip) == 0 && len(p.spec.having(sectionConda, "pip")) == 0 {
		p.apply(change{sectionConda, "pip", "pip"}) // conda warns of a pip section without it
	}
	if len(before) > 1 {
		p.apply(change{section: sectionPip, name: wanted.name})
	}
	p.apply(change{sectionPip, wanted.name, text})
}

// condaCondition joins a version to a name as conda's users write it: 2.4 means any 2.4.
func condaCondition(version string) string {
	version = strings.ReplaceAll(version, " ", "")
	if version == "" || strings.ContainsAny(version[:1], "=<>!~") {
		return version
	}
	if strings.ContainsAny(version, ",|<>(") {
		return " " + version
	}
	return "=" + version
}

// pipCondition joins a version to a name as pip's users write it.
func pipCondition(version string) string {
	version = strings.ReplaceAll(version, " ", "")
	if one, ok := strings.CutPrefix(version, "="); ok && !strings.HasPrefix(one, "=") {
		return "==" + strings.TrimSuffix(one, ".*") + ".*"
	}
	if version == "" || strings.ContainsAny(version[:1], "=<>!~") {
		return version
	}
	return "==" + version
}

// prefix is the channel as it stands before a name.
func (m match) prefix() string {
	if m.channel == "" {
		return ""
	}
	return m.channel + "::"
}

// head is the name as written, with its extras.
func (p pipLine) head(text string) string {
	head, _, _ := strings.Cut(text, ";")
	if i := strings.IndexAny(head, "=<>!~("); i >= 0 {
		head = head[:i]
	}
	return strings.TrimSpace(head)
}

// tail is the marker as it stands behind the conditions.
func (p pipLine) tail() string {
	if !p.marker {
		return ""
	}
	return "; " + p.marks
}
