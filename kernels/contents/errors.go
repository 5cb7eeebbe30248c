package contents

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/hopyard/hopyard/internal/problem"
)

// The reasons that Jupyter's clients look at.
const (
	badType   = "bad type"
	badFormat = "bad format"
)

func notFound(p string) error {
	return problem.New(problem.NotFound, "file or directory %q does not exist", p)
}

// explain turns an error of the operating system about path p into what a person can do about it. Other errors, and
// problems, pass through.
func explain(p string, err error) error {
	var errno syscall.Errno
	var asked *problem.Problem
	var pathErr *fs.PathError
	isPath := errors.As(err, &pathErr)
	switch {
	case err == nil, errors.As(err, &asked):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return notFound(p)
	case errors.Is(err, fs.ErrPermission):
		return problem.New(problem.Denied, "Permission denied: %s", p)
	case errors.As(err, &errno):
		return explainErrno(p, errno, err)
	case isPath && !errors.Is(err, fs.ErrClosed): // os.Root's own refusal: the path leads out of the project
		return notFound(p)
	}
	return err
}

func explainErrno(p string, errno syscall.Errno, err error) error {
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
		return problem.New(problem.NoSpace, "there is no space left for %q (%w): nothing was changed; delete something and try again", p, errno)
	case syscall.ENOTDIR, syscall.ELOOP, syscall.EXDEV:
		return notFound(p)
	case syscall.EROFS:
		return problem.New(problem.Denied, "%q cannot be written: its disk is read-only", p)
	case syscall.ENAMETOOLONG:
		return problem.New(problem.Invalid, "the name of %q is too long", p)
	case syscall.EISDIR:
		return problem.New(problem.Invalid, "%q is a directory", p).WithReason(badType)
	case syscall.EEXIST:
		return problem.New(problem.Conflict, "File already exists: %s", p)
	case syscall.EINVAL:
		return problem.New(problem.Invalid, "that cannot be done to %q: %w", p, errno)
	default:
		return err
	}
}
