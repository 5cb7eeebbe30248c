package spec

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is how long an environment.yml may be.
const MaxBytes = 256 << 10

// platform is the one that environments are made for.
const platform = "linux-64"

var topKeys = []string{"name", "channels", "dependencies", "variables", "prefix", "platforms", "category"}

// Parse reads an environment.yml. Its error is an *Error with all mistakes and their places.
func Parse(text []byte) (*Spec, error) {
	r, err := read(text)
	if err != nil {
		return nil, err
	}
	return r.spec, nil
}

// reader turns a tree into a Spec. It remembers where in the tree things are, for Edit.
type reader struct {
	spec     *Spec
	mistakes []Mistake
	document *yaml.Node
	// dependencies and pip are the lists in the tree, nil where the file has none; pipItem is pip's place in dependencies.
	dependencies, pip *yaml.Node
	pipItem           int
	items             []item
}

// item says which entry of a list a requirement was read from.
type item struct {
	Requirement
	list  *yaml.Node
	index int
	value *yaml.Node // the string
}

func read(text []byte) (*reader, error) {
	document, mistakes := load(text)
	if len(mistakes) > 0 {
		return nil, mistaken(mistakes)
	}
	r := &reader{spec: &Spec{Text: slices.Clone(text)}, document: document}
	r.file(document.Content[0])
	if err := mistaken(r.mistakes); err != nil {
		return nil, err
	}
	return r, nil
}

// wrong notes a mistake at a node, offset characters into its text.
func (r *reader) wrong(n *yaml.Node, offset int, format string, args ...any) *Mistake {
	col := n.Column
	if !strings.Contains(n.Value, "\n") {
		col += offset
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && offset > 0 {
			col++
		}
	}
	r.mistakes = append(r.mistakes, Mistake{Line: n.Line, Col: col, Message: fmt.Sprintf(format, args...)})
	return &r.mistakes[len(r.mistakes)-1]
}

func (r *reader) file(root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		r.wrong(root, 0, "environment.yml is a mapping with the keys name, channels and dependencies; this is %s", kindOf(root))
		return
	}
	r.refuseAliases(root)
	entries := r.entries(root, func(key *yaml.Node) {
		near := Near(key.Value, topKeys, 1)
		hint := "; the keys are " + strings.Join(topKeys, ", ")
		if len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %q?", near[0])
		}
		r.wrong(key, 0, "there is no key %q in environment.yml%s", key.Value, hint).Near = near
	}, topKeys)
	r.spec.Name = r.text(entries["name"], "name")
	r.text(entries["prefix"], "prefix")     // environments are where we put them, so it says nothing here
	r.text(entries["category"], "category") // other tools' business
	r.platforms(entries["platforms"])
	r.channels(entries["channels"])
	r.variables(entries["variables"])
	r.condaPart(root, entries["dependencies"])
}

// entries are the values of a mapping by key. Doubled and unknown keys are mistakes.
func (r *reader) entries(mapping *yaml.Node, unknown func(key *yaml.Node), known []string) map[string]*yaml.Node {
	all, lines := map[string]*yaml.Node{}, map[string]int{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		switch line, twice := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			r.wrong(key, 0, "a key must be a word; this is %s", kindOf(key))
		case twice:
			r.wrong(key, 0, "the key %q is here twice, first in line %d: join them", key.Value, line)
		case known != nil && !slices.Contains(known, key.Value):
			unknown(key)
		default:
			all[key.Value], lines[key.Value] = value, key.Line
		}
	}
	return all
}

// refuseAliases finds references to other parts of the file, which other tools read differently and edits would break.
func (r *reader) refuseAliases(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		r.wrong(n, 0, "references such as *%s are not taken in environment.yml: write the text out", n.Value)
		return
	}
	for _, child := range n.Content {
		r.refuseAliases(child)
	}
}

func (r *reader) text(n *yaml.Node, key string) string {
	switch {
	case n == nil || isNull(n) || n.Kind == yaml.AliasNode:
		return ""
	case n.Kind != yaml.ScalarNode:
		r.wrong(n, 0, "%s must be a text; this is %s", key, kindOf(n))
		return ""
	}
	return n.Value
}

// list gives the nodes of a list, without those of other platforms.
func (r *reader) list(n *yaml.Node, key string) []*yaml.Node {
	switch {
	case n == nil || isNull(n) || n.Kind == yaml.AliasNode:
		return nil
	case n.Kind != yaml.SequenceNode:
		r.wrong(n, 0, "%s must be a list, each entry on a line of its own after \"- \"; this is %s", key, kindOf(n))
		return nil
	}
	return n.Content
}

func (r *reader) platforms(n *yaml.Node) {
	var names []string
	for _, entry := range r.list(n, "platforms") {
		names = append(names, r.text(entry, "a platform"))
	}
	if len(names) > 0 && !slices.Contains(names, platform) {
		r.wrong(n, 0, "this file is for %s, and environments here are made for %s: add it to the platforms",
			strings.Join(names, ", "), platform)
	}
}

func (r *reader) variables(n *yaml.Node) {
	switch {
	case n == nil || isNull(n) || n.Kind == yaml.AliasNode:
		return
	case n.Kind != yaml.MappingNode:
		r.wrong(n, 0, "variables must be a mapping of names to texts; this is %s", kindOf(n))
		return
	}
	r.spec.Variables = map[string]string{}
	entries := r.entries(n, nil, nil)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case entries[key.Value] != value || value.Kind == yaml.AliasNode: // told already
		case !isVariable(key.Value):
			r.wrong(key, 0, "%q cannot be the name of a variable: letters, digits and _ make one", key.Value)
		case value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str":
			r.wrong(value, 0, "the variable %s must be a text; this is %s: put it in quotes", key.Value, kindOf(value))
		case strings.ContainsRune(value.Value, 0):
			r.wrong(value, 0, "the variable %s holds a zero byte, which no program can be given", key.Value)
		default:
			r.spec.Variables[key.Value] = value.Value
		}
	}
}

func isVariable(name string) bool {
	for i, c := range name {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindOf says in words what a node is.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "a reference"
	case yaml.DocumentNode, yaml.ScalarNode:
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	case "!!str":
		return "a text"
	}
	return "something else"
}
