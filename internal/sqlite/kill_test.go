package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/sqlite"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/storage"
)

const (
	// writeTo names the file that this test binary, started again, writes to until it is killed.
	writeTo = "HOPYARD_TEST_WRITE_TO"
	// claimFrom names the file from which it claims a job, which it holds until it is killed.
	claimFrom = "HOPYARD_TEST_CLAIM_FROM"
)

func TestMain(m *testing.M) {
	for variable, do := range map[string]func(path string) error{writeTo: writeForEver, claimFrom: claimForEver} {
		if path := os.Getenv(variable); path != "" {
			fmt.Fprintln(os.Stderr, do(path))
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// claimForEver claims a job for a day, prints its ID and holds it.
func claimForEver(path string) error {
	db, err := sqlite.Open(context.Background(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	claims, err := db.Queue().Claim(context.Background(), []string{"build"}, 1, 24*time.Hour)
	if err != nil {
		return err
	}
	fmt.Println(claims[0].Job.ID)
	select {}
}

// claimant starts a process that holds the job with that ID, the next one that is due.
func claimant(t *testing.T, path, id string) *exec.Cmd {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very binary
	child.Env = append(os.Environ(), claimFrom+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != id+"\n" {
		t.Fatalf("child holds %q, %v, want %s", line, err, id)
	}
	return child
}

func kill(t *testing.T, child *exec.Cmd) {
	t.Helper()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
}

// claim waits for the next job that is due, which must be the one with that ID.
func claim(t *testing.T, q queue.Queue, id string) queue.Claim {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	claims, err := q.Claim(ctx, []string{"build"}, 1, time.Hour)
	if err != nil || len(claims) != 1 || claims[0].Job.ID != id {
		t.Fatalf("Claim() = %+v, %v, want %s", claims, err, id)
	}
	return claims[0]
}

func enqueue(t *testing.T, q queue.Queue, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := q.Enqueue(t.Context(), queue.Job{ID: id, Kind: "build"}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJobOfAKilledProcessComesBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.db")
	q := open(t, path).Queue()
	enqueue(t, q, "1", "2")
	victim, witness := claimant(t, path, "1"), claimant(t, path, "2")
	kill(t, victim)
	if c := claim(t, q, "1"); c.Attempt != 2 {
		t.Errorf("attempt = %d, want 2", c.Attempt)
	}
	kill(t, witness)
	claim(t, q, "2")
}

func TestWhoOpensFindsTheJobsOfTheKilledAndSparesTheLiving(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.db")
	first := open(t, path)
	enqueue(t, first.Queue(), "1", "2")
	victim := claimant(t, path, "1")
	claimant(t, path, "2") // it lives as long as the test
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	kill(t, victim)
	q := open(t, path).Queue()
	claim(t, q, "1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // longer than it takes to look again
	defer cancel()
	if claims, err := q.Claim(ctx, []string{"build"}, 1, time.Hour); len(claims) > 0 {
		t.Errorf("Claim() = %+v, %v, want that the living keeps its job", claims, err)
	}
}

// writeForEver has several writers put numbered records, each next to its number in a record of the writer's, and
// prints "writer number revision" for what was acknowledged.
func writeForEver(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards standard output
	errs := make(chan error)
	for w := range 4 {
		go func() {
			for n := 1; ; n++ {
				rev, err := db.Storage().Apply(ctx,
					storage.Create(fmt.Sprintf("%d/%06d", w, n), []byte(strconv.Itoa(n))),
					storage.Put(fmt.Sprintf("last/%d", w), []byte(strconv.Itoa(n))))
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println(w, n, rev)
				mu.Unlock()
			}
		}()
	}
	return <-errs
}

func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		path := filepath.Join(t.TempDir(), "hopyard.db")
		acknowledged := killedAfter(t, path, 50+200*round)
		s := open(t, path).Storage()
		for key, rev := range acknowledged {
			r, err := s.Get(t.Context(), key)
			if err != nil || r.Rev != rev {
				t.Errorf("Get(%s) = revision %d, %v, want %d", key, r.Rev, err, rev)
			}
		}
		checkWhole(t, s)
	}
}

// killedAfter runs the writing child, kills it after so many acknowledgements and gives all that it printed.
func killedAfter(t *testing.T, path string, count int) map[string]storage.Revision {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very binary
	child.Env = append(os.Environ(), writeTo+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]storage.Revision{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var w, n int
		var rev storage.Revision
		if _, err := fmt.Sscan(lines.Text(), &w, &n, &rev); err != nil {
			break // the kill cut the last line
		}
		acknowledged[fmt.Sprintf("%d/%06d", w, n)] = rev
		if len(acknowledged) == count {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("child ended with %v, want killed", err)
	}
	if len(acknowledged) < count {
		t.Fatalf("child acknowledged %d writes, want %d", len(acknowledged), count)
	}
	return acknowledged
}

// checkWhole checks that no batch is there by half: the last number of a writer is that of its last record.
func checkWhole(t *testing.T, s storage.Backend) {
	t.Helper()
	for w := range 4 {
		page, err := s.List(t.Context(), storage.Query{Prefix: fmt.Sprintf("%d/", w), Reverse: true, Limit: 1})
		if err != nil {
			t.Fatalf("List() = %v", err)
		}
		last, err := s.Get(t.Context(), fmt.Sprintf("last/%d", w))
		if errors.Is(err, storage.ErrNotFound) && len(page.Records) == 0 {
			continue
		}
		if err != nil || len(page.Records) != 1 || string(page.Records[0].Value) != string(last.Value) {
			t.Errorf("writer %d: last record = %+v, its number = %q, %v", w, page.Records, last.Value, err)
		}
	}
}

func TestOtherProcessWritesAreNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.db")
	s := open(t, path).Storage()
	w, err := s.Watch(t.Context(), "last/")
	if err != nil {
		t.Fatal(err)
	}
	ours := make(chan error, 1)
	go func() { // both processes write at the same time
		var err error
		for i := 0; i < 200 && err == nil; i++ {
			_, err = s.Apply(t.Context(), storage.Put("ours", nil))
		}
		ours <- err
	}()
	acknowledged := killedAfter(t, path, 200)
	if err := <-ours; err != nil {
		t.Errorf("Apply() = %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seen, last := map[storage.Revision]bool{}, slices.Max(slices.Collect(maps.Values(acknowledged)))
	for !seen[last] {
		c, err := w.Next(ctx)
		if err != nil || !strings.HasPrefix(c.Key, "last/") {
			t.Fatalf("Next() = %+v, %v", c, err)
		}
		seen[c.Rev] = true
	}
	for key, rev := range acknowledged {
		if !seen[rev] {
			t.Errorf("revision %d of %s was not noticed", rev, key)
		}
	}
}
