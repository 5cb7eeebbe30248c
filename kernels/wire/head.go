package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Head reads the three strings of a header by which a message is routed. One that is absent or not a string is empty.
// It returns ErrMalformed if header is not the JSON of an object, as far as it looked: values that it does not need are
// skipped, not checked.
func Head(header []byte) (msgID, msgType, session string, err error) {
	h, err := scanHead(header)
	if err != nil {
		return "", "", "", err
	}
	return unquote(h.id), typeNamed(h.kind), unquote(h.session), nil
}

// IsType says whether a header's msg_type is msgType, which must be plain ASCII. It allocates nothing, and
// headers that do not hold the word at all, the most, cost next to nothing.
func IsType(header []byte, msgType string) bool {
	if !bytes.Contains(header, []byte(msgType)) && bytes.IndexByte(header, '\\') < 0 {
		return false
	}
	h, err := scanHead(header)
	if err != nil {
		return false
	}
	if bytes.IndexByte(h.kind, '\\') >= 0 {
		return unquote(h.kind) == msgType
	}
	return len(h.kind) == len(msgType)+2 && string(h.kind[1:len(h.kind)-1]) == msgType
}

// head is the raw JSON strings of a header, quotes included; nil if there is none.
type head struct{ id, kind, session []byte }

func scanHead(header []byte) (h head, err error) {
	s := scanner{b: header}
	if !s.take('{') {
		return h, s.malformed()
	}
	if s.take('}') {
		return h, s.end()
	}
	for {
		key := s.str()
		if key == nil || !s.take(':') {
			return h, s.malformed()
		}
		value := s.value()
		if value == nil {
			return h, s.malformed()
		}
		h.set(key, value)
		if s.take('}') {
			return h, s.end()
		}
		if !s.take(',') {
			return h, s.malformed()
		}
	}
}

func (h *head) set(key, value []byte) {
	if bytes.IndexByte(key, '\\') >= 0 {
		key = []byte(`"` + unquote(key) + `"`)
	}
	if value[0] != '"' {
		value = nil
	}
	switch string(key) {
	case `"msg_id"`:
		h.id = value
	case `"msg_type"`:
		h.kind = value
	case `"session"`:
		h.session = value
	}
}

// typeNamed is the string of a msg_type. The types that come by the thousand cost no allocation.
func typeNamed(token []byte) string {
	switch string(token) {
	case `"stream"`:
		return "stream"
	case `"status"`:
		return "status"
	case `"execute_input"`:
		return "execute_input"
	case `"execute_result"`:
		return "execute_result"
	case `"display_data"`:
		return "display_data"
	case `"comm_msg"`:
		return "comm_msg"
	}
	return unquote(token)
}

// unquote is the value of a JSON string, empty if it is none.
func unquote(token []byte) string {
	if len(token) < 2 {
		return ""
	}
	if bytes.IndexByte(token, '\\') < 0 {
		return string(token[1 : len(token)-1])
	}
	var s string
	if json.Unmarshal(token, &s) != nil {
		return ""
	}
	return s
}

// scanner walks JSON without checking what it need not understand.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) malformed() error {
	return fmt.Errorf("%w: header at byte %d", ErrMalformed, s.i)
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.space(); s.i < len(s.b) {
		return s.malformed()
	}
	return nil
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

// take consumes c, after white space, if it comes next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// str consumes a string and returns it with its quotes, nil if there is none.
func (s *scanner) str() []byte {
	if !s.take('"') {
		return nil
	}
	start := s.i - 1
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return s.b[start:s.i]
		}
		s.i++
	}
	return nil
}

// value consumes any value and returns its bytes, nil if there is none.
func (s *scanner) value() []byte {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == '"' {
		return s.str()
	}
	start, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if s.str() == nil {
				return nil
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return s.from(start)
			}
			if s.b[s.i] != ',' {
				depth--
			}
		}
		s.i++
	}
	return nil // an object ends with a brace, so a value never ends the input
}

// from is what was consumed since start, nil if that is nothing.
func (s *scanner) from(start int) []byte {
	if start == s.i {
		return nil
	}
	return s.b[start:s.i]
}
