package contents

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents/nbformat"
	"github.com/hopyard/hopyard/workloads"
)

// Upload is what a client sends to be saved.
type Upload struct {
	User   string // who saves: trust and unfinished uploads are theirs
	Type   Type
	Format Format
	// Content is the JSON value of the content: an object for a notebook, a string for a file, absent for a directory.
	Content nbformat.Value
	// Ran, in a notebook, is the build of an environment that its kernel runs on: its metadata will name it.
	Ran *workloads.Environment
	// Chunk counts the parts of a file sent in parts: 1, 2, … and -1 for the last; 0 for a file sent whole.
	Chunk int
}

// MetadataKey is where a notebook's metadata names the build that it ran on, a workloads.Environment.
const MetadataKey = "hopyard"

// emptyNotebook is what a new notebook holds.
const emptyNotebook = `{"cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}`

// Save saves what a client sends at path and tells whether that is new. What is new may lack type and content. A file is
// replaced as a whole or, after an error, not at all.
func (s *Store) Save(ctx context.Context, project, path string, up Upload) (item *Item, created bool, err error) {
	at, err := s.at(project, path, hiddenInvalid)
	if err != nil {
		return nil, false, err
	}
	if at.path == "" && up.Type != Directory {
		return nil, false, problem.New(problem.Invalid, "the root is a directory").WithReason(badType)
	}
	if up, err = complete(at, up); err != nil {
		return nil, false, explain(at.path, err)
	}
	switch {
	case up.Chunk != 0:
		item, created, err = s.saveChunk(at, up)
	case up.Type == Directory:
		item, created, err = s.saveDirectory(at)
	case up.Type == Notebook:
		item, created, err = s.saveNotebook(ctx, project, at, up)
	default:
		item, created, err = s.saveFile(at, up)
	}
	return item, created, explain(at.path, err)
}

// complete fills in what may be left out of something new.
func complete(at place, up Upload) (Upload, error) {
	_, err := at.root.Stat(osPath(at.path))
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return up, err
	}
	_, name := split(at.path)
	if up.Type == "" {
		if !isNew {
			return up, problem.New(problem.Invalid, "No file type provided")
		}
		up.Type = typeOf(name)
	}
	if up.Content.Kind() != nbformat.Absent || up.Type == Directory {
		return up, nil
	}
	if !isNew {
		return up, problem.New(problem.Invalid, "No file content provided")
	}
	empty := `""`
	if up.Type == Notebook {
		empty = emptyNotebook
	}
	up.Format = Text
	up.Content, err = nbformat.Parse([]byte(empty))
	return up, err
}

func (s *Store) saveDirectory(at place) (*Item, bool, error) {
	created := true
	err := s.mkdir(at)
	if errors.Is(err, fs.ErrExist) {
		created, err = false, nil
	}
	if err != nil {
		return nil, false, err
	}
	item, err := at.item()
	if err == nil && item.Type != Directory {
		err = problem.New(problem.Invalid, "Not a directory: %s", at.path).WithReason(badType)
	}
	return item, created, err
}

// mkdir makes one folder that lasts and belongs to whoever owns the one around it.
func (s *Store) mkdir(at place) error {
	if err := at.root.Mkdir(osPath(at.path), 0o777); err != nil {
		return err
	}
	dir, _ := split(at.path)
	around, err := at.root.Stat(osPath(dir))
	if err != nil {
		return err
	}
	if uid, gid, ok := foreign(around); ok {
		if err := at.root.Lchown(at.path, uid, gid); err != nil {
			return err
		}
	}
	return syncDir(at.root, dir)
}

func (s *Store) saveNotebook(ctx context.Context, project string, at place, up Upload) (*Item, bool, error) {
	if err := nbformat.Check(up.Content); err != nil {
		return nil, false, problem.New(problem.Invalid, "%s was not saved: %w", at.path, err)
	}
	hash, created, err := replace(at, func(w io.Writer) error { return nbformat.SaveNoted(w, up.Content, note(up.Ran)) })
	if err != nil {
		return nil, false, err
	}
	if nbformat.Trustworthy(up.Content) {
		if err := s.trust.add(ctx, project, up.User, hash); err != nil { // the notebook is saved all the same
			s.log.WarnContext(ctx, "trust of a notebook was not kept", "project", project, "err", err)
		}
	}
	if err := s.firstCheckpoint(at); err != nil {
		s.log.WarnContext(ctx, "a notebook has no checkpoint", "project", project, "err", err)
	}
	item, err := at.item()
	if err != nil {
		return nil, false, err
	}
	item.Type, item.Mimetype, item.Hash = Notebook, "", hash
	return item, created, nil
}

// note is what a notebook's metadata says of the build that it ran on.
func note(ran *workloads.Environment) nbformat.Value {
	if ran == nil {
		return nbformat.Value{}
	}
	b, err := json.Marshal(map[string]any{MetadataKey: ran})
	if err != nil { // strings and a number
		return nbformat.Value{}
	}
	v, err := nbformat.Parse(b)
	if err != nil {
		return nbformat.Value{}
	}
	return v
}

func (s *Store) saveFile(at place, up Upload) (*Item, bool, error) {
	content, err := up.bytes(at.path)
	if err != nil {
		return nil, false, err
	}
	hash, created, err := replace(at, content)
	if err != nil {
		return nil, false, err
	}
	item, err := at.item()
	if err != nil {
		return nil, false, err
	}
	item.Type, item.Mimetype, item.Hash = File, Mimetype(item.Name), hash
	return item, created, nil
}

// bytes gives what writes the bytes of a file's content.
func (up Upload) bytes(path string) (func(io.Writer) error, error) {
	if up.Format != Text && up.Format != Base64 {
		return nil, problem.New(problem.Invalid, "Must specify format of file contents as 'text' or 'base64'")
	}
	if up.Content.Kind() != nbformat.String {
		return nil, problem.New(problem.Invalid, "the content of %s must be a string", path)
	}
	return func(w io.Writer) error {
		r := up.Content.Reader()
		if up.Format == Base64 {
			r = base64.NewDecoder(base64.StdEncoding, r)
		}
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 64<<10))
		var corrupt base64.CorruptInputError
		if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
			return problem.New(problem.Invalid, "Encoding error saving %s: the content is not base64", path)
		}
		return err
	}, nil
}

// item describes what is at the place now.
func (at place) item() (*Item, error) {
	info, err := at.root.Stat(osPath(at.path))
	if err != nil {
		return nil, err
	}
	item := describe(at.path, info)
	return &item, nil
}
