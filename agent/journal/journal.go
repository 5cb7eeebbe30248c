// Package journal keeps what a program said: an append-only sequence of records in segments on disk, with the newest of
// them in memory too.
//
// There is one writer, which never waits for a reader. Every reader is a Cursor with a place of its own; a slow one reads
// from disk. The journal is bounded in size and age: when old records are cut, a Cursor that had not read them is told so
// (CutError) and goes on at the oldest that is left.
//
// A record is on disk (handed to the operating system) before any reader can see it, so what a reader has seen survives
// the death of the process. It does not survive a loss of power.
package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options bound a journal. The zero value means the defaults.
type Options struct {
	MaxBytes     int64         // on disk; 1 GiB
	MaxAge       time.Duration // of a segment since its last record; 7 days
	SegmentBytes int           // 8 MiB
	MemoryBytes  int           // of the newest records; 2 MiB
}

func (o Options) withDefaults() Options {
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<30)
	o.MaxAge = cmp.Or(o.MaxAge, 7*24*time.Hour)
	o.SegmentBytes = cmp.Or(o.SegmentBytes, 8<<20)
	o.MemoryBytes = cmp.Or(o.MemoryBytes, 2<<20)
	return o
}

// ErrClosed is returned by a Cursor of a journal that has been closed, once all of it has been read.
var ErrClosed = errors.New("journal: closed")

// blockBytes is about how much a block holds: large enough to move in one system call, small enough to be evicted often.
const blockBytes = 64 << 10

// block is a run of whole records in one segment: the unit of memory, of reading and of the index.
type block struct {
	first, last uint64
	seg         *segment
	off         int64
	size        int
	buf         []byte // nil once evicted from memory; until then published bytes never change
}

// segment is one file. Its name is the sequence number of its first record.
type segment struct {
	path    string
	file    *os.File
	size    int64
	touched time.Time
}

// Journal is the sequence. Append and Close belong to one writer; everything else is safe for concurrent use.
type Journal struct {
	dir string
	opt Options

	mu      sync.Mutex // guards all below
	segs    []*segment // oldest first, the last is being written
	blocks  []*block   // oldest first, the last is open
	next    uint64     // sequence number of the next record
	cold    int        // so many of the oldest blocks have been evicted from memory
	inMem   int        // bytes held in blocks' buf
	onDisk  int64
	changed chan struct{} // closed and replaced when there is more to read
	closed  bool

	scratch []byte // the writer's own
}

// Open opens or makes the journal in dir. A record cut short by a crash at the very end is dropped. The caller closes it.
func Open(dir string, opt Options) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{dir: dir, opt: opt.withDefaults(), next: 1, changed: make(chan struct{})}
	if err := j.load(); err != nil {
		j.closeFiles()
		return nil, err
	}
	return j, nil
}

// Append writes the records in order, gives them their sequence numbers, and lets readers see them. The bodies are
// copied. After an error (the disk is full) the records have got numbers but are not kept: readers will see a CutError.
// Append tries the disk anew every time.
func (j *Journal) Append(records ...Record) error {
	var first error
	for len(records) > 0 {
		n := j.fit(records)
		if err := j.appendBlock(records[:n]); err != nil && first == nil {
			first = err
		}
		records = records[n:]
	}
	return first
}

// fit says how many of the records go into one write: at least one, at most about a block.
func (j *Journal) fit(records []Record) int {
	size := 0
	for i := range records {
		if size += recordSize(&records[i]); size > blockBytes && i > 0 {
			return i
		}
	}
	return len(records)
}

func (j *Journal) appendBlock(records []Record) error {
	first := j.Next()
	enc := j.scratch[:0]
	for i := range records {
		records[i].Seq = first + uint64(i)
		enc = appendRecord(enc, &records[i])
	}
	last := first + uint64(len(records)) - 1
	j.scratch = enc
	if cap(j.scratch) > 4*blockBytes { // one huge record must not be remembered for ever
		j.scratch = nil
	}
	seg, err := j.room(first, len(enc))
	if err == nil {
		_, err = seg.file.WriteAt(enc, seg.size)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next = last + 1
	if err != nil {
		j.dropEmpty()
		j.wake()
		return fmt.Errorf("journal: %w", err)
	}
	j.publish(seg, first, last, enc)
	j.bound()
	j.wake()
	return nil
}

// room returns the segment that the next size bytes go to.
func (j *Journal) room(first uint64, size int) (*segment, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, ErrClosed
	}
	if n := len(j.segs); n > 0 && j.segs[n-1].size+int64(size) <= int64(j.opt.SegmentBytes) && j.contiguous(first) {
		return j.segs[n-1], nil
	}
	path := filepath.Join(j.dir, fmt.Sprintf("%020d.seg", first))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	seg := &segment{path: path, file: f, touched: time.Now()}
	j.segs = append(j.segs, seg)
	return seg, nil
}

// dropEmpty removes the newest segment if nothing could be written to it, so that a full disk is not filled with empty files.
func (j *Journal) dropEmpty() {
	n := len(j.segs)
	if n == 0 || j.segs[n-1].size > 0 {
		return
	}
	_ = os.Remove(j.segs[n-1].path)
	_ = j.segs[n-1].file.Close()
	j.segs = j.segs[:n-1]
}

// contiguous says whether record first follows what is stored; after a failed write it does not.
func (j *Journal) contiguous(first uint64) bool {
	return len(j.blocks) == 0 || j.blocks[len(j.blocks)-1].last+1 == first
}

// publish adds what was written to the open block, or opens one. enc is copied.
func (j *Journal) publish(seg *segment, first, last uint64, enc []byte) {
	var b *block
	if n := len(j.blocks); n > 0 {
		b = j.blocks[n-1]
	}
	if b == nil || b.seg != seg || b.buf == nil || b.size+len(enc) > blockBytes {
		b = &block{first: first, seg: seg, off: seg.size}
		j.blocks = append(j.blocks, b)
	}
	b.last = last
	b.buf = append(b.buf, enc...)
	b.size += len(enc)
	seg.size += int64(len(enc))
	seg.touched = time.Now()
	j.inMem += len(enc)
	j.onDisk += int64(len(enc))
}

// bound evicts the oldest blocks from memory and the oldest segments from disk until the limits hold.
func (j *Journal) bound() {
	for j.inMem > j.opt.MemoryBytes && j.cold < len(j.blocks)-1 {
		j.evict(j.blocks[j.cold])
		j.cold++
	}
	cut := time.Now().Add(-j.opt.MaxAge)
	for len(j.segs) > 1 && (j.onDisk > j.opt.MaxBytes || j.segs[0].touched.Before(cut)) {
		j.dropOldest()
	}
}

func (j *Journal) evict(b *block) {
	j.inMem -= len(b.buf)
	b.buf = nil
}

func (j *Journal) dropOldest() {
	seg := j.segs[0]
	j.segs = j.segs[1:]
	j.onDisk -= seg.size
	n := 0
	for n < len(j.blocks) && j.blocks[n].seg == seg {
		j.evict(j.blocks[n])
		n++
	}
	j.blocks = slices.Delete(j.blocks, 0, n)
	j.cold = max(0, j.cold-n)
	_ = os.Remove(seg.path)
	_ = seg.file.Close() // a Cursor that is reading it right now gets an error and looks again
}

// Next is the sequence number that the next record will get.
func (j *Journal) Next() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next
}

// Close lets readers finish what is there, then gives them ErrClosed. Files stay. It is idempotent.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	j.wake()
	return nil
}

func (j *Journal) closeFiles() {
	for _, s := range j.segs {
		_ = s.file.Close()
	}
}

func (j *Journal) wake() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// wait blocks until there may be a record at or after seq.
func (j *Journal) wait(ctx context.Context, seq uint64) error {
	for {
		j.mu.Lock()
		next, changed, closed := j.next, j.changed, j.closed
		j.mu.Unlock()
		if seq < next {
			return nil
		}
		if closed {
			return ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
