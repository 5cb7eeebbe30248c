package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopyard/hopyard/internal/jobs"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/plugins/queue"
)

const lease = 5 * time.Second

// bench is a queue with one job in it and a Server that works on it. Time is that of the bubble.
type bench struct {
	*memory.Queue
	jobs.Server
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
}

func serve(t *testing.T, wrap func(queue.Queue) queue.Queue, do func(context.Context, queue.Job) error) *bench {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	q := memory.NewQueue()
	b := &bench{Queue: q, t: t, cancel: cancel, ended: make(chan struct{})}
	b.Server = jobs.Server{
		Queue: q, Kind: "build", Workers: 2, Lease: lease, Log: slog.New(slog.DiscardHandler), Do: do,
	}
	if wrap != nil {
		b.Server.Queue = wrap(q)
	}
	if err := q.Enqueue(t.Context(), queue.Job{ID: "1", Kind: "build", UniqueKey: "k"}); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(b.ended)
		b.Serve(ctx)
	}()
	return b
}

// close ends the Server and waits for it.
func (b *bench) close() {
	b.cancel()
	<-b.ended
}

// due says whether the job can be claimed within that time.
func (b *bench) due(within time.Duration) bool {
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	claims, _ := b.Queue.Claim(ctx, []string{"build"}, 1, lease)
	return len(claims) == 1
}

func TestJobThatIsDoneIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := serve(t, nil, func(context.Context, queue.Job) error { return nil })
		synctest.Wait()
		b.close()
		if b.due(time.Hour) {
			t.Error("the job comes back")
		}
	})
}

func TestWhatComesMeanwhileIsQueuedWhenTheJobIsDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	q := memory.NewQueue()
	again := queue.Job{ID: "2", Kind: "build", UniqueKey: "k"}
	var done []string
	s := jobs.Server{
		Queue: q, Kind: "build", Workers: 2, Lease: lease, Log: slog.New(slog.DiscardHandler),
		Do: func(ctx context.Context, job queue.Job) error {
			if err := q.Enqueue(ctx, again); job.ID == "1" && !errors.Is(err, queue.ErrDuplicate) {
				t.Errorf("a second job of the same key: %v", err)
			}
			return nil
		},
		Done: func(ctx context.Context, job queue.Job) error {
			if done = append(done, job.ID); job.ID == "2" {
				cancel()
				return nil
			}
			return q.Enqueue(ctx, again)
		},
	}
	if err := q.Enqueue(t.Context(), queue.Job{ID: "1", Kind: "build", UniqueKey: "k"}); err != nil {
		t.Fatal(err)
	}
	s.Serve(ctx)
	if !slices.Equal(done, []string{"1", "2"}) {
		t.Errorf("done = %q, want the first and what came meanwhile", done)
	}
}

func TestJobThatTakesLongKeepsItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		b := serve(t, nil, func(ctx context.Context, _ queue.Job) error {
			runs.Add(1)
			select {
			case <-time.After(10 * lease):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		time.Sleep(20 * lease)
		b.close()
		if n := runs.Load(); n != 1 || b.due(time.Hour) {
			t.Errorf("the job ran %d times, want once, and not again", n)
		}
	})
}

func TestJobThatFailsIsTriedAgainAfterAPauseThatGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs []time.Time
		b := serve(t, nil, func(context.Context, queue.Job) error {
			if runs = append(runs, time.Now()); len(runs) < 4 {
				return errors.New("not yet")
			}
			return nil
		})
		time.Sleep(time.Minute)
		b.close()
		if len(runs) != 4 {
			t.Fatalf("%d runs, want 4", len(runs))
		}
		for i, run := range runs[1:] {
			if pause := run.Sub(runs[i]); pause < time.Duration(i+1)*time.Second {
				t.Errorf("pause %d is %s", i, pause)
			}
		}
	})
}

func TestServerThatEndsGivesItsJobsBackAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := serve(t, nil, func(ctx context.Context, _ queue.Job) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		synctest.Wait()
		b.close()
		if !b.due(time.Millisecond) {
			t.Error("the job waits for its lease")
		}
	})
}

// lateQueue gives what it claims when the context has ended.
type lateQueue struct{ queue.Queue }

func (q lateQueue) Claim(ctx context.Context, kinds []string, most int, lease time.Duration) ([]queue.Claim, error) {
	claims, err := q.Queue.Claim(ctx, kinds, most, lease)
	<-ctx.Done()
	return claims, err
}

func TestClaimThatComesTooLateIsGivenBackAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := serve(t, func(q queue.Queue) queue.Queue { return lateQueue{q} }, func(context.Context, queue.Job) error {
			t.Error("a job is begun when all is over")
			return nil
		})
		synctest.Wait()
		b.close()
		if !b.due(time.Millisecond) {
			t.Error("the job waits for its lease")
		}
	})
}

// deadQueue extends nothing, because of that error.
type deadQueue struct {
	queue.Queue
	err error
}

func (q deadQueue) Extend(context.Context, queue.Claim, time.Duration) (queue.Claim, error) {
	return queue.Claim{}, q.err
}

func TestWorkEndsWithItsLease(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"lost": queue.ErrLeaseLost, "queue away": errors.New("nobody answers")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				causes := make(chan error, 2)
				b := serve(t, func(q queue.Queue) queue.Queue { return deadQueue{q, fault} }, func(ctx context.Context, _ queue.Job) error {
					<-ctx.Done()
					causes <- context.Cause(ctx)
					return nil
				})
				if err := <-causes; !errors.Is(err, queue.ErrLeaseLost) {
					t.Errorf("cause = %v, want a lost lease", err)
				}
				b.close()
			})
		})
	}
}

// faultyQueue fails to give anything, once.
type faultyQueue struct {
	queue.Queue
	failed atomic.Bool
}

func (q *faultyQueue) Claim(ctx context.Context, kinds []string, most int, lease time.Duration) ([]queue.Claim, error) {
	if !q.failed.Swap(true) {
		return nil, errors.New("nobody answers")
	}
	return q.Queue.Claim(ctx, kinds, most, lease)
}

func TestFaultOfTheQueueIsOvercome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		b := serve(t, func(q queue.Queue) queue.Queue { return &faultyQueue{Queue: q} }, func(context.Context, queue.Job) error {
			close(done)
			return nil
		})
		<-done
		b.close()
	})
}

func TestServeEndsWithItsQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := serve(t, nil, func(context.Context, queue.Job) error { return nil })
		synctest.Wait()
		if err := b.Queue.Close(); err != nil {
			t.Fatal(err)
		}
		<-b.ended
	})
}
