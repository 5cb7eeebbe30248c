package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations gives the scripts in order: the n-th one makes schema version n. They are never edited once released.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var scripts []string
	for _, name := range names {
		script, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, string(script))
	}
	return scripts, nil
}

// migrate brings the file to the last of scripts, forward only, all in one transaction. The immediate transaction makes
// a second process that opens the file meanwhile wait and then find it done.
func migrate(ctx context.Context, conn *sql.Conn, scripts []string) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	var version int
	if err := tx.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if version == len(scripts) {
		return nil
	}
	if version > len(scripts) {
		return fmt.Errorf("the file has schema version %d, this program knows versions up to %d: use a newer program",
			version, len(scripts))
	}
	for i, script := range scripts[version:] {
		if _, err := tx.ExecContext(ctx, script); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", version+i+1, err)
		}
	}
	// A pragma takes no bound arguments; the number is ours.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("pragma user_version = %d", len(scripts))); err != nil {
		return fmt.Errorf("write schema version: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
