package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
)

// CutError tells a reader that the records From to To (both included) are no longer there.
type CutError struct{ From, To uint64 }

// Error says how many records were cut.
func (e *CutError) Error() string {
	return fmt.Sprintf("journal: %d records from %d on were cut", e.To-e.From+1, e.From)
}

// Cursor is one reader's place. It is not safe for concurrent use; any number of Cursors may read one journal.
type Cursor struct {
	j    *Journal
	seq  uint64 // the next record to read
	blk  *block // where seq is, if known
	off  int    // of seq in blk
	disk []byte // a block read back from disk
	held *block // the block in disk
}

// From returns a Cursor whose first record is seq; a seq past the end waits for it.
func (j *Journal) From(seq uint64) *Cursor { return &Cursor{j: j, seq: max(seq, 1)} }

// Seq is the sequence number of the record that the next Read begins with.
func (c *Cursor) Seq() uint64 { return c.seq }

// Read waits until there are records and returns some of them, whole and encoded one behind the other, at most about
// limit bytes (a single larger record is returned alone). The bytes are read-only and good until the next Read. It returns a *CutError
// where records were cut, and goes on behind them at the next call; ErrClosed at the end of a closed journal; the
// context's cause.
func (c *Cursor) Read(ctx context.Context, limit int) ([]byte, error) {
	for {
		if err := c.j.wait(ctx, c.seq); err != nil {
			return nil, err
		}
		b, size, err := c.find()
		if err != nil {
			return nil, err
		}
		data, err := c.load(b, size)
		if errors.Is(err, os.ErrClosed) {
			c.blk = nil // cut while we looked
			continue
		}
		if err != nil {
			return nil, err
		}
		return c.take(b, data, limit)
	}
}

// find places the cursor in a block and returns it with the number of its bytes that are published.
func (c *Cursor) find() (*block, int, error) {
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.blk == nil || c.seq < c.blk.first || c.seq > c.blk.last {
		i := sort.Search(len(j.blocks), func(i int) bool { return j.blocks[i].last >= c.seq })
		if i == len(j.blocks) || j.blocks[i].first > c.seq {
			end := j.next
			if i < len(j.blocks) {
				end = j.blocks[i].first
			}
			cut := &CutError{From: c.seq, To: end - 1}
			c.seq, c.blk = end, nil
			return nil, 0, cut
		}
		c.blk, c.off = j.blocks[i], -1
	}
	return c.blk, c.blk.size, nil
}

// load gives the block's published bytes, from memory or from disk.
func (c *Cursor) load(b *block, size int) ([]byte, error) {
	c.j.mu.Lock()
	buf := b.buf
	c.j.mu.Unlock()
	if len(buf) >= size {
		return buf[:size], nil
	}
	if c.held == b && len(c.disk) >= size {
		return c.disk[:size], nil
	}
	if cap(c.disk) < size {
		c.disk = make([]byte, size)
	}
	c.disk, c.held = c.disk[:size], nil
	if _, err := b.seg.file.ReadAt(c.disk, b.off); err != nil {
		return nil, fmt.Errorf("journal: read back: %w", err)
	}
	c.held = b
	return c.disk, nil
}

// take cuts whole records from seq on out of data and moves the cursor behind them.
func (c *Cursor) take(b *block, data []byte, limit int) ([]byte, error) {
	if c.off < 0 {
		c.off = 0
		for seq := b.first; seq < c.seq; seq++ {
			h, err := peek(data[c.off:])
			if err != nil {
				return nil, err
			}
			c.off += h.size
		}
	}
	end := c.off
	for end < len(data) {
		h, err := peek(data[end:])
		if err != nil {
			return nil, err
		}
		if end > c.off && end+h.size-c.off > limit {
			break
		}
		end += h.size
		c.seq = h.seq + 1
	}
	out := data[c.off:end]
	c.off = end
	return out, nil
}

// Release gives the cursor's own memory back; for a reader that has caught up and may wait for long.
func (c *Cursor) Release() { c.disk, c.held = nil, nil }
