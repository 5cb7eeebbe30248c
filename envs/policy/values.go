package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written "72h" or "3d". It is not negative.
type Duration struct{ time.Duration }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	value, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int64
		n, err = strconv.ParseInt(days, 10, 16)
		value = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || value < 0 {
		return fmt.Errorf("%q is no duration: write it like 72h or 3d", s)
	}
	d.Duration = value
	return nil
}

// MarshalText writes a duration, whole days as days.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string {
	if days := d.Duration / (24 * time.Hour); days > 0 && d.Duration%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	return d.Duration.String()
}

// Size is a number of bytes that is written as a number or as "20GB" (powers of 1000) or "20GiB" (of 1024). It is not negative.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), 1.0
	for _, u := range sizeUnits {
		if before, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(before), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n*unit >= math.MaxInt64 {
		return fmt.Errorf("%q is no size: write it like 20GB, 512MiB or as a number of bytes", text)
	}
	*s = Size(n * unit)
	return nil
}

// UnmarshalJSON reads a size that is a number or a text.
func (s *Size) UnmarshalJSON(text []byte) error {
	var word string
	if json.Unmarshal(text, &word) != nil {
		word = string(text)
	}
	return s.UnmarshalText([]byte(word))
}

// MarshalJSON writes a size as a number of bytes.
func (s Size) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(s), 10), nil }

func (s Size) String() string {
	for _, u := range []string{"TB", "GB", "MB", "kB"} {
		for _, unit := range sizeUnits {
			if unit.name == u && float64(s) >= unit.bytes {
				return strconv.FormatFloat(math.Round(float64(s)/unit.bytes*10)/10, 'f', -1, 64) + " " + u
			}
		}
	}
	return fmt.Sprintf("%d bytes", int64(s))
}
