package policy

import (
	"regexp"
	"slices"
	"strings"
)

// maxLicense is how long a licence is looked at as an expression; longer ones are somebody's full text.
const maxLicense = 2000

var (
	licenseToken = regexp.MustCompile(`\(|\)|[^\s()]+`)
	licenseID    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:+-]*$`)
	licenseWord  = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9.+-]*`)
)

// deniedLicense gives the first pattern that refuses a licence; empty if none does. Of alternatives joined by OR one must be
// left, of parts joined by AND none may be refused. A licence that is no SPDX expression is refused if one of its words is.
func deniedLicense(license string, patterns []string) string {
	if len(patterns) == 0 || strings.TrimSpace(license) == "" {
		return ""
	}
	e := &expression{tokens: licenseToken.FindAllString(license[:min(len(license), maxLicense)], -1), patterns: patterns}
	denied := e.or()
	if !e.wrong && len(e.tokens) == 0 && len(license) <= maxLicense {
		return denied
	}
	words := append(licenseWord.FindAllString(license, -1), license)
	for _, pattern := range patterns {
		if slices.ContainsFunc(words, func(word string) bool { return matchLicense(pattern, word) }) {
			return pattern
		}
	}
	return ""
}

// expression evaluates an SPDX license expression (SPDX 2.3, annex D) while it reads it: the value of each part is the pattern
// that refuses it. AND binds tighter than OR.
type expression struct {
	tokens   []string
	patterns []string
	depth    int
	wrong    bool
}

func (e *expression) take(word string) bool {
	if len(e.tokens) > 0 && strings.EqualFold(e.tokens[0], word) {
		e.tokens = e.tokens[1:]
		return true
	}
	return false
}

func (e *expression) or() string {
	denied := e.and()
	for e.take("OR") {
		if other := e.and(); other == "" {
			denied = ""
		}
	}
	return denied
}

func (e *expression) and() string {
	denied := e.license()
	for e.take("AND") {
		if other := e.license(); denied == "" {
			denied = other
		}
	}
	return denied
}

func (e *expression) license() string {
	if e.take("(") {
		if e.depth++; e.depth > 50 {
			e.wrong = true
			return ""
		}
		denied := e.or()
		e.depth--
		e.wrong = !e.take(")") || e.wrong
		return denied
	}
	if len(e.tokens) == 0 || !licenseID.MatchString(e.tokens[0]) || isOperator(e.tokens[0]) {
		e.wrong = true
		return ""
	}
	names := []string{e.tokens[0]}
	e.tokens = e.tokens[1:]
	if e.take("WITH") {
		if len(e.tokens) == 0 || !licenseID.MatchString(e.tokens[0]) || isOperator(e.tokens[0]) {
			e.wrong = true
			return ""
		}
		// An exception gives more rights, but whether they suffice is not for us to say: both forms count.
		names = append(names, names[0]+" WITH "+e.tokens[0])
		e.tokens = e.tokens[1:]
	}
	for _, pattern := range e.patterns {
		if slices.ContainsFunc(names, func(name string) bool { return matchLicense(pattern, name) }) {
			return pattern
		}
	}
	return ""
}

func isOperator(word string) bool {
	return strings.EqualFold(word, "AND") || strings.EqualFold(word, "OR") || strings.EqualFold(word, "WITH")
}

func matchLicense(pattern, license string) bool {
	return glob(strings.ToLower(pattern), strings.ToLower(license)) || glob(presentID(pattern), presentID(license))
}

var gnuID = regexp.MustCompile(`^((?:agpl|gpl|lgpl|gfdl)-\d(?:\.\d)?)(\+?)$`)

// presentID gives the present form of GNU's deprecated identifiers: "GPL-3.0" is "GPL-3.0-only", "GPL-3.0+" "GPL-3.0-or-later".
func presentID(id string) string {
	id = strings.ToLower(id)
	found := gnuID.FindStringSubmatch(id)
	switch {
	case found == nil:
		return id
	case found[2] == "+":
		return found[1] + "-or-later"
	}
	return found[1] + "-only"
}

// glob matches a whole text; * stands for any number of characters and ? for one.
func glob(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
