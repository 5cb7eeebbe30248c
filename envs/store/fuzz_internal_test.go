package store

import (
	"bytes"
	"testing"
)

func FuzzInodes(f *testing.F) {
	f.Add(Inodes{{1, 2}, {3, 4096}}.encode())
	f.Add([]byte(inodesMagic))
	f.Add([]byte("other"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeInodes(b)
		if err == nil && !bytes.Equal(list.encode(), b) {
			t.Errorf("decode(%q) encodes differently", b)
		}
	})
}
