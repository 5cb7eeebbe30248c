package spec

import (
	"cmp"
	"slices"
	"strings"
)

// Near gives the candidates that name may be a mistake for, the nearest first, at most limit. Case, dashes, dots and
// underscores make no difference; a third of the letters may be wrong.
func Near(name string, candidates []string, limit int) []string {
	type found struct {
		name     string
		distance int
	}
	plain := plainName(name)
	allowed := max(1, len(plain)/3)
	var all []found
	for _, candidate := range candidates {
		other := plainName(candidate)
		if abs(len(other)-len(plain)) > allowed {
			continue
		}
		if d := distance(plain, other); d <= allowed {
			all = append(all, found{candidate, d})
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, f := range all[:min(limit, len(all))] {
		names = append(names, f.name)
	}
	return names
}

func plainName(name string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(name))
}

// distance is how many letters must be put in, left out, replaced or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

func abs(n int) int {
	return max(n, -n)
}
