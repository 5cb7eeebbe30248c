package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// translate puts the words of a contract on the errors of the writer and of SQLite.
func translate(err, closed, full error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errClosed) {
		return closed
	}
	if hasCode(err, sqlite3.SQLITE_FULL) {
		return fmt.Errorf("%w: %w", full, err)
	}
	return err
}

func isBusy(err error) bool { return hasCode(err, sqlite3.SQLITE_BUSY) }

// hasCode looks at the primary code: the low byte of an extended one.
func hasCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}
