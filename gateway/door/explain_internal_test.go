package door

import (
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

func TestFullDiskIsExplained(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want problem.Code
	}{
		{fmt.Errorf("put: %w", storage.ErrFull), problem.NoSpace},
		{fmt.Errorf("write: %w", syscall.ENOSPC), problem.NoSpace},
		{problem.New(problem.NotFound, "gone: %w", syscall.ENOSPC), problem.NotFound},
		{io.ErrUnexpectedEOF, problem.Internal},
	} {
		if got := problem.CodeOf(explain(c.err)); got != c.want {
			t.Errorf("explain(%v) is %s, want %s", c.err, got, c.want)
		}
	}
}
