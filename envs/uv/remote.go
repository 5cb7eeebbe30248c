package uv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs/fetch"
)

// remoteFile reads pieces of a file on a server that knows ranges, so that a wheel's few words on itself can be had without all
// of it. It is for one reader at a time.
type remoteFile struct {
	ctx     context.Context // for the life of this value, which is one call
	address string
	known   fetch.Credentials

	size  int64
	start int64 // of piece
	piece []byte
}

// pieceSize is what one request brings, in bytes: the table of contents of most wheels, and METADATA, which stands before it.
const pieceSize = 64 << 10

// open asks for the file's end and returns its size, which must be the one known unless that is 0.
func (f *remoteFile) open(known int64) (int64, error) {
	header, err := f.read(fmt.Sprintf("bytes=-%d", pieceSize))
	if err != nil {
		return 0, err
	}
	_, total, _ := strings.Cut(header, "/")
	f.size, err = strconv.ParseInt(total, 10, 64)
	if err != nil || known != 0 && f.size != known {
		return 0, errors.New("the file has another size than the locked one")
	}
	f.start = f.size - int64(len(f.piece))
	return f.size, nil
}

// ReadAt is io.ReaderAt.
func (f *remoteFile) ReadAt(p []byte, at int64) (int, error) {
	done := 0
	for done < len(p) {
		from := at + int64(done)
		if from >= f.size {
			return done, io.EOF
		}
		if from < f.start || from >= f.start+int64(len(f.piece)) {
			want := max(int64(len(p)-done), pieceSize)
			if _, err := f.read(fmt.Sprintf("bytes=%d-%d", from, min(from+want, f.size)-1)); err != nil {
				return done, err
			}
			f.start = from
		}
		done += copy(p[done:], f.piece[from-f.start:])
	}
	return done, nil
}

// read puts a range into piece and returns the answer's Content-Range.
func (f *remoteFile) read(span string) (string, error) {
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, f.address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Range", span)
	req.Header.Set("Accept-Encoding", "identity")
	f.known.Authorize(req)
	res, err := fetch.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusPartialContent {
		return "", fmt.Errorf("the server knows no ranges: %s", res.Status)
	}
	f.piece, err = io.ReadAll(io.LimitReader(res.Body, maxMetadata))
	if err == nil && len(f.piece) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return res.Header.Get("Content-Range"), err
}
