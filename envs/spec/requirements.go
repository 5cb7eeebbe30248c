package spec

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FromRequirements makes a spec with the pip section that a requirements.txt asks for. Hashes are kept; lines that only ask
// for what is done anyway, wheels with hashes, are left out. Its error is an *Error with the lines of the requirements.txt.
func FromRequirements(name string, text []byte) (*Spec, error) {
	if len(text) > MaxBytes {
		return nil, mistaken([]Mistake{{Message: fmt.Sprintf("requirements.txt has %d kB; the most is %d kB", len(text)>>10, MaxBytes>>10)}})
	}
	if all := badCharacters(text); len(all) > 0 {
		return nil, mistaken(all)
	}
	var mistakes []Mistake
	var pip []string
	for _, line := range logicalLines(string(bytes.TrimPrefix(text, []byte("\ufeff")))) {
		if doneAnyway(line.text) {
			continue
		}
		p, problem := parsePip(line.text)
		switch {
		case problem != nil:
			mistakes = append(mistakes, Mistake{Line: line.number, Col: line.column + problem.offset, Message: problem.message, Package: p.name})
		case p.text != "":
			pip = append(pip, p.withHashes())
		}
	}
	if err := mistaken(mistakes); err != nil {
		return nil, err
	}
	if len(pip) == 0 {
		return nil, mistaken([]Mistake{{Line: 1, Col: 1, Message: "this requirements.txt names no package"}})
	}
	made, err := yaml.Marshal(newFile(name, pythonOf(text), pip))
	if err != nil {
		return nil, fmt.Errorf("write environment.yml: %w", err)
	}
	return Parse(made)
}

var pythonComment = regexp.MustCompile(`(?im)^#.*\bpython(?:-version)?[ =](3\.\d{1,2})\b`)

// pythonOf is the dependency on Python: pip-compile and uv say in a comment which one the file was made for.
func pythonOf(text []byte) string {
	if found := pythonComment.FindSubmatch(text); found != nil {
		return "python=" + string(found[1])
	}
	return "python"
}

// newFile is an environment.yml with a Python and a pip section.
func newFile(name, python string, pip []string) any {
	type section struct {
		Pip []string `yaml:"pip"`
	}
	return struct {
		Name         string `yaml:"name,omitempty"`
		Dependencies []any  `yaml:"dependencies"`
	}{name, []any{python, "pip", section{pip}}}
}

type logicalLine struct {
	number, column int
	text           string
}

// logicalLines joins lines that end with a backslash to the next one.
func logicalLines(text string) []logicalLine {
	var all []logicalLine
	var open *logicalLine
	number := 0
	for s := range strings.Lines(text) {
		number++
		s = strings.TrimRight(s, "\r\n")
		part, goesOn := strings.CutSuffix(s, "\\")
		if open == nil {
			all = append(all, logicalLine{number: number, column: 1 + len(s) - len(strings.TrimLeft(s, " \t"))})
			open = &all[len(all)-1]
		}
		open.text += part + " "
		if !goesOn {
			open = nil
		}
	}
	return all
}

// doneAnyway says whether a line only asks for what is always done.
func doneAnyway(line string) bool {
	words := strings.Fields(strings.ReplaceAll(pipComment.ReplaceAllString(line, ""), "=", " "))
	return len(words) > 0 && slices.Contains([]string{"--require-hashes", "--only-binary", "--prefer-binary"}, words[0])
}

// withHashes is the requirement with its hashes behind it.
func (p pipLine) withHashes() string {
	return strings.Join(append([]string{p.text}, p.hashes...), " --hash=")
}
