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
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL {
		return fmt.Errorf("%w: %w", full, err)
	}
	return err
}
