// Package testscript writes the scripts that tests put in the place of programs.
package testscript

import (
	"os"
	"syscall"
	"testing"
)

// Write makes an executable file of a script. A program that another test of the process starts at that moment would have the file open
// for writing until it has become that program, and such a file cannot be run ("text file busy"): none is started meanwhile.
func Write(t testing.TB, path, script string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}
