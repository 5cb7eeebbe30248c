package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// preparer is a *sql.DB or *sql.Conn.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements prepares each of the package's few queries once. It is safe for concurrent use.
//
// Queries run without the caller's cancellation: they take microseconds, and making them interruptible costs a
// goroutine each. Callers look at their context before.
type statements struct {
	on preparer

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // guarded by mu
}

func newStatements(on preparer) *statements {
	return &statements{on: on, prepared: make(map[string]*sql.Stmt)}
}

func (s *statements) get(query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := s.on.PrepareContext(context.Background(), query) //nolint:sqlclosecheck // kept for the next time; see close
	if err != nil {
		return nil, err
	}
	s.prepared[query] = stmt
	return stmt, nil
}

func (s *statements) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := s.get(query) //nolint:sqlclosecheck // it stays for the next time
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(context.Background(), args...)
}

// row scans the one row that query yields, sql.ErrNoRows if there is none.
func (s *statements) row(query string, args []any, into ...any) error {
	stmt, err := s.get(query) //nolint:sqlclosecheck // it stays for the next time
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(context.Background(), args...).Scan(into...)
}

// rows calls each once per row that query yields, until one fails. A false from each ends it early.
func (s *statements) rows(query string, args []any, each func(scan func(into ...any) error) (bool, error)) error {
	stmt, err := s.get(query) //nolint:sqlclosecheck // it stays for the next time
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if more, err := each(rows.Scan); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// close frees the statements. Those of a single *sql.Conn keep its file open until this is done.
func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	clear(s.prepared)
	return errors.Join(errs...)
}
