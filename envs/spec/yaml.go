package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// load reads the tree of a file that is one YAML document, or tells what hinders it. The tree is a document node.
func load(text []byte) (*yaml.Node, []Mistake) {
	if len(text) > MaxBytes {
		return nil, []Mistake{{Message: fmt.Sprintf("environment.yml has %d kB; the most is %d kB", len(text)>>10, MaxBytes>>10)}}
	}
	if all := badCharacters(text); len(all) > 0 {
		return nil, all
	}
	first, second, err := decode(text)
	switch {
	case err != nil:
		return nil, yamlMistakes(text, err)
	case first == nil:
		return nil, []Mistake{{Line: 1, Col: 1, Message: "the file is empty: write the packages that you want below \"dependencies:\""}}
	case second != nil:
		return nil, []Mistake{{Line: second.Content[0].Line, Col: second.Content[0].Column, Message: "a second document begins here: an environment.yml holds one"}}
	}
	return first, nil
}

// decode gives the first document of a text, and the second if there is one.
func decode(text []byte) (first, second *yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for _, document := range []**yaml.Node{&first, &second} {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			return first, second, nil
		}
		if err != nil {
			return nil, nil, err
		}
		nothing := *document == nil && len(n.Content) == 1 && isNull(n.Content[0]) && n.Content[0].Value == ""
		if len(n.Content) == 1 && !nothing {
			*document = &n
		}
	}
	return first, second, nil
}

// badCharacters finds what is no text: no UTF-8, or controls that YAML forbids.
func badCharacters(text []byte) []Mistake {
	line, col := 1, 1
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return []Mistake{{Line: line, Col: col, Message: "this is no UTF-8 text: save the file as UTF-8"}}
		case c < ' ' && c != '\t' && c != '\n' && c != '\r', c == 0x7f, c == 0xfeff && i > 0, c == 0xfffe, c == 0xffff:
			return []Mistake{{Line: line, Col: col, Message: fmt.Sprintf("the character U+%04X may not stand in YAML: delete it", c)}}
		case c == '\n':
			line, col = line+1, 0
		case c == 0xfeff:
			col--
		}
		i, col = i+size, col+1
	}
	return nil
}

var yamlPlace = regexp.MustCompile(`^yaml: (line \d+: )?`)

// yamlWords are the parser's most frequent complaints in words that help.
var yamlWords = map[string]string{
	"mapping values are not allowed in this context": "a \": \" may not stand here: mend the indentation, or put the text in quotes",
	"did not find expected ',' or ']'":               "a list that begins with [ does not end: add the ]",
	"did not find expected ',' or '}'":               "a mapping that begins with { does not end: add the }",
	"found unexpected end of stream":                 "a text in quotes does not end: add the closing quote",
	"could not find expected ':'":                    "this line is neither \"key: value\" nor an entry of a list, \"- \": mend its indentation",
	"did not find expected key":                      "this line is not indented like the ones before it",
	"did not find expected '-' indicator":            "this line is not indented like the list before it, or lacks its \"- \"",
	"found character that cannot start any token":    "a text cannot begin with this character: put it in quotes",
	"did not find expected node content":             "there should be a text, a list or a mapping here",
}

// yamlMistakes finds the place of what the parser says. Tabs before a line are told first: they are hard to see.
func yamlMistakes(text []byte, err error) []Mistake {
	if tabs := tabMistakes(text); len(tabs) > 0 {
		return tabs
	}
	words := yamlPlace.ReplaceAllString(err.Error(), "")
	line, col := yamlPosition(text, words)
	message, known := yamlWords[words]
	if !known {
		message = "this is no YAML: " + words
	}
	return []Mistake{{Line: line, Col: col, Message: message}}
}

func tabMistakes(text []byte) []Mistake {
	var all []Mistake
	line := 0
	for s := range strings.Lines(string(text)) {
		line++
		indent := s[:len(s)-len(strings.TrimLeft(s, " \t"))]
		if at := strings.IndexByte(indent, '\t'); at >= 0 && strings.TrimSpace(s) != "" {
			all = append(all, Mistake{Line: line, Col: at + 1, Message: "YAML is indented with spaces; this is a tab"})
		}
	}
	return all
}

// yamlPosition finds where the parser gives up. It tells at best a line, and often another one, so we look for the shortest
// beginning of the text that it has the same complaint about: first in lines, then in the characters of the last line.
func yamlPosition(text []byte, words string) (line, col int) {
	complains := func(n int) bool {
		_, _, err := decode(text[:n])
		return err != nil && yamlPlace.ReplaceAllString(err.Error(), "") == words
	}
	ends := []int{0}
	for s := range bytes.Lines(text) {
		ends = append(ends, ends[len(ends)-1]+len(s))
	}
	low, high := 0, len(ends)-1 // it complains about high lines, not about low ones
	for high-low > 1 {
		if middle := (low + high) / 2; complains(ends[middle]) {
			high = middle
		} else {
			low = middle
		}
	}
	last := []rune(string(text[ends[low]:ends[high]]))
	complainsAt := func(n int) bool { return complains(ends[low] + len(string(last[:n]))) }
	return high, max(1, shortest(len(last), ends[high], complainsAt))
}

// shortest finds the least n from which on the parser complains. It looks at each n, from the end: of two quotes on a line the
// second is the one that does not end. Where that took too long, it halves.
func shortest(length, size int, complains func(n int) bool) int {
	const patience = 4 << 20 // bytes to parse
	if length*size > patience {
		return 1 + sort.Search(max(0, length-1), func(n int) bool { return complains(n + 1) })
	}
	least := length
	for n := length; n > 0 && complains(n); n-- {
		least = n
	}
	return least
}
