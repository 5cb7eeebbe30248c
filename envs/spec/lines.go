package spec

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inLines makes the change in the lines of the text. It gives up (false) where an entry is not alone on its line.
func (c change) inLines(r *reader) ([]byte, bool) {
	l := lines(slices.Collect(strings.Lines(string(r.spec.Text))))
	found := c.find(r)
	ok := false
	switch {
	case c.text == "":
		ok = l.drop(r, found)
	case len(found) > 0:
		ok = l.replace(found[0].value, c.text)
	default:
		ok = l.insert(r, c)
	}
	return []byte(strings.Join(l, "")), ok
}

// textNode is a text in a style. Words that are texts to us but true and false to readers of YAML 1.1, as conda's, get quotes.
func textNode(text string, style yaml.Style) *yaml.Node {
	if style == 0 && slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(text)) {
		style = yaml.DoubleQuotedStyle
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: style}
}

// lines are those of a text, each with its end.
type lines []string

// written is how a text is written in YAML in a style; empty where it needs more than one line.
func written(text string, style yaml.Style) string {
	const quotes = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle
	out, err := yaml.Marshal(textNode(text, style&quotes))
	if s := strings.TrimSuffix(string(out), "\n"); err == nil && !strings.Contains(s, "\n") {
		return s
	}
	return ""
}

// split takes the line of a one-line text apart; false where it stands there in another form.
func (l lines) split(n *yaml.Node) (before, token, after string, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || n.Line < 1 || n.Line > len(l) {
		return "", "", "", false
	}
	line := []rune(strings.TrimPrefix(l[n.Line-1], "\ufeff"))
	if n.Column < 1 || n.Column > len(line) {
		return "", "", "", false
	}
	before, rest := string(line[:n.Column-1]), string(line[n.Column-1:])
	token = written(n.Value, n.Style)
	if n.Style == 0 {
		token = n.Value
	}
	after, ok = strings.CutPrefix(rest, token)
	trimmed := strings.TrimSpace(after)
	return before, token, after, ok && token != "" && (trimmed == "" || strings.HasPrefix(trimmed, "#") && after[0] == ' ')
}

func (l lines) replace(n *yaml.Node, text string) bool {
	before, _, after, ok := l.split(n)
	token := written(text, n.Style)
	if !ok || token == "" {
		return false
	}
	l[n.Line-1] = before + token + after
	return true
}

// alone says whether an entry of a list has a line to itself, and gives what stands there before its "-".
func (l lines) alone(entry *yaml.Node) (indent string, ok bool) {
	value := entry
	if entry.Kind == yaml.MappingNode { // sel(linux): name
		value = entry.Content[1]
	}
	before, _, _, ok := l.split(value)
	if !ok || value.Line != entry.Line {
		return "", false
	}
	indent, rest, dash := strings.Cut(before, "-")
	if value == entry {
		return indent, dash && strings.TrimSpace(indent+rest) == ""
	}
	return indent, dash && strings.TrimSpace(indent) == "" && strings.HasPrefix(strings.TrimSpace(rest), "sel(")
}

func (l *lines) drop(r *reader, found []item) bool {
	for _, i := range slices.Backward(found) {
		entry := i.list.Content[i.index]
		if _, ok := l.alone(entry); !ok {
			return false
		}
		*l = slices.Delete(*l, entry.Line-1, entry.Line)
	}
	if len(found) == 0 || len(found) < len(found[0].list.Content) {
		return true
	}
	if found[0].list != r.pip || len(r.dependencies.Content) == 1 {
		return false // an empty list is written []
	}
	line := r.dependencies.Content[r.pipItem].Line - 1
	text, _, _ := strings.Cut((*l)[line], "#")
	if strings.Join(strings.Fields(text), "") != "-pip:" {
		return false
	}
	*l = slices.Delete(*l, line, line+1)
	return true
}

func (l *lines) insert(r *reader, c change) bool {
	token := written(c.text, 0)
	list, entries := r.dependencies, r.dependencies.Content
	switch {
	case c.section == sectionPip && r.pip != nil:
		list, entries = r.pip, r.pip.Content
	case c.section == sectionConda && r.pip != nil:
		entries = entries[:r.pipItem]
	}
	if token == "" || list.Style&yaml.FlowStyle != 0 || len(entries) == 0 {
		return false
	}
	last := entries[len(entries)-1]
	indent, ok := l.alone(last)
	if !ok {
		return false
	}
	end := "\n"
	if strings.HasSuffix((*l)[last.Line-1], "\r\n") {
		end = "\r\n"
	}
	(*l)[last.Line-1] = strings.TrimRight((*l)[last.Line-1], "\r\n") + end
	added := []string{indent + "- " + token + end}
	if c.section == sectionPip && r.pip == nil {
		added = []string{indent + "- pip:" + end, indent + "  - " + token + end}
	}
	*l = slices.Insert(*l, last.Line, added...)
	return true
}
