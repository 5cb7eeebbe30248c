package tools

import (
	"fmt"
	"time"

	"github.com/hopyard/hopyard/internal/wheels"
)

// counter turns what the fetcher tells into a line now and then. Wheels of the cache are not worth one.
type counter struct {
	all   int
	bytes int64
	tell  func(string)

	seen      int
	seenBytes int64
	last      time.Time
}

// A person reads no more than a line a second.
const linePause = time.Second

func (c *counter) hear(p wheels.Progress) {
	if p.Phase == wheels.Ready && !p.Cached {
		return // counted when its download began
	}
	c.seen++
	c.seenBytes += p.Wheel.Size
	if p.Cached || time.Since(c.last) < linePause && c.seen < c.all {
		return
	}
	c.last = time.Now()
	c.tell(fmt.Sprintf("downloading wheels: %d of %d, %d of %d MB", c.seen, c.all, megabytes(c.seenBytes), megabytes(c.bytes)))
}

func megabytes(n int64) int64 { return (n + 500_000) / 1_000_000 }
