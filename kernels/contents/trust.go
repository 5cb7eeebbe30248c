package contents

import (
	"context"
	"errors"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents/nbformat"
	"github.com/hopyard/hopyard/plugins/storage"
)

// trust remembers which notebooks a user trusts, by the hash of the file. It is the user's own, never the project's: a
// browser runs the scripts of trusted output on our page with the rights of whoever looks at it, so what one member
// saves must not run for the others.
type trust struct{ records storage.Backend }

// trustFor is how long a notebook stays trusted after it was last saved or marked so.
const trustFor = 365 * 24 * time.Hour

func trustKey(project, user, sum string) string {
	return "contents/trust/" + project + "/" + user + "/" + sum
}

func (t trust) has(ctx context.Context, project, user, sum string) (bool, error) {
	if user == "" {
		return false, nil
	}
	_, err := t.records.Get(ctx, trustKey(project, user, sum))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (t trust) add(ctx context.Context, project, user, sum string) error {
	if user == "" {
		return nil
	}
	_, err := t.records.Apply(ctx, storage.Put(trustKey(project, user, sum), nil).Until(time.Now().Add(trustFor)))
	return err
}

// Trust makes user trust the notebook at path as it is now: its output may run scripts in that user's page.
func (s *Store) Trust(ctx context.Context, project, user, path string) error {
	at, err := s.at(project, path, hiddenNotFound)
	if err != nil {
		return err
	}
	f, info, err := openFile(at.root, at.path)
	if err != nil {
		return explain(at.path, err)
	}
	defer f.Close()
	b, err := slurp(f, info.Size(), maxNotebook)
	if err != nil {
		return explain(at.path, err)
	}
	nb, err := nbformat.Parse(b)
	if err == nil {
		err = nbformat.Check(nb)
	}
	if err != nil {
		return problem.New(problem.Invalid, "Unreadable Notebook: %s: %w", at.path, err)
	}
	return s.trust.add(ctx, project, user, sum(b))
}
