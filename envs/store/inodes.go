package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Inode is one file on disk, however many names it has.
type Inode struct {
	Number uint64
	Bytes  int64 // that it takes on disk
}

// Inodes are the regular files of a prefix, each once.
type Inodes []Inode

// inodesMagic begins the file, so that another format can follow one day.
const inodesMagic = "hopyard inodes 1\n"

const inodeSize = 16

func (l Inodes) encode() []byte {
	b := make([]byte, 0, len(inodesMagic)+inodeSize*len(l))
	b = append(b, inodesMagic...)
	for _, n := range l {
		b = binary.LittleEndian.AppendUint64(b, n.Number)
		b = binary.LittleEndian.AppendUint64(b, uint64(n.Bytes))
	}
	return b
}

var errInodes = errors.New("not a list of files")

func decodeInodes(b []byte) (Inodes, error) {
	b, ok := bytes.CutPrefix(b, []byte(inodesMagic))
	if !ok || len(b)%inodeSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes", errInodes, len(b))
	}
	l := make(Inodes, 0, len(b)/inodeSize)
	for ; len(b) > 0; b = b[inodeSize:] {
		n := Inode{binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:]))}
		if n.Bytes < 0 {
			return nil, fmt.Errorf("%w: a file of %d bytes", errInodes, n.Bytes)
		}
		l = append(l, n)
	}
	return l, nil
}

// shortHash names things by their content.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
