package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent/journal"
)

// small bounds make a short test see evictions, several segments and cuts.
var small = journal.Options{SegmentBytes: 16 << 10, MemoryBytes: 8 << 10, MaxBytes: 1 << 20}

func open(t *testing.T, dir string, opt journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func text(i uint64) []byte { return fmt.Appendf(nil, "record %d", i) }

// fill appends the records from the next number to last.
func fill(t *testing.T, j *journal.Journal, last uint64) {
	t.Helper()
	for i := j.Next(); i <= last; i++ {
		if err := j.Append(journal.Record{Body: text(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// read reads records until the number last and fails if one is missing, doubled or out of order.
func read(t *testing.T, c *journal.Cursor, last uint64) {
	t.Helper()
	for next := c.Seq(); next <= last; {
		b, err := c.Read(t.Context(), 4<<10)
		if err != nil {
			t.Fatalf("at record %d: %v", next, err)
		}
		for len(b) > 0 {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				t.Fatal(err)
			}
			if r.Seq != next || !bytes.Equal(r.Body, text(next)) {
				t.Fatalf("got record %d %q, want %d", r.Seq, r.Body, next)
			}
			next++
		}
	}
}

func TestReadersGetEveryRecordOnceInOrder(t *testing.T) {
	t.Parallel()
	const last = 20000
	j := open(t, t.TempDir(), journal.Options{SegmentBytes: 16 << 10, MemoryBytes: 8 << 10})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() { read(t, j.From(1), last) })
	}
	fill(t, j, last)
	readers.Wait()
	read(t, j.From(1), last) // all of it from disk
	read(t, j.From(last-10), last)
}

func TestReopenedJournalGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, small)
	fill(t, j, 3000)
	_ = j.Close()
	j = open(t, dir, small)
	if j.Next() != 3001 {
		t.Fatalf("next = %d, want 3001", j.Next())
	}
	fill(t, j, 4000)
	read(t, j.From(1), 4000)
}

func TestTornEndIsDropped(t *testing.T) {
	t.Parallel()
	for _, tear := range []struct {
		name string
		do   func([]byte) []byte
		next uint64
	}{
		{"cut short", func(b []byte) []byte { return b[:len(b)-3] }, 100},
		{"changed", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, 100},
		{"followed by zeros", func(b []byte) []byte { return append(b, make([]byte, 100)...) }, 101},
		{"empty", func([]byte) []byte { return nil }, 1},
	} {
		t.Run(tear.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j := open(t, dir, journal.Options{})
			fill(t, j, 100)
			_ = j.Close()
			files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
			b, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], tear.do(b), 0o600); err != nil {
				t.Fatal(err)
			}
			j = open(t, dir, journal.Options{})
			if j.Next() != tear.next {
				t.Fatalf("next = %d, want %d", j.Next(), tear.next)
			}
			fill(t, j, 200)
			read(t, j.From(1), 200)
		})
	}
}

func TestReaderOfCutRecordsIsTold(t *testing.T) {
	t.Parallel()
	opt := journal.Options{SegmentBytes: 4 << 10, MemoryBytes: 1 << 10, MaxBytes: 16 << 10}
	j := open(t, t.TempDir(), opt)
	fill(t, j, 5000)
	c := j.From(1)
	_, err := c.Read(t.Context(), 1<<10)
	var cut *journal.CutError
	if !errors.As(err, &cut) || cut.From != 1 || cut.To != c.Seq()-1 {
		t.Fatalf("Read = %v, want a cut from 1 to %d", err, c.Seq()-1)
	}
	read(t, c, 5000)
}

func TestOldSegmentsAreCut(t *testing.T) {
	t.Parallel()
	opt := journal.Options{SegmentBytes: 1 << 10, MaxAge: time.Nanosecond}
	dir := t.TempDir()
	j := open(t, dir, opt)
	fill(t, j, 1000)
	if files, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(files) > 2 {
		t.Errorf("%d segments, want the newest alone", len(files))
	}
}

func TestClosedJournalEndsReadersBehindTheLastRecord(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), small)
	fill(t, j, 10)
	_ = j.Close()
	c := j.From(1)
	read(t, c, 10)
	if _, err := c.Read(t.Context(), 1); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Read = %v, want ErrClosed", err)
	}
	if err := j.Append(journal.Record{Body: []byte("late")}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Append = %v, want ErrClosed", err)
	}
}

func TestWaitingReaderEndsWithItsContext(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), small)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := j.From(1).Read(ctx, 1); !errors.Is(err, cause) {
		t.Errorf("Read = %v, want the cause", err)
	}
}

func TestRecordLargerThanEverythingPasses(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), journal.Options{SegmentBytes: 16 << 10, MemoryBytes: 8 << 10})
	big := bytes.Repeat([]byte("x"), 3<<20)
	if err := j.Append(journal.Record{Body: text(1)}, journal.Record{Body: big, To: "me", Kind: 7}, journal.Record{Body: text(3)}); err != nil {
		t.Fatal(err)
	}
	c := j.From(2)
	b, err := c.Read(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	r, rest, err := journal.Decode(b)
	if err != nil || len(rest) != 0 || r.To != "me" || r.Kind != 7 || !bytes.Equal(r.Body, big) {
		t.Errorf("record of %d bytes to %q kind %d, %d bytes behind it, %v", len(r.Body), r.To, r.Kind, len(rest), err)
	}
}

func TestWriteThatFailsIsACutAndTheNextOneWorks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, dir, journal.Options{SegmentBytes: 1})
	fill(t, j, 2)
	if err := os.RemoveAll(dir); err != nil { // every record has a segment of its own here: none can be made now
		t.Fatal(err)
	}
	if err := j.Append(journal.Record{Body: text(3)}); err == nil {
		t.Fatal("Append into a missing folder worked")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fill(t, j, 5)
	c := j.From(3)
	var cut *journal.CutError
	if _, err := c.Read(t.Context(), 1<<10); !errors.As(err, &cut) || *cut != (journal.CutError{From: 3, To: 3}) {
		t.Fatalf("Read = %v, want a cut of record 3", err)
	}
	read(t, c, 5)
}

func TestForChoosesWhatIsMeantForAClient(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), small)
	to := []string{"", "a", "b", "", "b", "a"}
	for i, k := range to {
		if err := j.Append(journal.Record{To: k, Body: text(uint64(i + 1))}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := j.From(1).Read(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for client, want := range map[string][]uint64{"a": {1, 2, 4, 6}, "b": {1, 3, 4, 5}, "c": {1, 4}} {
		var got []uint64
		for b := journal.For(all, client, nil); len(b) > 0; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				t.Fatal(err)
			}
			got = append(got, r.Seq)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s gets %v, want %v", client, got, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		f.Fatal(err)
	}
	_ = j.Append(journal.Record{Body: text(1)}, journal.Record{To: "a", Body: text(2)})
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	good, _ := os.ReadFile(files[0])
	f.Add(good)
	f.Add([]byte{})
	f.Add(append(bytes.Clone(good), 0xff, 0xff, 0xff, 0x7f))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000000000000000001.seg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(dir, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		next := j.Next()
		if err := j.Append(journal.Record{Body: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		for c := j.From(1); c.Seq() <= next; {
			got, err := c.Read(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for len(got) > 0 {
				if _, got, err = journal.Decode(got); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	j, err := journal.Open(b.TempDir(), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]journal.Record, 50)
	for i := range batch {
		batch[i].Body = bytes.Repeat([]byte("x"), 700)
	}
	b.SetBytes(50 * 700)
	for b.Loop() {
		if err := j.Append(batch...); err != nil {
			b.Fatal(err)
		}
	}
}
