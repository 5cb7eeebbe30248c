package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/hopyard/hopyard/kernels/wire"
)

func line(content string) wire.Message {
	return wire.Message{Channel: wire.IOPub, Header: wire.NewHeader("id", "stream", "s", "u", time.Now()), Content: []byte(content)}
}

func TestTallyTellsLostDoubledAndDisordered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                            string
		numbers                         []int
		got, doubled, disordered, limit int
	}{
		{"all in order", []int{0, 1, 2, 3}, 4, 0, 0, 0},
		{"a hole", []int{0, 2, 3}, 3, 0, 0, 0},
		{"twice", []int{0, 1, 1, 2}, 3, 1, 0, 0},
		{"late", []int{0, 2, 1, 3}, 4, 0, 1, 0},
		{"beyond the flood", []int{0, 1, 1 << 20}, 2, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tally := newTally(4)
			for _, n := range c.numbers {
				tally.see(line(fmt.Sprintf(`{"name":"stdout","text":"%d  \n"}`, n)))
			}
			if tally.got != c.got || tally.doubled != c.doubled || tally.disordered != c.disordered || tally.limited != c.limit {
				t.Errorf("tally of %v = %+v, want %+v", c.numbers, *tally, c)
			}
			if lost := tally.lost(4); lost != 4-c.got {
				t.Errorf("lost(4) after %v = %d, want %d", c.numbers, lost, 4-c.got)
			}
		})
	}
}

func TestTallyLeavesOutWhatIsNoLine(t *testing.T) {
	t.Parallel()
	tally := newTally(4)
	status := line(`{"text":"1"}`)
	status.Header = wire.NewHeader("id", "status", "s", "u", time.Now())
	reply := line(`{"text":"1"}`)
	reply.Channel = wire.Shell
	tally.see(status)
	tally.see(reply)
	if tally.got != 0 || tally.limited != 0 {
		t.Errorf("tally = %+v, want nothing counted", *tally)
	}
}

func FuzzTallyNeverPanics(f *testing.F) {
	f.Add(`{"name":"stdout","text":"12 \n"}`)
	f.Add(`{"text": "99999999999999999999999"}`)
	f.Fuzz(func(_ *testing.T, content string) {
		newTally(4).see(line(content))
	})
}

func TestNumberKeepsThreeDigitsThatMeanSomething(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 3: "3", 0.1234: "0.123", 1.234: "1.23", 12.34: "12.3", 1234.5: "1234", -0.5: "-0.500"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestMedianIsTheMiddleSample(t *testing.T) {
	t.Parallel()
	s := samples{5, 1, 3}
	if got := s.at(0.5); got != 3 {
		t.Errorf("median of %v = %v, want 3", s, got)
	}
	if got := (samples{}).at(0.5); got != 0 {
		t.Errorf("median of nothing = %v, want 0", got)
	}
}
