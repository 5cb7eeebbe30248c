package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Record is one thing that a program said, at its place in the one order of all that it said.
type Record struct {
	Seq  uint64 // 1, 2, 3 … without holes
	Gen  uint32 // the generation of the program: 1, and one more at every restart
	Kind uint8  // the bridge's own; a kernel's channel
	To   string // the client it is meant for, at most 255 bytes; empty means every client
	Body []byte
}

// Layout of an encoded record, on disk and on the attach socket alike, little-endian:
//
//	u32 length of what follows the checksum
//	u32 CRC-32C of it
//	u64 seq, u32 gen, u8 kind, u8 length of to, to, body
const (
	prefixSize = 8
	headSize   = 14
)

// MaxBody is the largest body in bytes that a record may have.
const MaxBody = 1 << 30

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errShort   = errors.New("journal: record is cut short")
)

// appendRecord encodes r behind dst.
func appendRecord(dst []byte, r *Record) []byte {
	start := len(dst)
	n := headSize + len(r.To) + len(r.Body)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, r.Seq)
	dst = binary.LittleEndian.AppendUint32(dst, r.Gen)
	dst = append(dst, r.Kind, uint8(len(r.To)))
	dst = append(dst, r.To...)
	dst = append(dst, r.Body...)
	sum := crc32.Checksum(dst[start+prefixSize:], castagnoli)
	binary.LittleEndian.PutUint32(dst[start+4:], sum)
	return dst
}

// recordSize is the encoded size of r in bytes.
func recordSize(r *Record) int { return prefixSize + headSize + len(r.To) + len(r.Body) }

// head is what a reader needs of a record to place and route it, without its body.
type head struct {
	size int // of the whole encoded record
	seq  uint64
	to   []byte
}

// peek reads the head of the record at the beginning of b, which may hold more. It does not check the sum.
func peek(b []byte) (head, error) {
	if len(b) < prefixSize+headSize {
		return head{}, errShort
	}
	n := int(binary.LittleEndian.Uint32(b))
	to := int(b[prefixSize+13])
	if n < headSize+to || n > headSize+255+MaxBody {
		return head{}, fmt.Errorf("journal: record length %d makes no sense", n)
	}
	if len(b) < prefixSize+n {
		return head{}, errShort
	}
	at := prefixSize + headSize
	return head{size: prefixSize + n, seq: binary.LittleEndian.Uint64(b[prefixSize:]), to: b[at : at+to]}, nil
}

// Decode reads the record at the beginning of b and returns what follows it. The record's Body points into b.
// The checksum is not compared: on a socket it cannot differ, and Open has compared those on disk.
func Decode(b []byte) (Record, []byte, error) {
	h, err := peek(b)
	if err != nil {
		return Record{}, nil, err
	}
	r := Record{
		Seq:  h.seq,
		Gen:  binary.LittleEndian.Uint32(b[prefixSize+8:]),
		Kind: b[prefixSize+12],
		Body: b[prefixSize+headSize+len(h.to) : h.size],
	}
	if len(h.to) > 0 {
		r.To = string(h.to)
	}
	return r, b[h.size:], nil
}

// verify compares the checksum of the record of that size at the beginning of b.
func verify(b []byte, size int) bool {
	return crc32.Checksum(b[prefixSize:size], castagnoli) == binary.LittleEndian.Uint32(b[4:])
}

// For returns those of the encoded records that are meant for the client. Where that is all of them, as it nearly always
// is, it returns data itself; otherwise it copies them behind scratch.
func For(data []byte, client string, scratch []byte) []byte {
	start := 0
	out := scratch
	mixed := false
	for at := 0; at < len(data); {
		h, err := peek(data[at:])
		if err != nil {
			break
		}
		if len(h.to) > 0 && string(h.to) != client {
			out = append(out, data[start:at]...)
			start = at + h.size
			mixed = true
		}
		at += h.size
	}
	if !mixed {
		return data
	}
	return append(out, data[start:]...)
}
