package nbformat

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// Save writes nb to w in the form that nbformat writes to disk, byte for byte but for numbers, which keep their spelling.
// Errors are those of w.
func Save(w io.Writer, nb Value) error { return SaveNoted(w, nb, Value{}) }

// SaveNoted is Save with the members of the object note in the notebook's metadata, in place of those of the same names.
func SaveNoted(w io.Writer, nb, note Value) error {
	p := printer{w: w, save: true, buf: make([]byte, 0, flushAt+4096), note: note}
	if note.Kind() == Object {
		p.noted = nb.Get("metadata")
	}
	p.value(nb, rootRule(nb), 0)
	p.buf = append(p.buf, '\n')
	p.flush()
	return p.err
}

// Load gives nb in the form that clients expect. Each code cell of nbformat 4 is marked as trusted or not; the marks that nb
// itself bears count for nothing.
func Load(nb Value, trusted bool) []byte {
	p := printer{trusted: trusted, buf: make([]byte, 0, len(nb.raw())+len(nb.raw())/64+64)}
	p.value(nb, rootRule(nb), 0)
	return p.buf
}

// flushAt is how much a printer gathers before it writes.
const flushAt = 256 << 10

// printer prints values either for the disk (save: split, sorted, indented) or for the wire (joined, in order, compact).
type printer struct {
	w       io.Writer // nil: everything stays in buf
	err     error
	buf     []byte
	members []member // a stack, so that sorting does not allocate for each object
	noted   Value    // the object that gets the members of note
	note    Value
	save    bool
	trusted bool
}

type member struct{ key, value Value }

func (p *printer) flush() {
	if p.w == nil || p.err != nil {
		return
	}
	_, p.err = p.w.Write(p.buf)
	p.buf = p.buf[:0]
}

// value prints v at the given level of indentation.
func (p *printer) value(v Value, r rule, level int) {
	if len(p.buf) > flushAt {
		p.flush()
	}
	switch v.Kind() {
	case Object:
		p.object(v, r, level)
	case Array:
		if !p.save && r == lines && allStrings(v) {
			p.join(v)
			return
		}
		p.array(v, r, level)
	case String:
		if p.save && r == lines {
			p.split(v, level)
			return
		}
		p.text(v)
	case NaN: // Python's invention; browsers cannot read it
		p.buf = append(p.buf, "null"...)
	default:
		p.buf = append(p.buf, v.raw()...)
	}
}

func (p *printer) object(v Value, r rule, level int) {
	base := len(p.members)
	for key, value := range v.Members() {
		if r.member(key) != drop {
			p.members = append(p.members, member{key, value})
		}
	}
	if p.noted.doc != nil && v == p.noted {
		for key, value := range p.note.Members() {
			p.members = append(p.members, member{key, value}) // the last one of a name wins
		}
	}
	if p.save {
		p.members = append(p.members[:base], sorted(p.members[base:])...)
	}
	p.buf = append(p.buf, '{')
	for i := base; i < len(p.members); i++ {
		m := p.members[i] // the stack may move below
		p.separate(i > base, level+1)
		p.text(m.key)
		p.buf = append(p.buf, ':')
		if p.save {
			p.buf = append(p.buf, ' ')
		}
		p.value(m.value, p.memberRule(r, m.key, v), level+1)
	}
	if r == codeMeta && !p.save {
		p.separate(len(p.members) > base, level+1)
		p.buf = append(p.buf, `"trusted":`...)
		p.buf = append(p.buf, map[bool]string{false: "false", true: "true"}[p.trusted]...)
	}
	p.close('}', len(p.members) > base, level)
	p.members = p.members[:base]
}

// memberRule is rule.member with what differs between the two ways: more is joined than is split.
func (p *printer) memberRule(r rule, key, parent Value) rule {
	m := r.member(key)
	if !p.save || m != lines {
		return m
	}
	if r == bundle && !isText(key.Text()) || r == plainOutput && !parent.Get("output_type").is("stream") {
		return other
	}
	return lines
}

// sorted orders members by key, as code points, and keeps the last one of equal keys.
func sorted(m []member) []member {
	order := func(a, b member) int { return compare(a.key, b.key) }
	if !slices.IsSortedFunc(m, order) {
		slices.SortStableFunc(m, order)
	}
	n := 0
	for i := range m {
		if i+1 < len(m) && order(m[i], m[i+1]) == 0 {
			continue
		}
		m[n] = m[i]
		n++
	}
	return m[:n]
}

func compare(a, b Value) int {
	if (a.node().flags|b.node().flags)&flagEscape == 0 {
		return bytes.Compare(a.raw(), b.raw())
	}
	return strings.Compare(a.Text(), b.Text())
}

func (p *printer) array(v Value, r rule, level int) {
	p.buf = append(p.buf, '[')
	more := false
	for item := range v.Items() {
		p.separate(more, level+1)
		p.value(item, r.element(item), level+1)
		more = true
	}
	p.close(']', more, level)
}

// separate goes on to the next child of a container.
func (p *printer) separate(more bool, level int) {
	if more {
		p.buf = append(p.buf, ',')
	}
	p.newline(level)
}

func (p *printer) close(with byte, filled bool, level int) {
	if filled {
		p.newline(level)
	}
	p.buf = append(p.buf, with)
}

func (p *printer) newline(level int) {
	if !p.save {
		return
	}
	p.buf = append(p.buf, margin[:min(level+1, len(margin))]...)
	for n := len(margin); n < level+1; n++ {
		p.buf = append(p.buf, ' ')
	}
}

// margin begins a line: as deep as notebooks commonly go.
const margin = "\n                               "

// body gives a string's escaped bytes as they are to be printed.
func (p *printer) body(v Value) []byte {
	if p.save && v.node().flags&flagUnicode != 0 {
		return shorten(v.raw())
	}
	return v.raw()
}

func (p *printer) text(v Value) { p.quoted(p.body(v)) }

func (p *printer) quoted(b []byte) {
	p.buf = append(p.buf, '"')
	if p.w != nil && len(b) > flushAt { // an image or the like: not through the buffer
		if p.flush(); p.err == nil {
			_, p.err = p.w.Write(b)
		}
	} else {
		p.buf = append(p.buf, b...)
	}
	p.buf = append(p.buf, '"')
}

// split prints a string as the list of its lines.
func (p *printer) split(v Value, level int) {
	b, flags := p.body(v), v.node().flags
	high := flags&(flagHigh|flagUnicode) != 0 && hasWideEnd(b)
	p.buf = append(p.buf, '[')
	more := false
	for len(b) > 0 {
		n := len(b)
		if high || flags&flagEscape != 0 {
			n = line(b, high)
		}
		p.separate(more, level+1)
		p.quoted(b[:n])
		b, more = b[n:], true
		if len(p.buf) > flushAt {
			p.flush()
		}
	}
	p.close(']', more, level)
}

// join prints a list of strings as one string.
func (p *printer) join(v Value) {
	p.buf = append(p.buf, '"')
	for item := range v.Items() {
		p.buf = append(p.buf, item.raw()...)
	}
	p.buf = append(p.buf, '"')
}

func allStrings(v Value) bool {
	for item := range v.Items() {
		if item.Kind() != String {
			return false
		}
	}
	return true
}
