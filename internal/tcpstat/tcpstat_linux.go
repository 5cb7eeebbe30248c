// Package tcpstat asks the operating system how many of the bytes written to a TCP connection it has taken, and how many
// of those the peer's system has confirmed. It is how we know what a client got when the process that wrote to it is gone.
//
// Only differences of the counts are meaningful: the handshake counts too.
package tcpstat

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrUnstable means that the peer confirmed bytes all the while that the figures were being read.
var ErrUnstable = errors.New("tcpstat: connection too busy to read")

// Acked is how many bytes the peer's system has confirmed. It is an error if c is no TCP socket, or closed.
func Acked(c syscall.RawConn) (n uint64, err error) {
	cerr := c.Control(func(fd uintptr) { n, err = acked(int(fd)) })
	return n, errors.Join(cerr, err)
}

// Accepted is how many bytes the system has taken from those who write. Nobody may be writing meanwhile. It is an error if
// c is no TCP socket, or closed.
func Accepted(c syscall.RawConn) (n uint64, err error) {
	cerr := c.Control(func(fd uintptr) { n, err = accepted(int(fd)) })
	return n, errors.Join(cerr, err)
}

// accepted adds what is confirmed and what is queued. Those cannot be read at the same moment, and while a fast peer takes
// what is queued each reading gives bounds only: what has been taken does not change, so the bounds meet soon.
func accepted(fd int) (uint64, error) {
	least, most := uint64(0), ^uint64(0)
	for range 1000 {
		before, err := acked(fd)
		if err != nil {
			return 0, err
		}
		queued, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		if err != nil {
			return 0, fmt.Errorf("tcpstat: SIOCOUTQ: %w", err)
		}
		after, err := acked(fd)
		if err != nil {
			return 0, err
		}
		least, most = max(least, before+uint64(queued)), min(most, after+uint64(queued))
		if least == most {
			return least, nil
		}
	}
	return 0, ErrUnstable
}

func acked(fd int) (uint64, error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, fmt.Errorf("tcpstat: TCP_INFO: %w", err)
	}
	return info.Bytes_acked, nil
}
