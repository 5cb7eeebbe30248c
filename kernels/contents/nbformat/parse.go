// Package nbformat reads and writes notebooks as Jupyter's nbformat 4 does, working on bytes instead of decoded values: a
// notebook of ten megabytes is parsed once into a flat list of positions and printed from there.
//
// On disk a notebook is indented by one blank, its keys are sorted and its multi-line texts are lists of lines, so that
// version control shows small differences. On the wire texts are whole strings. Save goes the one way and Load the other; what
// neither of them knows passes through unchanged.
package nbformat

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Kind is what sort of JSON value a Value is.
type Kind uint8

// The kinds. Absent is that of the zero Value.
const (
	Absent Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
	// NaN stands for the NaN and Infinity that Python writes although JSON has none.
	NaN
)

const (
	flagEscape  = 1 << iota // the string holds a backslash
	flagUnicode             // … one that may not be in the shortest form: \u or \/
	flagHigh                // the string may hold bytes outside ASCII
)

// node is one value of the document. The nodes of a value's descendants follow it; next is the index after the last of
// them. An object's children are its keys and values in turn. A string's start and end exclude the quotes.
type node struct {
	start, end, next uint32
	kind             Kind
	flags            uint8
}

type document struct {
	src   []byte
	nodes []node
}

// Value is one value in a parsed document. It is a view: the bytes given to Parse must not change while it is used.
// Values are safe for concurrent use.
type Value struct {
	doc *document
	at  uint32
}

// SyntaxError says where and why a text is not JSON.
type SyntaxError struct {
	Offset int // in bytes
	What   string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.What, e.Offset) }

// maxDepth bounds the nesting, and with it the stack, as Python's reader does.
const maxDepth = 1000

var bom = []byte("\xef\xbb\xbf")

// Parse reads one JSON text in UTF-8. It returns a *SyntaxError if src is anything else.
func Parse(src []byte) (Value, error) {
	src = bytes.TrimPrefix(src, bom)
	if uint64(len(src)) > 1<<32-1 {
		return Value{}, &SyntaxError{len(src), "text too long"}
	}
	if !utf8.Valid(src) {
		return Value{}, &SyntaxError{0, "text that is not UTF-8"}
	}
	p := parser{document: &document{src: src}}
	end, err := p.value(p.blank(0), 0)
	if err != nil {
		return Value{}, err
	}
	if end = p.blank(end); end != len(src) {
		return Value{}, p.fault(end, "something after the end")
	}
	return Value{doc: p.document}, nil
}

type parser struct{ *document }

func (p *parser) fault(i int, what string) error { return &SyntaxError{i, what} }

func (p *parser) blank(i int) int {
	for i < len(p.src) && (p.src[i] == ' ' || p.src[i] == '\n' || p.src[i] == '\r' || p.src[i] == '\t') {
		i++
	}
	return i
}

// value reads the value at i and returns the position after it.
func (p *parser) value(i, depth int) (int, error) {
	if depth > maxDepth {
		return 0, p.fault(i, "too many levels")
	}
	if i >= len(p.src) {
		return 0, p.fault(i, "an early end")
	}
	switch c := p.src[i]; {
	case c == '{':
		return p.object(i, depth)
	case c == '[':
		return p.array(i, depth)
	case c == '"':
		return p.text(i)
	case c == '-' || '0' <= c && c <= '9':
		return p.number(i)
	}
	for _, w := range words {
		if bytes.HasPrefix(p.src[i:], w.text) {
			return p.leaf(w.kind, i, i+len(w.text), 0), nil
		}
	}
	return 0, p.fault(i, "no JSON value")
}

var words = []struct {
	text []byte
	kind Kind
}{
	{[]byte("true"), Bool},
	{[]byte("false"), Bool},
	{[]byte("null"), Null},
	{[]byte("NaN"), NaN},
	{[]byte("Infinity"), NaN},
}

func (p *parser) leaf(k Kind, start, end int, flags uint8) int {
	p.nodes = append(p.nodes, node{uint32(start), uint32(end), uint32(len(p.nodes) + 1), k, flags})
	return end
}

// open adds the node of a container whose end is not known yet; shut completes it.
func (p *parser) open(k Kind, i int) int {
	p.nodes = append(p.nodes, node{start: uint32(i), kind: k})
	return len(p.nodes) - 1
}

func (p *parser) shut(n, end int) int {
	p.nodes[n].end, p.nodes[n].next = uint32(end), uint32(len(p.nodes))
	return end
}

func (p *parser) object(i, depth int) (int, error) {
	n := p.open(Object, i)
	i = p.blank(i + 1)
	if i < len(p.src) && p.src[i] == '}' {
		return p.shut(n, i+1), nil
	}
	for {
		if i >= len(p.src) || p.src[i] != '"' {
			return 0, p.fault(i, "no key")
		}
		end, err := p.text(i)
		if err != nil {
			return 0, err
		}
		if i = p.blank(end); i >= len(p.src) || p.src[i] != ':' {
			return 0, p.fault(i, "no colon")
		}
		if i, err = p.value(p.blank(i+1), depth+1); err != nil {
			return 0, err
		}
		i = p.blank(i)
		switch {
		case i < len(p.src) && p.src[i] == ',':
			i = p.blank(i + 1)
		case i < len(p.src) && p.src[i] == '}':
			return p.shut(n, i+1), nil
		default:
			return 0, p.fault(i, "no comma")
		}
	}
}

func (p *parser) array(i, depth int) (int, error) {
	n := p.open(Array, i)
	i = p.blank(i + 1)
	if i < len(p.src) && p.src[i] == ']' {
		return p.shut(n, i+1), nil
	}
	for {
		var err error
		if i, err = p.value(i, depth+1); err != nil {
			return 0, err
		}
		i = p.blank(i)
		switch {
		case i < len(p.src) && p.src[i] == ',':
			i = p.blank(i + 1)
		case i < len(p.src) && p.src[i] == ']':
			return p.shut(n, i+1), nil
		default:
			return 0, p.fault(i, "no comma")
		}
	}
}

// text reads the string whose opening quote is at i.
func (p *parser) text(i int) (int, error) {
	start, flags := i+1, uint8(0)
	for i = start; ; {
		n, high := plain(p.src[i:])
		i += n
		if high {
			flags |= flagHigh
		}
		switch {
		case i >= len(p.src):
			return 0, p.fault(start-1, "a string without end")
		case p.src[i] == '"':
			p.leaf(String, start, i, flags)
			return i + 1, nil
		case p.src[i] != '\\':
			return 0, p.fault(i, "a control character")
		}
		length, unusual := escape(p.src[i:])
		if length == 0 {
			return 0, p.fault(i, "no such escape")
		}
		i += length
		flags |= flagEscape
		if unusual {
			flags |= flagUnicode
		}
	}
}

// escape gives the length of the escape that b begins with, 0 if it is none. Unusual ones are those that may have a shorter form.
func escape(b []byte) (length int, unusual bool) {
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2, false
	case '/':
		return 2, true
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6, true
		}
	}
	return 0, false
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n := rune(0)
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | rune(c)
	}
	return n, true
}

// plain counts the bytes before the first quote, backslash or control character, eight at a time: a notebook's bulk is a few
// long strings. It also tells whether it may have seen bytes outside ASCII.
func plain(b []byte) (n int, high bool) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	seen := uint64(0)
	for ; len(b)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		stop := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*' ')&^x) & tops
		seen |= x & tops
		if stop != 0 {
			return n + bits.TrailingZeros64(stop)/8, seen != 0
		}
	}
	for ; n < len(b) && b[n] != '"' && b[n] != '\\' && b[n] >= ' '; n++ {
		seen |= uint64(b[n]) & tops
	}
	return n, seen != 0
}

// number reads the number at i: RFC 8259, section 6.
func (p *parser) number(i int) (int, error) {
	start := i
	digits := func() bool {
		from := i
		for i < len(p.src) && '0' <= p.src[i] && p.src[i] <= '9' {
			i++
		}
		return i > from
	}
	is := func(set string) bool { return i < len(p.src) && bytes.IndexByte([]byte(set), p.src[i]) >= 0 }
	if is("-") {
		i++
		if bytes.HasPrefix(p.src[i:], []byte("Infinity")) {
			return p.leaf(NaN, start, i+8, 0), nil
		}
	}
	if is("0") {
		i++
	} else if !digits() {
		return 0, p.fault(i, "no digit")
	}
	if is(".") {
		if i++; !digits() {
			return 0, p.fault(i, "no digit")
		}
	}
	if is("eE") {
		if i++; is("+-") {
			i++
		}
		if !digits() {
			return 0, p.fault(i, "no digit")
		}
	}
	return p.leaf(Number, start, i, 0), nil
}

func (v Value) node() *node { return &v.doc.nodes[v.at] }

// Kind tells what sort of value v is.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return Absent
	}
	return v.node().kind
}

// raw gives the bytes of v; those of a string without its quotes.
func (v Value) raw() []byte { n := v.node(); return v.doc.src[n.start:n.end] }

// Get gives the member of an object, the last one where a key comes twice. It is absent in everything else.
func (v Value) Get(key string) (found Value) {
	for k, member := range v.Members() {
		if k.is(key) {
			found = member
		}
	}
	return found
}

// Items yields the elements of an array, and nothing of any other value.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		for i := v.at + 1; i < v.node().next; i = v.doc.nodes[i].next {
			if !yield(Value{v.doc, i}) {
				return
			}
		}
	}
}

// Members yields the keys and values of an object in their order, and nothing of any other value.
func (v Value) Members() iter.Seq2[Value, Value] {
	return func(yield func(key, value Value) bool) {
		if v.Kind() != Object {
			return
		}
		for i := v.at + 1; i < v.node().next; {
			member := Value{v.doc, v.doc.nodes[i].next}
			if !yield(Value{v.doc, i}, member) {
				return
			}
			i = member.node().next
		}
	}
}

// is reports whether v is the string s.
func (v Value) is(s string) bool {
	if v.Kind() != String {
		return false
	}
	if v.node().flags&flagEscape == 0 {
		return string(v.raw()) == s
	}
	return v.Text() == s
}

// Text gives what a string says, and "" for every other value.
func (v Value) Text() string {
	if v.Kind() != String {
		return ""
	}
	if v.node().flags&flagEscape == 0 {
		return string(v.raw())
	}
	text, _ := io.ReadAll(v.Reader())
	return string(text)
}

// Int gives a whole number; ok is false for everything else.
func (v Value) Int() (n int, ok bool) {
	if v.Kind() != Number {
		return 0, false
	}
	n, err := strconv.Atoi(string(v.raw()))
	return n, err == nil
}

// True reports whether v is the literal true.
func (v Value) True() bool { return v.Kind() == Bool && v.raw()[0] == 't' }
