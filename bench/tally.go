package main

import (
	"bytes"

	"github.com/hopyard/hopyard/kernels/wire"
)

// tally counts the numbered messages of a flood: what came, what came twice, and what came before its turn.
type tally struct {
	seen       []uint64 // a bit for each number
	got        int      // different numbers
	doubled    int
	disordered int
	last       int
	limited    int // messages of a server's limiter
}

func newTally(n int) *tally { return &tally{seen: make([]uint64, n/64+1), last: -1} }

// see takes note of a message, if it is one of the flood.
func (t *tally) see(m wire.Message) {
	if m.Channel != wire.IOPub || !wire.IsType(m.Header, "stream") {
		return
	}
	n, ok := lineNumber(m.Content)
	if !ok || n/64 >= len(t.seen) {
		t.limited++
		return
	}
	switch bit := uint64(1) << (n % 64); {
	case t.seen[n/64]&bit != 0:
		t.doubled++
	default:
		t.seen[n/64] |= bit
		t.got++
		if n < t.last {
			t.disordered++
		}
	}
	t.last = max(t.last, n)
}

// lost is how many of the first n numbers have not come.
func (t *tally) lost(n int) int { return n - t.got }

// lineNumber reads the number that the text of a stream message begins with.
func lineNumber(content []byte) (n int, ok bool) {
	_, text, found := bytes.Cut(content, []byte(`"text":`))
	if !found {
		return 0, false
	}
	text = bytes.TrimLeft(text, ` "`)
	for len(text) > 0 && text[0] >= '0' && text[0] <= '9' && n < 1<<32 {
		n, text, ok = n*10+int(text[0]-'0'), text[1:], true
	}
	return n, ok
}
