package store

import (
	"bytes"
	"path/filepath"
	"strings"
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

func FuzzRecord(f *testing.F) {
	f.Add("a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\na-1.dist-info/RECORD,,\n")
	f.Add("../up,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\"a,b\",md5=x,\n")
	f.Add("\"")
	f.Fuzz(func(t *testing.T, text string) {
		files, _ := parseRecord(strings.NewReader(text))
		for _, file := range files {
			if !filepath.IsLocal(file.Path) || len(file.SHA256) != 64 {
				t.Errorf("parseRecord(%q) has %+v", text, file)
			}
		}
	})
}
