package hopyard_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What ties a file to the machine that it was written on. Packages are had by name through each language's own client, which
// knows where from. Split, so that this file does not name them itself.
var forbidden = []struct{ what, word string }{
	{"a folder of somebody's machine", "/ro" + "ot/"},
	{"a folder of somebody's machine", "/wo" + "rk/main"},
	{"a folder of somebody's machine", "/ho" + "me/"},
	{"the address of a registry", "py" + "pi.org"},
	{"the address of a registry", "python" + "hosted.org"},
	{"the address of a registry", "npm" + "js."},
	{"the address of a registry", "proxy.go" + "lang.org"},
	{"the address of a registry", "\"reso" + "lved\": \"http"},
}

func TestCommittedFilesNameNoMachineAndNoRegistry(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(".git"); err != nil {
		t.Skip("not a git work tree, so what is committed is not known")
	}
	out, err := exec.CommandContext(t.Context(), "git", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil || bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			continue // deleted, a link to a folder, or no text
		}
		for _, f := range forbidden {
			if at := bytes.Index(text, []byte(f.word)); at >= 0 {
				t.Errorf("%s:%d names %s: %q", name, 1+bytes.Count(text[:at], []byte("\n")), f.what, f.word)
			}
		}
	}
}
