package apiclient

import (
	"bytes"
	"testing"
)

// FuzzRead feeds the parser what no gateway would send.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "data: x\n\n", "id: 1\nevent: log\ndata: a\ndata:b\n\n: ping\n\n", "data\n\n", ":\n\ndata: \xff\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := read(bytes.NewReader(text), func() {}, func(e Event) {
			if e.Data == nil {
				t.Error("an event without data is heard")
			}
		})
		if err == nil {
			t.Error("a stream ends without an error")
		}
	})
}
