package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// load reads the index of the segments that are there and cuts a torn end off.
func (j *Journal) load() error {
	names, err := filepath.Glob(filepath.Join(j.dir, "*.seg")) // sorted, and names sort as their numbers do
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for _, path := range names {
		first, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".seg"), 10, 64)
		if err != nil || first < j.next {
			continue // not ours, or overlapping: leave it alone
		}
		if err := j.loadSegment(path, first); err != nil {
			return err
		}
	}
	return nil
}

// loadSegment indexes the whole and correct records at the beginning of one file and truncates it behind them.
func (j *Journal) loadSegment(path string, first uint64) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	seg := &segment{path: path, file: f}
	if info, err := f.Stat(); err == nil {
		seg.touched = info.ModTime()
	}
	j.segs = append(j.segs, seg)
	blocks, good := scan(data, first)
	for i := range blocks {
		b := &blocks[i]
		b.seg = seg
		j.blocks = append(j.blocks, b)
		j.next = b.last + 1
	}
	seg.size = int64(good)
	j.onDisk += seg.size
	if good < len(data) {
		return errors.Join(f.Truncate(seg.size))
	}
	return nil
}

// scan cuts a segment's bytes into blocks of about blockBytes and returns how many bytes at its beginning are whole,
// correct and in sequence.
func scan(data []byte, seq uint64) (blocks []block, good int) {
	for good < len(data) {
		h, err := peek(data[good:])
		if err != nil || h.seq != seq || !verify(data[good:], h.size) {
			break
		}
		if n := len(blocks); n == 0 || blocks[n-1].size+h.size > blockBytes {
			blocks = append(blocks, block{first: seq, off: int64(good)})
		}
		b := &blocks[len(blocks)-1]
		b.last = seq
		b.size += h.size
		good += h.size
		seq++
	}
	return blocks, good
}
