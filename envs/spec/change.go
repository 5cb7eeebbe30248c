package spec

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The sections of dependencies.
const (
	sectionConda = "conda"
	sectionPip   = "pip"
)

func sectionName(section, name string) string {
	if section == sectionPip {
		return normalName(name)
	}
	return strings.ToLower(name)
}

// change is a change of one package: its line in a section from now on, or no line if text is empty.
type change struct{ section, name, text string }

var errCannotWrite = errors.New("this change cannot be written into environment.yml as it is laid out: edit the text by hand")

// apply writes the change into the text of s. It first changes lines only, so that all else stays to the byte; where the layout
// is unusual, it writes the whole file anew from its tree, which keeps comments and order. Whatever it wrote is read again and
// must say what s says but for the change.
func (c change) apply(s *Spec) (*Spec, error) {
	for _, write := range []func(change, *reader) ([]byte, bool){change.inLines, change.inTree} {
		r, err := read(s.Text)
		if err != nil {
			return nil, err
		}
		want := c.expected(r)
		text, ok := write(c, r)
		if !ok {
			continue
		}
		after, err := read(text)
		if err == nil && slices.Equal(after.contents(), want) && s.sameBut(after.spec) {
			return after.spec, nil
		}
		if len(text) > MaxBytes {
			return nil, err
		}
	}
	return nil, errCannotWrite
}

// contents are all packages of a file, each with its section, sorted.
func (r *reader) contents() []string {
	var all []string
	for _, i := range r.items {
		all = append(all, strings.Join([]string{r.sectionOf(i), i.Name, i.Text}, " "))
	}
	slices.Sort(all)
	return all
}

func (r *reader) sectionOf(i item) string {
	if i.list == r.pip {
		return sectionPip
	}
	return sectionConda
}

func (c change) expected(r *reader) []string {
	var all []string
	for _, i := range r.items {
		if r.sectionOf(i) != c.section || i.Name != c.name {
			all = append(all, strings.Join([]string{r.sectionOf(i), i.Name, i.Text}, " "))
		}
	}
	if c.text != "" {
		all = append(all, strings.Join([]string{c.section, c.name, c.text}, " "))
	}
	slices.Sort(all)
	return all
}

func (s *Spec) sameBut(other *Spec) bool {
	return s.Name == other.Name && s.NoDefaults == other.NoDefaults && slices.Equal(s.Channels, other.Channels) &&
		maps.Equal(s.Variables, other.Variables)
}

// find gives the entries that the change is about.
func (c change) find(r *reader) []item {
	var found []item
	for _, i := range r.items {
		if r.sectionOf(i) == c.section && i.Name == c.name {
			found = append(found, i)
		}
	}
	return found
}

// inTree makes the change in the tree and writes the file anew.
func (c change) inTree(r *reader) ([]byte, bool) {
	compact := c.compact(r)
	found := c.find(r)
	switch {
	case c.text == "":
		c.dropNodes(r, found)
	case len(found) > 0:
		value := found[0].value
		value.Value, value.Style = c.text, textNode(c.text, value.Style).Style
	default:
		c.addNode(r)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if compact {
		encoder.CompactSeqIndent()
	}
	if encoder.Encode(r.document) != nil || encoder.Close() != nil {
		return nil, false
	}
	return out.Bytes(), true
}

// compact says whether the file writes its lists without indentation.
func (c change) compact(r *reader) bool {
	return r.dependencies.Kind == yaml.SequenceNode && r.dependencies.Column == r.document.Content[0].Column
}

func (c change) dropNodes(r *reader, found []item) {
	for _, i := range slices.Backward(found) {
		i.list.Content = slices.Delete(i.list.Content, i.index, i.index+1)
	}
	if c.section == sectionPip && len(r.pip.Content) == 0 {
		r.dependencies.Content = slices.Delete(r.dependencies.Content, r.pipItem, r.pipItem+1)
	}
}

func (c change) addNode(r *reader) {
	node := textNode(c.text, 0)
	asList(r.dependencies)
	switch {
	case c.section == sectionConda && r.pip != nil:
		r.dependencies.Content = slices.Insert(r.dependencies.Content, r.pipItem, node)
	case c.section == sectionConda:
		r.dependencies.Content = append(r.dependencies.Content, node)
	case r.pip != nil:
		asList(r.pip)
		r.pip.Content = append(r.pip.Content, node)
	default:
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: sectionPip}
		list := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node}}
		r.dependencies.Content = append(r.dependencies.Content, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, list}})
	}
}

// asList makes a list of an empty value; an empty list "[]" gets lines of its own.
func asList(n *yaml.Node) {
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
		return
	}
	n.Kind, n.Tag, n.Value, n.Style = yaml.SequenceNode, "", "", 0
}
