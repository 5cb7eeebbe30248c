package lock

import (
	"cmp"
	"strconv"
	"strings"
)

// CompareVersions orders two versions, of conda or of a Python package index: negative where a is older than b, 0 where they
// are equal, positive where a is newer. It takes any text.
//
// It is conda's order (conda.models.version), which is PEP 440's but for corners; the long words of PEP 440 (alpha, beta,
// preview) are taken for the short ones. Parts between dots are compared one by one, in runs of digits and of letters:
// "dev" < other letters < the end or a number < "post".
func CompareVersions(a, b string) int {
	x, y := parseVersion(a), parseVersion(b)
	return cmp.Or(compareRuns([]run{x.epoch}, []run{y.epoch}), compareParts(x.parts, y.parts), compareLocal(x.local, y.local))
}

type version struct {
	epoch        run
	parts, local [][]run
}

// run is a run of digits or of letters. Order first: dev, letters, numbers, post.
type run struct {
	rank int
	text string // a number without leading zeros, so that the longer one is the larger
}

const (
	rankDev = iota
	rankLetters
	rankNumber
	rankPost
)

var (
	zero      = run{rankNumber, ""}
	shortWord = map[string]string{"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc"}
)

func parseVersion(text string) version {
	text = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "v")
	v := version{epoch: zero}
	if epoch, rest, ok := strings.Cut(text, "!"); ok && isNumber(epoch) {
		v.epoch, text = numberRun(epoch), rest
	}
	main, local, _ := strings.Cut(text, "+")
	v.parts, v.local = splitParts(main), splitParts(local)
	return v
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 32)
	return err == nil
}

func splitParts(text string) [][]run {
	var parts [][]run
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '.' || r == '_' || r == '-' }) {
		runs := splitRuns(part)
		if runs[0].rank != rankNumber {
			runs = append([]run{zero}, runs...) // "1.rc1" is "1.0rc1"
		}
		parts = append(parts, runs)
	}
	return parts
}

// splitRuns splits a part, which is not empty.
func splitRuns(part string) []run {
	var runs []run
	for part != "" {
		digits := isDigit(part[0])
		end := 1
		for end < len(part) && isDigit(part[end]) == digits {
			end++
		}
		if digits {
			runs = append(runs, numberRun(part[:end]))
		} else {
			runs = append(runs, wordRun(part[:end]))
		}
		part = part[end:]
	}
	return runs
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func numberRun(digits string) run { return run{rankNumber, strings.TrimLeft(digits, "0")} }

func wordRun(word string) run {
	if short, ok := shortWord[word]; ok {
		word = short
	}
	switch word {
	case "dev":
		return run{rankDev, ""}
	case "post":
		return run{rankPost, ""}
	}
	return run{rankLetters, word}
}

func compareParts(a, b [][]run) int {
	for i := range max(len(a), len(b)) {
		if c := compareRuns(at(a, i, []run{zero}), at(b, i, []run{zero})); c != 0 {
			return c
		}
	}
	return 0
}

// compareLocal compares what follows a "+": without one a version is older than with any.
func compareLocal(a, b [][]run) int {
	return cmp.Or(cmp.Compare(min(len(a), 1), min(len(b), 1)), compareParts(a, b))
}

func compareRuns(a, b []run) int {
	for i := range max(len(a), len(b)) {
		if c := at(a, i, zero).compare(at(b, i, zero)); c != 0 {
			return c
		}
	}
	return 0
}

func (r run) compare(other run) int {
	if c := cmp.Compare(r.rank, other.rank); c != 0 {
		return c
	}
	if r.rank == rankNumber {
		return cmp.Or(cmp.Compare(len(r.text), len(other.text)), cmp.Compare(r.text, other.text))
	}
	return cmp.Compare(r.text, other.text)
}

// at is list[i], or what stands for what is missing.
func at[T any](list []T, i int, missing T) T {
	if i < len(list) {
		return list[i]
	}
	return missing
}
