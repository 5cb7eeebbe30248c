package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

// maxGroup is how many waiting writes share one transaction.
const maxGroup = 100

// errClosed is what the writer says once it is closed; each contract has its own word for it.
var errClosed = errors.New("sqlite: closed")

// writer runs the writes of this process one after the other on its one connection.
type writer struct {
	pool     *sql.DB
	conn     *sql.Conn
	stmts    *statements
	requests chan *request // unbuffered: what has been received is run, what has not can still turn away
	closing  chan struct{}
	done     chan struct{}
}

// request is one write. do may run twice (alone, after the group it was part of failed), so it must set what it returns
// through its closure anew each time.
type request struct {
	do     func(*tx) error
	err    error
	answer chan error
}

// tx is what a write may use while it runs.
type tx struct {
	*statements
	rev     storage.Revision // the newest one, of this transaction or before
	written bool             // something was changed
	ring    bells            // to be rung after the commit
	broken  error            // a statement failed, so that the whole transaction is in doubt
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.statements.exec(query, args...)
	if err != nil {
		return 0, t.fail(err)
	}
	n, err := res.RowsAffected()
	return n, t.fail(err)
}

func (t *tx) row(query string, args []any, into ...any) error {
	return t.fail(t.statements.row(query, args, into...))
}

func (t *tx) rows(query string, args []any, each func(scan func(into ...any) error) (bool, error)) error {
	return t.fail(t.statements.rows(query, args, each))
}

func (t *tx) fail(err error) error {
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.broken = err
	}
	return err
}

func openWriter(ctx context.Context, dsn string) (*writer, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	conn, err := prepare(ctx, pool)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	w := &writer{
		pool: pool, conn: conn, stmts: newStatements(conn),
		requests: make(chan *request), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// prepare connects and brings the file up to date. Where two processes switch a new file to its journal mode at the
// same time, SQLite refuses one of them at once instead of letting it wait, so that waiting is done here.
func prepare(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	for deadline := time.Now().Add(busyFor); ; {
		conn, err := connect(ctx, pool)
		if !isBusy(err) || time.Now().After(deadline) {
			return conn, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func connect(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	scripts, err := migrations()
	if err == nil {
		err = migrate(ctx, conn, scripts)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// do runs the write and returns once it is on disk or refused. An error of fn's own making undoes what fn did and
// nothing else. A context that ends before the write has begun gives its cause; later it is no longer looked at.
func (w *writer) do(ctx context.Context, fn func(*tx) error) error {
	r := &request{do: fn, answer: make(chan error, 1)}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case w.requests <- r:
		return <-r.answer
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.closing:
		return errClosed
	}
}

// close waits for the group that is being written and refuses all others. It is called once.
func (w *writer) close() error {
	close(w.closing)
	<-w.done
	return errors.Join(w.stmts.close(), w.conn.Close(), w.pool.Close())
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case first := <-w.requests:
			w.serve(w.collect(first))
		case <-w.closing:
			return
		}
	}
}

// collect adds the writes that are waiting already, and waits for none: those that come while this group is synced to
// disk make the next one.
func (w *writer) collect(first *request) []*request {
	group := []*request{first}
	for len(group) < maxGroup {
		select {
		case r := <-w.requests:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// serve runs a group in one transaction, or, if that breaks, each write of it in its own.
func (w *writer) serve(group []*request) {
	err := w.transact(group)
	if err != nil && len(group) > 1 {
		for i := range group {
			w.serve(group[i : i+1])
		}
		return
	}
	for _, r := range group {
		r.answer <- errors.Join(err, r.err)
	}
}

// transact runs a group in one transaction. Each request then has its own error; if transact returns one, nothing of
// the group was done.
func (w *writer) transact(group []*request) (err error) {
	t := &tx{statements: w.stmts}
	if _, err := t.exec("begin immediate"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil || !t.written {
			// SQLite may have rolled back by itself, which makes this fail and nothing worse.
			_, _ = w.stmts.exec("rollback")
		}
	}()
	if err := t.row("select coalesce(max(rev), 0) from changes", nil, &t.rev); err != nil {
		return err
	}
	for _, r := range group {
		if err := t.attempt(r, len(group) == 1); err != nil {
			return err
		}
	}
	if !t.written {
		return nil
	}
	if _, err := t.exec("commit"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	t.ring.ring()
	return nil
}

// attempt runs one write in a savepoint, so that its refusal undoes it alone. The only one of a transaction needs none.
func (t *tx) attempt(r *request, only bool) error {
	before := *t
	if !only {
		if _, err := t.exec("savepoint write"); err != nil {
			return err
		}
	}
	r.err = r.do(t)
	switch {
	case t.broken != nil:
		r.err = nil
		return t.broken
	case r.err != nil:
		*t = before
		if only {
			return nil
		}
		if _, err := t.exec("rollback to write"); err != nil {
			return err
		}
	}
	if only {
		return nil
	}
	_, err := t.exec("release write")
	return err
}
