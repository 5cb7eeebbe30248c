package contents

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"unicode/utf8"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents/nbformat"
)

// inMemory is the size up to which a file is read at once. A larger one is read twice, to look and to send, so that what a
// request holds does not grow with the file.
const inMemory = 16 << 20

// maxNotebook is the largest notebook that is opened as one: it is held in memory.
const maxNotebook = 512 << 20

// Content is the content of a file or notebook as one JSON value. It is for one reader, who closes it.
type Content struct {
	json []byte // all of it, or
	file *os.File
	to   func(w io.Writer, r io.Reader) error
}

// Len gives the length in bytes, -1 where it is not known beforehand.
func (c *Content) Len() int64 {
	if c.file != nil {
		return -1
	}
	return int64(len(c.json))
}

// WriteJSON writes the JSON value to w.
func (c *Content) WriteJSON(w io.Writer) error {
	if c.file == nil {
		_, err := w.Write(c.json)
		return err
	}
	if _, err := c.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return c.to(w, c.file)
}

// Close gives back what the Content holds.
func (c *Content) Close() error {
	if c == nil || c.file == nil {
		return nil
	}
	return c.file.Close()
}

// read fills in the item's content and hash as wanted.
func (s *Store) read(ctx context.Context, project string, at place, item *Item, want Want) (err error) {
	f, info, err := openFile(at.root, at.path)
	if err != nil {
		return err
	}
	defer func() {
		if item.Content == nil || item.Content.file != f {
			_ = f.Close()
		}
	}()
	item.Size, item.Modified = info.Size(), info.ModTime() // of the file we read, should another have taken its place
	switch {
	case !want.Content:
		item.Hash, err = hashOf(f)
	case item.Type == Notebook:
		err = s.readNotebook(ctx, project, f, item, want)
	case info.Size() <= inMemory:
		err = readSmall(f, item, want)
	default:
		err = readLarge(f, item, want)
	}
	return err
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// slurp reads a whole file of about the given size, and no more than limit.
func slurp(f *os.File, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, problem.New(problem.TooLarge, "the file is larger than %d MiB", limit>>20)
	}
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := b.ReadFrom(io.LimitReader(f, limit))
	return b.Bytes(), err
}

func (s *Store) readNotebook(ctx context.Context, project string, f *os.File, item *Item, want Want) error {
	b, err := slurp(f, item.Size, maxNotebook)
	if err != nil {
		return err
	}
	nb, err := nbformat.Parse(b)
	if err == nil {
		err = nbformat.Check(nb)
	}
	if err != nil {
		return problem.New(problem.Invalid, "Unreadable Notebook: %s: %w", item.Path, err)
	}
	item.Hash, item.Format = sum(b), JSON
	trusted, err := s.trust.has(ctx, project, want.User, item.Hash)
	if err != nil { // a notebook can be read without knowing whom to trust
		s.log.WarnContext(ctx, "trust of a notebook is not known", "project", project, "err", err)
	}
	item.Content = &Content{json: nbformat.Load(nb, trusted)}
	return nil
}

func readSmall(f *os.File, item *Item, want Want) error {
	b, err := slurp(f, item.Size, inMemory+1<<20)
	if err != nil {
		return err
	}
	if err := settle(item, want.Format, want.Format != Base64 && utf8.Valid(b)); err != nil {
		return err
	}
	if want.Hash {
		item.Hash = sum(b)
	}
	out := bytes.NewBuffer(make([]byte, 0, len(b)+len(b)/3+64))
	write := writeText
	if item.Format == Base64 {
		write = writeBase64
	}
	err = write(out, bytes.NewReader(b))
	item.Content = &Content{json: out.Bytes()}
	return err
}

func readLarge(f *os.File, item *Item, want Want) error {
	h, u := sha256.New(), &utf8Check{valid: true}
	look := io.Writer(u)
	if want.Hash {
		look = io.MultiWriter(h, u)
	}
	if _, err := io.CopyBuffer(look, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if err := settle(item, want.Format, want.Format != Base64 && u.done()); err != nil {
		return err
	}
	if want.Hash {
		item.Hash = hex.EncodeToString(h.Sum(nil))
	}
	item.Content = &Content{file: f, to: writeText}
	if item.Format == Base64 {
		item.Content.to = writeBase64
	}
	return nil
}

// settle fixes the format of a file's content, and its MIME type if the name did not tell it.
func settle(item *Item, want Format, text bool) error {
	mimetype := "text/plain"
	item.Format = Text
	if !text {
		if want == Text {
			return problem.New(problem.Invalid, "%s is not UTF-8 encoded", item.Path).WithReason(badFormat)
		}
		item.Format, mimetype = Base64, "application/octet-stream"
	}
	if item.Mimetype == "" {
		item.Mimetype = mimetype
	}
	return nil
}

func writeText(w io.Writer, r io.Reader) error {
	if _, err := io.WriteString(w, `"`); err != nil {
		return err
	}
	in, out := make([]byte, 64<<10), make([]byte, 0, 80<<10)
	for {
		n, err := r.Read(in)
		out = nbformat.AppendEscaped(out[:0], in[:n])
		if _, werr := w.Write(out); werr != nil {
			return werr
		}
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, `"`)
	return err
}

func writeBase64(w io.Writer, r io.Reader) error {
	if _, err := io.WriteString(w, `"`); err != nil {
		return err
	}
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.CopyBuffer(enc, struct{ io.Reader }{r}, make([]byte, 48<<10)); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w, `"`)
	return err
}

// utf8Check is a writer that tells whether all that went through it is UTF-8.
type utf8Check struct {
	valid bool
	tail  []byte // the beginning of a character that is not complete yet
}

func (u *utf8Check) Write(p []byte) (int, error) {
	if !u.valid {
		return len(p), nil
	}
	b := p
	for len(u.tail) > 0 && len(b) > 0 && !utf8.FullRune(u.tail) {
		u.tail, b = append(u.tail, b[0]), b[1:]
	}
	if len(u.tail) > 0 && !utf8.FullRune(u.tail) {
		return len(p), nil
	}
	end := len(b)
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		if utf8.RuneStart(b[len(b)-i]) {
			if !utf8.FullRune(b[len(b)-i:]) {
				end = len(b) - i
			}
			break
		}
	}
	u.valid = utf8.Valid(u.tail) && utf8.Valid(b[:end])
	u.tail = append(u.tail[:0], b[end:]...)
	return len(p), nil
}

func (u *utf8Check) done() bool { return u.valid && len(u.tail) == 0 }
