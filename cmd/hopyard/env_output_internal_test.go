package main

import "testing"

// TestSizesAreWrittenAsInTheConsole has the table of ui/src/text/size.test.ts.
func TestSizesAreWrittenAsInTheConsole(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1.0 kB", 1024: "1.0 kB", 9940: "9.9 kB", 9960: "10 kB", 212e6: "212 MB",
		999_499_999: "999 MB", 999_500_000: "1.0 GB", 1.43e9: "1.4 GB", 2e18: "2000 PB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %q, want %q", bytes, got, want)
		}
	}
}
