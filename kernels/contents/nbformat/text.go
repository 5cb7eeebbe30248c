package nbformat

import (
	"bytes"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Reader reads what a string says, without ever holding all of it. Half a surrogate pair reads as U+FFFD. The Reader of
// any other value is empty.
func (v Value) Reader() io.Reader {
	if v.Kind() != String {
		return bytes.NewReader(nil)
	}
	if v.node().flags&flagEscape == 0 {
		return bytes.NewReader(v.raw())
	}
	return &reader{rest: v.raw()}
}

type reader struct {
	rest []byte // escaped
	held []byte // decoded and not yet read, part of buf
	buf  [utf8.UTFMax]byte
}

func (r *reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case len(r.held) > 0:
			c := copy(p[n:], r.held)
			r.held, n = r.held[c:], n+c
		case len(r.rest) == 0 && n == 0:
			return 0, io.EOF
		case len(r.rest) == 0:
			return n, nil
		case r.rest[0] == '\\':
			c, length := unescape(r.rest)
			r.held, r.rest = utf8.AppendRune(r.buf[:0], c), r.rest[length:]
		default:
			run := r.rest
			if i := bytes.IndexByte(run, '\\'); i >= 0 {
				run = run[:i]
			}
			c := copy(p[n:], run)
			r.rest, n = r.rest[c:], n+c
		}
	}
	return n, nil
}

var simple = [256]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape decodes the valid escape that b begins with, two of them for a surrogate pair. A lone surrogate comes back as itself, which is
// no valid rune.
func unescape(b []byte) (c rune, length int) {
	if b[1] != 'u' {
		return simple[b[1]], 2
	}
	c, _ = hex4(b[2:])
	if utf16.IsSurrogate(c) && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, ok := hex4(b[8:]); ok {
			if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return c, 6
}

// shorten writes an escaped string with as few escapes as Python and JavaScript write, so that the file does not depend on who sent it:
// \u00e9 becomes é and \/ becomes /. Halves of surrogate pairs stay escaped, as UTF-8 has no form for them.
func shorten(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(out, b...)
		}
		out, b = append(out, b[:i]...), b[i:]
		c, length := unescape(b)
		out, b = appendShort(out, c), b[length:]
	}
	return out
}

func appendShort(out []byte, c rune) []byte {
	const hex = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(out, '\\', byte(c))
	case c == '\b':
		return append(out, `\b`...)
	case c == '\f':
		return append(out, `\f`...)
	case c == '\n':
		return append(out, `\n`...)
	case c == '\r':
		return append(out, `\r`...)
	case c == '\t':
		return append(out, `\t`...)
	case c < ' ' || utf16.IsSurrogate(c):
		return append(out, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
	}
	return utf8.AppendRune(out, c)
}

// hasWideEnd reports whether b holds one of the ends of a line that are not ASCII. Most text has none, and is then split much faster.
func hasWideEnd(b []byte) bool {
	for _, end := range []string{"\u0085", "\u2028", "\u2029"} {
		if bytes.Contains(b, []byte(end)) {
			return true
		}
	}
	return false
}

// line gives the length of the first line of an escaped string in its short form, with its end. Lines end where Python's
// str.splitlines ends them, since nbformat splits with it. Wide tells whether b has ends that are not ASCII.
func line(b []byte, wide bool) int {
	for i := 0; i < len(b); {
		if !wide {
			n := bytes.IndexByte(b[i:], '\\')
			if n < 0 {
				break
			}
			i += n
		}
		switch b[i] {
		case '\\':
			end, length := lineEnd(b[i:])
			i += length
			if end {
				return i
			}
		case 0xc2: // U+0085
			if b[i+1] == 0x85 {
				return i + 2
			}
			i += 2
		case 0xe2: // U+2028, U+2029
			if b[i+1] == 0x80 && (b[i+2] == 0xa8 || b[i+2] == 0xa9) {
				return i + 3
			}
			i += 3
		default:
			i++
		}
	}
	return len(b)
}

// lineEnd tells whether the escape that b begins with ends a line, and how long it is.
func lineEnd(b []byte) (end bool, length int) {
	switch b[1] {
	case 'n', 'f':
		return true, 2
	case 'r':
		if len(b) >= 4 && b[2] == '\\' && b[3] == 'n' {
			return true, 4
		}
		return true, 2
	case 'u':
		c, _ := hex4(b[2:])
		return c == 0x0b || 0x1c <= c && c <= 0x1e, 6
	}
	return false, 2
}

// AppendEscaped appends text to a JSON string that is being written: quotes, backslashes and control characters are
// escaped, everything else is copied. Text may be cut anywhere, also within a character.
func AppendEscaped(out, text []byte) []byte {
	for len(text) > 0 {
		n, _ := plain(text)
		out, text = append(out, text[:n]...), text[n:]
		if len(text) > 0 {
			out, text = appendShort(out, rune(text[0])), text[1:]
		}
	}
	return out
}
