// Package json5 turns JSON5 into JSON.
//
// JupyterLab's users write their settings as JSON5 (https://spec.json5.org): JSON with comments, trailing commas, bare
// keys, single quotes and a few more ways to write numbers. The Go libraries for it are unkept or know only the comments
// and commas; a translation needs no values of its own, so that encoding/json stays the only decoder.
package json5

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on texts, which come from outside.
const (
	maxDepth  = 100 // nested arrays and objects
	maxNumber = 400 // bytes of one number; the longest sensible float64 has fewer
)

// SyntaxError tells where a text is not JSON5.
type SyntaxError struct {
	Line, Column int // from 1; columns in characters
	Message      string
}

// Error is a sentence for the person who wrote the text.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// ToJSON returns the JSON text of the same value: keys keep their order, comments and spaces are left out. Infinity and
// NaN have no JSON text and are errors, and so are numbers outside float64. Errors are of type *SyntaxError.
func ToJSON(text string) ([]byte, error) {
	p := &parser{text: text, out: make([]byte, 0, len(text))}
	err := p.document()
	if err != nil {
		return nil, p.locate(err)
	}
	return p.out, nil
}

type parser struct {
	text  string
	pos   int // next byte of text
	depth int
	out   []byte
}

func (p *parser) locate(err error) *SyntaxError {
	before := p.text[:min(p.pos, len(p.text))]
	line := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[line:]) + 1,
		Message: err.Error(),
	}
}

func (p *parser) document() error {
	if err := p.value(); err != nil {
		return err
	}
	switch c, err := p.skip(); {
	case err != nil:
		return err
	case c != end:
		return p.unexpected("the end of the text")
	}
	return nil
}

// end stands for the character after the last one.
const end = rune(-1)

// peek gives the next character without taking it.
func (p *parser) peek() rune {
	if p.pos >= len(p.text) {
		return end
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return r
}

// next takes one character. What is not UTF-8 is an error, because JSON could not carry it.
func (p *parser) next() (rune, error) {
	if p.pos >= len(p.text) {
		return 0, errors.New("the text ends too early")
	}
	r, size := utf8.DecodeRuneInString(p.text[p.pos:])
	if r == utf8.RuneError && size == 1 {
		return 0, errors.New("a byte that is not UTF-8")
	}
	p.pos += size
	return r, nil
}

func (p *parser) take(prefix string) bool {
	if strings.HasPrefix(p.text[p.pos:], prefix) {
		p.pos += len(prefix)
		return true
	}
	return false
}

func (p *parser) unexpected(wanted string) error {
	if p.pos >= len(p.text) {
		return fmt.Errorf("the text ends where %s should be", wanted)
	}
	return fmt.Errorf("%q where %s should be", p.peek(), wanted)
}

// skip passes white space and comments and gives the character after them.
func (p *parser) skip() (rune, error) {
	for {
		switch c := p.peek(); {
		case space(c):
			p.pos += utf8.RuneLen(c)
		case p.take("//"):
			for c := p.peek(); c != end && !lineEnd(c); c = p.peek() {
				if _, err := p.next(); err != nil {
					return 0, err
				}
			}
		case p.take("/*"):
			length := strings.Index(p.text[p.pos:], "*/")
			if length < 0 {
				return 0, errors.New("a comment that does not end")
			}
			p.pos += length + len("*/")
		default:
			return c, nil
		}
	}
}

func lineEnd(c rune) bool { return c == '\n' || c == '\r' || c == '\u2028' || c == '\u2029' }

func space(c rune) bool {
	switch c {
	case '\t', '\v', '\f', ' ', '\u00a0', '\ufeff', '\n', '\r', '\u2028', '\u2029':
		return true
	}
	return c > utf8.RuneSelf && unicode.Is(unicode.Zs, c)
}

func (p *parser) value() error {
	c, err := p.skip()
	switch {
	case err != nil:
		return err
	case c == '{':
		return p.list('}', p.member)
	case c == '[':
		return p.list(']', p.value)
	case c == '"' || c == '\'':
		return p.str()
	case c == '+' || c == '-' || c == '.' || digit(c):
		return p.number()
	}
	from := p.pos
	name, err := p.identifier()
	if err != nil {
		return p.unexpected("a value")
	}
	switch name {
	case "true", "false", "null":
		p.out = append(p.out, name...)
		return nil
	case "Infinity", "NaN":
		p.pos = from
		return fmt.Errorf("%s cannot be kept as a setting", name)
	}
	p.pos = from
	return fmt.Errorf("%s is no value; a text needs quotes", strconv.Quote(name))
}

// list translates an object or array: items with commas between them and perhaps after the last.
func (p *parser) list(closing rune, item func() error) error {
	if p.depth++; p.depth > maxDepth {
		return fmt.Errorf("more than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	p.out = append(p.out, p.text[p.pos])
	p.pos++
	for n := 0; ; n++ {
		c, err := p.skip()
		if err != nil {
			return err
		}
		if c == closing {
			p.pos++
			p.out = append(p.out, byte(closing))
			return nil
		}
		if n > 0 {
			p.out = append(p.out, ',')
		}
		if err := item(); err != nil {
			return err
		}
		switch c, err = p.skip(); {
		case err != nil:
			return err
		case c == ',':
			p.pos++
		case c != closing:
			return p.unexpected("a comma or " + strconv.QuoteRune(closing))
		}
	}
}

func (p *parser) member() error {
	if err := p.key(); err != nil {
		return err
	}
	if c, err := p.skip(); err != nil {
		return err
	} else if c != ':' {
		return p.unexpected("a colon")
	}
	p.pos++
	p.out = append(p.out, ':')
	return p.value()
}

func (p *parser) key() error {
	if c := p.peek(); c == '"' || c == '\'' {
		return p.str()
	}
	name, err := p.identifier()
	if err != nil {
		return err
	}
	p.out = append(p.out, '"')
	for _, c := range name {
		p.emit(c)
	}
	p.out = append(p.out, '"')
	return nil
}

// identifier takes an ECMAScript 5.1 IdentifierName; its characters may be written as \uXXXX.
func (p *parser) identifier() (string, error) {
	var name strings.Builder
	for {
		from := p.pos
		c := p.peek()
		if c == '\\' {
			p.pos++
			if !p.take("u") {
				return "", p.unexpected("u and four hex digits")
			}
			var err error
			if c, err = p.hex(4); err != nil {
				return "", err
			}
		} else if c != end {
			p.pos += utf8.RuneLen(c)
		}
		if !identifies(c, name.Len() > 0) {
			p.pos = from
			break
		}
		name.WriteRune(c)
	}
	if name.Len() == 0 {
		return "", p.unexpected("a name")
	}
	return name.String(), nil
}

func identifies(c rune, inside bool) bool {
	switch {
	case c == '$' || c == '_' || unicode.In(c, unicode.L, unicode.Nl):
		return true
	case c == utf8.RuneError:
		return false
	}
	return inside && (c == '\u200c' || c == '\u200d' || unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc))
}

func digit(c rune) bool { return '0' <= c && c <= '9' }

// number takes a number and writes it as JSON has it.
func (p *parser) number() error {
	negative := p.take("-")
	if !negative {
		p.take("+")
	}
	if p.take("Infinity") || p.take("NaN") {
		return errors.New("Infinity and NaN cannot be kept as a setting") //nolint:staticcheck // so they are called
	}
	var text string
	var err error
	if p.take("0x") || p.take("0X") {
		text, err = p.hexNumber()
	} else {
		text, err = p.decimal()
	}
	if err != nil {
		return err
	}
	if c := p.peek(); identifies(c, true) || c == '\\' {
		return p.unexpected("the end of the number")
	}
	if negative {
		p.out = append(p.out, '-')
	}
	p.out = append(p.out, text...)
	return nil
}

func (p *parser) hexNumber() (string, error) {
	digits := p.run(func(c byte) bool { return unhex(rune(c)) >= 0 })
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return "", errors.New("not a hexadecimal number of at most 16 digits")
	}
	return strconv.FormatUint(n, 10), nil
}

func (p *parser) decimal() (string, error) {
	isDigit := func(c byte) bool { return digit(rune(c)) }
	whole := p.run(isDigit)
	fraction := ""
	if p.take(".") {
		fraction = p.run(isDigit)
	}
	switch {
	case whole+fraction == "":
		return "", p.unexpected("a digit")
	case len(whole) > 1 && whole[0] == '0':
		return "", errors.New("a number with a leading zero")
	case len(whole)+len(fraction) > maxNumber:
		return "", errors.New("a number with too many digits")
	case whole == "":
		whole = "0"
	}
	text := whole
	if fraction != "" {
		text += "." + fraction
	}
	if p.take("e") || p.take("E") {
		sign := ""
		if p.take("-") {
			sign = "-"
		} else {
			p.take("+")
		}
		exponent := p.run(isDigit)
		if exponent == "" {
			return "", p.unexpected("an exponent")
		}
		return float(text + "e" + sign + exponent)
	}
	return text, nil
}

// float rewrites a number with an exponent as the float64 that it stands for: readers that calculate exactly would
// otherwise spend their memory on 1e-999999.
func float(text string) (string, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return "", errors.New("a number that is too large")
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

// run takes the bytes that belong.
func (p *parser) run(belongs func(byte) bool) string {
	from := p.pos
	for p.pos < len(p.text) && belongs(p.text[p.pos]) {
		p.pos++
	}
	return p.text[from:p.pos]
}

// str takes a string in either quotes.
func (p *parser) str() error {
	quote, err := p.next()
	if err != nil {
		return err
	}
	p.out = append(p.out, '"')
	for {
		c, err := p.next()
		switch {
		case err != nil:
			return err
		case c == quote:
			p.out = append(p.out, '"')
			return nil
		case c == '\n' || c == '\r':
			return errors.New("a string that does not end on its line")
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		default:
			p.emit(c)
		}
	}
}

// simple are the escapes of one letter.
var simple = map[rune]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

func (p *parser) escape() error {
	c, err := p.next()
	if err != nil {
		return err
	}
	switch {
	case c == '\r':
		p.take("\n")
	case lineEnd(c): // the string goes on in the next line
	case c == 'x':
		if c, err = p.hex(2); err != nil {
			return err
		}
		p.emit(c)
	case c == 'u':
		// Written as an escape again, because it may be one half of a surrogate pair.
		if c, err = p.hex(4); err != nil {
			return err
		}
		p.out = fmt.Appendf(p.out, `\u%04x`, c)
	case c == '0' && !digit(p.peek()):
		p.emit(0)
	case digit(c):
		return errors.New("an octal escape")
	case simple[c] != 0:
		p.emit(simple[c])
	default:
		p.emit(c)
	}
	return nil
}

// hex takes n hex digits.
func (p *parser) hex(n int) (rune, error) {
	var value rune
	for range n {
		d := unhex(p.peek())
		if d < 0 {
			return 0, p.unexpected("a hex digit")
		}
		value = value<<4 | d
		p.pos++
	}
	return value, nil
}

func unhex(c rune) rune {
	switch {
	case digit(c):
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return -1
}

// emit writes one character of a JSON string.
func (p *parser) emit(c rune) {
	switch {
	case c == '"' || c == '\\':
		p.out = append(p.out, '\\', byte(c))
	case c < ' ':
		p.out = fmt.Appendf(p.out, `\u%04x`, c)
	default:
		p.out = utf8.AppendRune(p.out, c)
	}
}
