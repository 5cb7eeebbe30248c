package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/queue"
)

var jobCases = []testCase{
	{"job comes back as it was given", on(func(t *testing.T, q handle) {
		want := queue.Job{ID: "é/1", Kind: "build", UniqueKey: "env", Payload: []byte("\x00\xff"), Priority: -3, MaxAttempts: 2}
		payload := slices.Clone(want.Payload)
		q.enqueue(want)
		want.Payload[0] = 'X'
		before := time.Now()
		c := q.claim(1, lasting)[0]
		got := c.Job
		if got.ID != want.ID || got.Kind != want.Kind || got.UniqueKey != want.UniqueKey || got.Priority != want.Priority ||
			got.MaxAttempts != want.MaxAttempts || !slices.Equal(got.Payload, payload) {
			t.Errorf("Claim() = %+v, want %+v", got, want)
		}
		if c.Attempt != 1 || c.Token == "" {
			t.Errorf("attempt, token = %d, %q, want 1 and a token", c.Attempt, c.Token)
		}
		if c.Until.Before(before.Add(lasting-time.Millisecond)) || c.Until.After(time.Now().Add(lasting)) {
			t.Errorf("Until = %v, want an hour after %v", c.Until, before)
		}
	})},
	{"malformed jobs and claims are refused", on(func(t *testing.T, q handle) {
		bad := []queue.Job{
			{Kind: "build"},
			{ID: "1"},
			{ID: "1", Kind: "build", Payload: make([]byte, queue.MaxPayload+1)},
			{ID: "1", Kind: "build", MaxAttempts: -1},
		}
		for _, j := range bad {
			if err := q.Enqueue(t.Context(), j); !errors.Is(err, queue.ErrInvalid) {
				t.Errorf("Enqueue(%q, %q) = %v, want ErrInvalid", j.ID, j.Kind, err)
			}
		}
		q.enqueue(queue.Job{ID: "1", Kind: "build", Payload: make([]byte, queue.MaxPayload)})
		for _, claim := range []func() ([]queue.Claim, error){
			func() ([]queue.Claim, error) { return q.Claim(t.Context(), nil, 1, lasting) },
			func() ([]queue.Claim, error) { return q.Claim(t.Context(), []string{"build"}, 0, lasting) },
			func() ([]queue.Claim, error) { return q.Claim(t.Context(), []string{"build"}, 1, 0) },
		} {
			if claims, err := claim(); !errors.Is(err, queue.ErrInvalid) || len(claims) > 0 {
				t.Errorf("Claim() = %d claims, %v, want ErrInvalid", len(claims), err)
			}
		}
	})},
	{"priority comes first, then the order of arrival", on(func(t *testing.T, q handle) {
		for i, priority := range []int{0, 5, -1, 5, 0} {
			q.enqueue(queue.Job{ID: fmt.Sprint(i), Kind: "build", Priority: priority})
		}
		var order []string
		for _, max := range []int{2, 1, 9} {
			for _, c := range q.claim(max, lasting) {
				order = append(order, c.Job.ID)
			}
		}
		if want := []string{"1", "3", "0", "4", "2"}; !slices.Equal(order, want) {
			t.Errorf("jobs come as %q, want %q", order, want)
		}
	})},
	{"claim takes its kinds alone", on(func(t *testing.T, q handle) {
		q.enqueue(queue.Job{ID: "a", Kind: "stop"}, queue.Job{ID: "b", Kind: "build"}, queue.Job{ID: "c", Kind: "price"})
		q.nothing("bu", "Build", "build ", "%", "")
		claims, err := q.Claim(t.Context(), []string{"price", "build", "build"}, 5, lasting)
		if err != nil || len(claims) != 2 || claims[0].Job.ID != "b" || claims[1].Job.ID != "c" {
			t.Errorf("Claim() = %+v, %v, want b and c", claims, err)
		}
	})},
	{"known ID is a duplicate, also after the end", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		q.duplicate(job("1"))
		q.duplicate(queue.Job{ID: "1", Kind: "other"})
		c := q.one("1", lasting)
		q.duplicate(job("1"))
		q.complete(c)
		q.duplicate(job("1"))
		q.nothing("build", "other")
	})},
	{"unique key is taken until the job has ended", on(func(t *testing.T, q handle) {
		keyed := func(id, kind string) queue.Job { return queue.Job{ID: id, Kind: kind, UniqueKey: "k", MaxAttempts: 1} }
		q.enqueue(keyed("1", "build"), keyed("2", "other kind"), job("3"), job("4"))
		q.duplicate(keyed("5", "build"))
		c := q.one("1", lasting)
		q.duplicate(keyed("5", "build"))
		q.complete(c)
		q.enqueue(keyed("5", "build"))
		claims := q.claim(3, lasting)
		q.retry(claims[2], 0) // past its only attempt
		q.enqueue(keyed("6", "build"))
	})},
	{"job is not claimed before its time", on(func(t *testing.T, q handle) {
		at := time.Now().Add(brief)
		q.enqueue(queue.Job{ID: "later", Kind: "build", NotBefore: at, Priority: 9}, job("now"))
		for range 2 { // the later one may be due before either is claimed
			c := q.claim(1, lasting)[0]
			if now := time.Now(); c.Job.ID == "later" && now.Before(at) {
				t.Errorf("claimed %s too early", at.Sub(now))
			}
		}
	})},
	{"job is given to one of many", on(func(t *testing.T, q handle) {
		share(t, 60, q)
	})},
	{"concurrent enqueues of one job have one winner", on(func(t *testing.T, q handle) {
		const workers = 8
		errs := make(chan error, workers)
		for i := range workers {
			go func() {
				errs <- q.Enqueue(t.Context(), queue.Job{ID: fmt.Sprint(i), Kind: "build", UniqueKey: "k"})
			}()
		}
		won := 0
		for range workers {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, queue.ErrDuplicate):
				t.Errorf("Enqueue() = %v, want ErrDuplicate", err)
			}
		}
		if won != 1 {
			t.Errorf("%d winners, want 1", won)
		}
	})},
}

// share has workers on all handles claim and complete n jobs, and checks that each job was done once.
func share(t *testing.T, n int, handles ...handle) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan string, 2*n)
	const workers = 6
	ended := make(chan error, workers)
	for i := range workers {
		q := handles[i%len(handles)]
		go func() { ended <- work(ctx, q, done) }()
	}
	for i := range n {
		handles[i%len(handles)].enqueue(job(fmt.Sprint(i)))
	}
	seen := map[string]bool{}
	for range n {
		select {
		case id := <-done:
			if seen[id] {
				t.Errorf("job %s was given twice", id)
			}
			seen[id] = true
		case <-time.After(patience):
			t.Fatalf("%d of %d jobs done after %s", len(seen), n, patience)
		}
	}
	cancel()
	for range workers {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("worker ended with %v", err)
		}
	}
}

// work claims and completes until something fails.
func work(ctx context.Context, q handle, done chan<- string) error {
	for {
		claims, err := q.Claim(ctx, []string{"build"}, 3, lasting)
		if err != nil {
			return err
		}
		for _, c := range claims {
			if err := q.Complete(context.WithoutCancel(ctx), c); err != nil {
				return err
			}
			done <- c.Job.ID
		}
	}
}
