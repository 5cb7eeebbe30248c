package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxDamage is how much is told of one package: it may be damaged as a whole, and its list may be made to fill the log.
const maxDamage = 1000

// once reads the files of a folder, each once. Lists of files come with the packages: they may name one a million times, and by many
// names where there are links, and whoever waits for the caches would wait for that.
type once struct {
	root  *os.Root
	known map[[2]uint64]content // by device and inode
}

// content is what a file has.
type content struct {
	sum  string // hexadecimal digits
	size int64
	err  error // why it cannot be read
}

func newOnce(root *os.Root) *once { return &once{root, map[[2]uint64]content{}} }

var (
	errContent = errors.New("its content is another")
	errNoFile  = errors.New("it is no plain file")
)

// differs says how a file is not what a list says; empty where it is. What it says once ctx has ended means nothing.
func (o *once) differs(ctx context.Context, f listed) string {
	have := o.read(ctx, f.Path)
	switch {
	case have.err != nil:
		return have.err.Error()
	case f.SHA256 == "":
		return ""
	case f.Size != nil && have.size != *f.Size:
		return fmt.Sprintf("it has %d bytes and should have %d", have.size, *f.Size)
	case have.sum != f.SHA256:
		return errContent.Error()
	}
	return ""
}

// read reads a file, or remembers it. It does not wait for one that gives nothing, such as a FIFO.
func (o *once) read(ctx context.Context, name string) content {
	file, err := o.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return content{err: err}
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return content{err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return content{err: errNoFile}
	}
	id := [2]uint64{uint64(st.Dev), st.Ino} //nolint:unconvert // its type is another on other systems
	if known, ok := o.known[id]; ok {
		return known
	}
	c := content{size: st.Size}
	if c.sum, c.err = hashOf(ctx, file); ctx.Err() == nil {
		o.known[id] = c
	}
	return c
}
