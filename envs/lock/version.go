package lock

import (
	"cmp"
	"strings"
)

// CompareVersions orders two versions, of conda or of Python's index: negative where a is older than b, 0 where they are equal.
func CompareVersions(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) }
