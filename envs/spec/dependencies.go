package spec

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (r *reader) condaPart(root, n *yaml.Node) {
	if n == nil {
		if len(r.mistakes) == 0 {
			r.wrong(root, 0, "the file has no dependencies: list the packages that you want below \"dependencies:\"")
		}
		return
	}
	entries := r.list(n, "dependencies")
	r.dependencies = n
	seen := map[string]int{}
	for i, entry := range entries {
		switch {
		case !r.applies(entry) || entry.Kind == yaml.AliasNode:
		case entry.Kind == yaml.MappingNode && len(entry.Content) == 2:
			r.section(i, entry, seen)
		case entry.Kind == yaml.MappingNode:
			r.wrong(entry, 0, "a dependency with a colon has one key, \"pip:\"; this has %d: begin each entry with \"- \"", len(entry.Content)/2)
		default:
			r.conda(n, i, entry, seen)
		}
	}
}

// section reads an entry of dependencies that is a mapping of one key.
func (r *reader) section(index int, entry *yaml.Node, seen map[string]int) {
	key, value := entry.Content[0], entry.Content[1]
	if found := mappingSelector.FindStringSubmatch(key.Value); found != nil {
		switch holds, understood := selects(found[1]); {
		case !understood:
			near := Near(found[1], slices.Sorted(maps.Keys(selectorWords)), 1)
			r.wrong(key, 0, "%q is no platform to select: write sel(linux), sel(osx), sel(win) or sel(unix)", found[1]).Near = near
		case holds:
			r.conda(r.dependencies, index, value, seen)
		}
		return
	}
	switch {
	case key.Value != "pip":
		near := Near(key.Value, []string{"pip"}, 1)
		r.wrong(key, 0, "dependencies have no section %q: \"pip:\" is the only one; a package and its version are joined by =, not by a colon", key.Value).Near = near
	case r.pip != nil:
		r.wrong(key, 0, "a second section \"pip:\": put all its lines into the one in line %d", r.dependencies.Content[r.pipItem].Line)
	default:
		r.pip, r.pipItem = value, index
		r.pipPart(value)
	}
}

func (r *reader) conda(list *yaml.Node, index int, n *yaml.Node, seen map[string]int) {
	if !r.isLine(n, "a dependency must be a text such as numpy=2.4") {
		return
	}
	text := strings.TrimSpace(n.Value)
	m, problem := parseMatch(text)
	if problem != nil {
		r.wrong(n, problem.offset, "%s", problem.message).Package = m.name
		return
	}
	name := strings.ToLower(m.name)
	if line, twice := seen[name]; twice {
		r.wrong(n, 0, "%s is here twice, first in line %d: keep one, with all conditions joined by commas", name, line).Package = name
		return
	}
	seen[name] = n.Line
	req := Requirement{Text: text, Name: name, Line: n.Line, Col: n.Column, Channel: m.channel}
	r.spec.Dependencies = append(r.spec.Dependencies, req)
	r.items = append(r.items, item{req, list, index, n})
	r.spec.Kernel = r.spec.Kernel || name == "ipykernel"
}

func (r *reader) pipPart(n *yaml.Node) {
	type first struct {
		line        int
		conditional bool
	}
	seen := map[string]first{}
	for i, entry := range r.list(n, "pip") {
		if !r.applies(entry) || !r.isLine(entry, "a line below pip must be a text such as requests>=2.32") {
			continue
		}
		p, problem := parsePip(entry.Value)
		if problem != nil {
			r.wrong(entry, problem.offset, "%s", problem.message).Package = p.name
			continue
		}
		if p.text == "" {
			continue // a comment in quotes
		}
		// Two lines with different markers may name one package, because at most one of them counts.
		if before, twice := seen[p.name]; twice && (!p.marker || !before.conditional) {
			r.wrong(entry, 0, "%s is below pip twice, first in line %d: keep one, with all conditions joined by commas", p.name, before.line).Package = p.name
			continue
		}
		seen[p.name] = first{entry.Line, p.marker}
		req := Requirement{Text: p.text, Name: p.name, Line: entry.Line, Col: entry.Column, Hashes: p.hashes}
		r.spec.Pip = append(r.spec.Pip, req)
		r.items = append(r.items, item{req, n, i, entry})
		r.spec.Kernel = r.spec.Kernel || p.name == "ipykernel"
	}
}

// maxLine is how long an entry may be, in bytes: enough for a requirement with the hashes of all its files.
const maxLine = 20_000

// isLine says whether a node is a text on one line; if not, that is a mistake, for which should tells what to write.
func (r *reader) isLine(n *yaml.Node, should string) bool {
	switch {
	case n.Kind == yaml.AliasNode: // told already
		return false
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		r.wrong(n, 0, "%s; this is %s", should, kindOf(n))
		return false
	case strings.Contains(strings.TrimSpace(n.Value), "\n"):
		r.wrong(n, 0, "%s; this has several lines", should)
		return false
	case n.Style == 0 && strings.Contains(n.Value, " - "):
		r.wrong(n, strings.Index(n.Value, " - ")+1, "two entries have become one here: indent the \"- \" of the next line like this one's")
		return false
	case len(n.Value) > maxLine:
		r.wrong(n, 0, "%s; this has %d characters, and %d are the most", should, len(n.Value), maxLine)
		return false
	case strings.TrimSpace(n.Value) == "":
		r.wrong(n, 0, "%s; this is empty", should)
		return false
	}
	return true
}
