package spec

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// selectorWords are the words of selectors and whether they hold on the platform that we make environments for.
var selectorWords = map[string]bool{
	"linux": true, "linux64": true, "linux-64": true, "unix": true, "x86_64": true,
	"linux32": false, "aarch64": false, "linux-aarch64": false, "ppc64le": false, "linux-ppc64le": false, "s390x": false, "armv7l": false,
	"osx": false, "osx64": false, "osx-64": false, "osx-arm64": false, "arm64": false, "macos": false, "x86": false,
	"win": false, "win32": false, "win64": false, "win-64": false, "win-32": false, "win-arm64": false, "emscripten": false, "wasi": false,
}

var (
	commentSelector = regexp.MustCompile(`^#\s*\[\s*([^\[\]]+?)\s*\]`)
	mappingSelector = regexp.MustCompile(`^sel\((.*)\)$`)
	selectorToken   = regexp.MustCompile(`\(|\)|[A-Za-z0-9_-]+|\S`)
)

// applies says whether an entry counts on our platform, by the selector in the comment behind it: "# [linux]". A comment in
// brackets that is no selector is a comment.
func (r *reader) applies(n *yaml.Node) bool {
	comment := n.LineComment
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 && comment == "" {
		comment = n.Content[0].LineComment
	}
	found := commentSelector.FindStringSubmatch(comment)
	if found == nil {
		return true
	}
	holds, understood := selects(found[1])
	return holds || !understood
}

// selects evaluates a selector: words with "and", "or", "not" and parentheses.
func selects(text string) (holds, understood bool) {
	if len(text) > 200 {
		return false, false
	}
	s := &selector{tokens: selectorToken.FindAllString(text, -1), understood: true}
	holds = s.or()
	return holds, s.understood && len(s.tokens) == 0
}

type selector struct {
	tokens     []string
	understood bool
}

func (s *selector) take(word string) bool {
	if len(s.tokens) > 0 && strings.EqualFold(s.tokens[0], word) {
		s.tokens = s.tokens[1:]
		return true
	}
	return false
}

func (s *selector) or() bool {
	holds := s.and()
	for s.take("or") {
		holds = s.and() || holds
	}
	return holds
}

func (s *selector) and() bool {
	holds := s.not()
	for s.take("and") {
		holds = s.not() && holds
	}
	return holds
}

func (s *selector) not() bool {
	if s.take("not") {
		return !s.not()
	}
	if s.take("(") {
		holds := s.or()
		s.understood = s.take(")") && s.understood
		return holds
	}
	if len(s.tokens) == 0 {
		s.understood = false
		return false
	}
	holds, known := selectorWords[strings.ToLower(s.tokens[0])]
	s.tokens = s.tokens[1:]
	s.understood = s.understood && known
	return holds
}
