package spec

import (
	"regexp"
	"slices"
	"strings"
)

var (
	markerToken     = regexp.MustCompile(`^(?:\(|\)|===|==|~=|!=|<=|>=|<|>|'[^']*'|"[^"]*"|[A-Za-z_][A-Za-z0-9_.]*)`)
	markerVariables = []string{
		"python_version", "python_full_version", "os_name", "sys_platform", "platform_release", "platform_system",
		"platform_version", "platform_machine", "platform_python_implementation", "implementation_name", "implementation_version", "extra",
		"os.name", "sys.platform", "platform.version", "platform.machine", "platform.python_implementation", "python_implementation",
	}
	markerOperators = []string{"===", "==", "~=", "!=", "<=", ">=", "<", ">", "in", "not"}
)

// marker reads an environment marker (PEP 508): comparisons with "and", "or" and parentheses.
type marker struct {
	text   string
	offset int
	token  string
	depth  int
	wrong  *problem
}

// checkMarker tells what is wrong with a marker that stands at an offset of its line; nil if nothing is.
func checkMarker(text string, offset int) *problem {
	m := &marker{text: text, offset: offset}
	m.next()
	m.expression()
	if m.wrong == nil && m.token != "" {
		m.fail("%q is one word too many in the condition behind ;", m.token)
	}
	return m.wrong
}

func (m *marker) fail(format string, args ...any) {
	if m.wrong == nil {
		m.wrong = problemf(m.offset, format, args...)
	}
	m.token, m.text = "", ""
}

func (m *marker) next() {
	m.offset += len(m.token)
	trimmed := strings.TrimLeft(m.text, " \t")
	m.offset += len(m.text) - len(trimmed)
	m.token = markerToken.FindString(trimmed)
	if m.token == "" && trimmed != "" {
		m.fail("%q may not stand in the condition behind ;", trimmed[:1])
		return
	}
	m.text = trimmed[len(m.token):]
}

func (m *marker) expression() {
	for m.comparison(); m.token == "and" || m.token == "or"; m.comparison() {
		m.next()
	}
}

func (m *marker) comparison() {
	if m.token != "(" {
		m.value()
		m.operator()
		m.value()
		return
	}
	if m.depth++; m.depth > 20 {
		m.fail("the condition behind ; has too many parentheses")
		return
	}
	m.next()
	m.expression()
	m.depth--
	if m.token != ")" {
		m.fail("a ) is missing in the condition behind ;")
		return
	}
	m.next()
}

func (m *marker) value() {
	quoted := strings.HasPrefix(m.token, "'") || strings.HasPrefix(m.token, `"`)
	switch {
	case m.wrong != nil:
	case m.token == "":
		m.fail("the condition behind ; is not complete: write it like python_version < \"3.12\"")
	case !quoted && !slices.Contains(markerVariables, m.token):
		hint := ""
		if near := Near(m.token, markerVariables, 1); len(near) > 0 {
			hint = "; did you mean " + near[0] + "?"
		}
		m.fail("%q is no variable of conditions, and texts are in quotes%s", m.token, hint)
	default:
		m.next()
	}
}

func (m *marker) operator() {
	if m.wrong == nil && !slices.Contains(markerOperators, m.token) {
		m.fail("a comparison such as == is missing in the condition behind ;")
		return
	}
	if m.token == "not" {
		m.next()
		if m.wrong == nil && m.token != "in" {
			m.fail("\"not\" must be followed by \"in\" in the condition behind ;")
			return
		}
	}
	if m.wrong == nil {
		m.next()
	}
}
