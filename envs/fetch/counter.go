package fetch

import (
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

// tellEvery is the least time between two events about bytes alone.
const tellEvery = 100 * time.Millisecond

// Counter turns what happens to files into events of progress, which come one after another. It is safe for concurrent use.
type Counter struct {
	tell driver.Sink

	mu    sync.Mutex // guards what is below
	event driver.Event
	here  map[string]int64 // bytes that are there, by hash
	whole map[string]bool
	last  time.Time
}

// NewCounter goes on from the numbers of an event. Nobody is told where tell is nil.
func NewCounter(begin driver.Event, tell driver.Sink) *Counter {
	begin.Type = driver.TypeProgress
	return &Counter{tell: tell, event: begin, here: map[string]int64{}, whole: map[string]bool{}}
}

// Bytes says that n bytes of a file are there.
func (c *Counter) Bytes(f File, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event.Bytes += n - c.here[f.SHA256]
	c.here[f.SHA256] = n
	if time.Since(c.last) >= tellEvery {
		c.say(f.Package)
	}
}

// Working says that a package is being worked on.
func (c *Counter) Working(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(name)
}

// Done says that a file is there whole, and that nothing is left to do with it. Once is enough.
func (c *Counter) Done(f File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole[f.SHA256] {
		return
	}
	c.whole[f.SHA256] = true
	c.event.Done++
	c.event.Bytes += f.Size - c.here[f.SHA256]
	c.here[f.SHA256] = f.Size
	c.say(f.Package)
}

// Reach says that so many are done by now, name the last of them; fewer than before are not told.
func (c *Counter) Reach(done int, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done > c.event.Done {
		c.event.Done = done
		c.say(name)
	}
}

// say is called with mu held: events must not overtake one another.
func (c *Counter) say(name string) {
	if c.tell == nil {
		return
	}
	c.last = time.Now()
	event := c.event
	event.Package = name
	c.tell(event)
}
