package door

import (
	"errors"
	"syscall"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/storage"
)

// explain turns those faults into problems that a person can mend, wherever they come from: a full disk above all.
func explain(err error) error {
	if problem.CodeOf(err) != problem.Internal {
		return err
	}
	for _, full := range []error{storage.ErrFull, queue.ErrFull, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) {
			return problem.New(problem.NoSpace, "the gateway's disk is full, so nothing was changed; free some space and try again: %w", full)
		}
	}
	return err
}
