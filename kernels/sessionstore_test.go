package kernels_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/plugins/storage"
)

// lazy lets the first deletion of a session, once it is on, come after a session that is put meanwhile, if one is.
type lazy struct {
	storage.Backend
	on       atomic.Bool
	deleting chan struct{} // closed when it begins
	put      chan struct{} // closed when a session has been put since
	once     sync.Once
}

func (l *lazy) Apply(ctx context.Context, ops ...storage.Op) (storage.Revision, error) {
	if !l.on.Load() || !strings.HasPrefix(ops[0].Key, "notebook-sessions/") {
		return l.Backend.Apply(ctx, ops...)
	}
	if ops[0].Kind == storage.OpPut {
		defer l.once.Do(func() { close(l.put) })
		return l.Backend.Apply(ctx, ops...)
	}
	close(l.deleting)
	select {
	case <-l.put:
	case <-time.After(300 * time.Millisecond): // it waits for this deletion, as it should
	}
	return l.Backend.Apply(ctx, ops...)
}

// pausing makes the next start of a kernel wait: begun is closed when it does, until go on is closed.
func (w *world) pausing() (begun, goOn chan struct{}) {
	begun, goOn = make(chan struct{}), make(chan struct{})
	w.asked = sync.OnceFunc(func() {
		close(begun)
		<-goOn
	})
	return begun, goOn
}

// TestSessionThatGetsAnotherKernelAsItsOwnEndsStays lets the sweep after a kernel's end meet the update that replaces it.
func TestSessionThatGetsAnotherKernelAsItsOwnEndsStays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := &lazy{Backend: w.storage, deleting: make(chan struct{}), put: make(chan struct{})}
	w.storage = l
	w.restart()
	s := w.session(ann, notebook("a.ipynb"))
	l.on.Store(true)
	begun, goOn := w.pausing()
	updated := make(chan error, 1)
	go func() {
		_, err := w.UpdateSession(t.Context(), ann, s.ID, kernels.SessionPatch{KernelSpec: "python3"})
		updated <- err
	}()
	<-begun
	if err := w.StopKernel(t.Context(), ann, s.KernelID); err != nil {
		t.Fatal(err)
	}
	<-l.deleting
	close(goOn)
	if err := <-updated; err != nil {
		t.Fatal(err)
	}
	l.on.Store(false)
	w.restart()
	if got, err := w.Session(t.Context(), ann, s.ID); err != nil || got.KernelID == s.KernelID {
		t.Errorf("Session() after a restart = %+v, %v, want it with its new kernel", got, err)
	}
}

// TestSessionThatIsDeletedDuringAnUpdateStaysDeleted closes a notebook while it gets another kernel.
func TestSessionThatIsDeletedDuringAnUpdateStaysDeleted(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.session(ann, notebook("a.ipynb"))
	begun, goOn := w.pausing()
	updated, deleted := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := w.UpdateSession(t.Context(), ann, s.ID, kernels.SessionPatch{KernelSpec: "python3"})
		updated <- err
	}()
	<-begun
	go func() { deleted <- w.DeleteSession(t.Context(), ann, s.ID) }()
	close(goOn)
	if err := <-updated; err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	_, err := w.Session(t.Context(), ann, s.ID)
	wantProblem(t, "Session()", err, problem.NotFound)
	if left, err := w.Kernels(t.Context(), ann); err != nil || len(left) > 0 || w.stored() > 0 {
		t.Errorf("left are kernels %v (%v) and %d sessions, want nothing", left, err, w.stored())
	}
}
