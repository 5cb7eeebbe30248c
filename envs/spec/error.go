package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong with an environment.yml.
type Mistake struct {
	// Line and Col are the place, from 1; 0 where there is none. Col counts characters.
	Line int `json:"line,omitempty"`
	Col  int `json:"column,omitempty"`
	// Message is a sentence that says what to do.
	Message string `json:"message"`
	// Package is the one that it is about, and Near are names that it may be a mistake for.
	Package string   `json:"package,omitempty"`
	Near    []string `json:"near,omitempty"`
}

func (m Mistake) String() string {
	if m.Line == 0 {
		return m.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", m.Line, m.Col, m.Message)
}

// Error tells all mistakes of an environment.yml, or of a change to one. The embedded Mistake is the first.
type Error struct {
	Mistake
	// All are all of them, by line.
	All []Mistake
}

// Error gives the mistakes with their places, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.All))
	for i, m := range e.All {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// maxMistakes is how many mistakes are told at once.
const maxMistakes = 100

// mistaken makes an *Error of mistakes, nil of none.
func mistaken(all []Mistake) error {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	if more := len(all) - maxMistakes; more > 0 {
		last := all[maxMistakes-1]
		last.Message += fmt.Sprintf("; and %d more mistakes below", more)
		all = append(all[:maxMistakes-1:maxMistakes-1], last)
	}
	return &Error{Mistake: all[0], All: all}
}
