// Package tcpstat asks the operating system how many of the bytes written to a TCP connection it has taken, and how many
// of those the peer's system has confirmed. It is how we know what a client got when the process that wrote to it is gone.
package tcpstat

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Count is the state of the sending side of one connection, in bytes since it was made. Only differences are meaningful:
// the handshake counts too.
type Count struct {
	Accepted uint64 // taken by write
	Acked    uint64 // confirmed by the peer's system
}

// ErrUnstable means that the figures changed all the while they were being read.
var ErrUnstable = errors.New("tcpstat: connection too busy to read")

// Of reads the counts of the TCP socket fd. It is an error if fd is no TCP socket.
func Of(fd int) (Count, error) {
	for range 8 {
		before, err := acked(fd)
		if err != nil {
			return Count{}, err
		}
		queued, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		if err != nil {
			return Count{}, fmt.Errorf("tcpstat: SIOCOUTQ: %w", err)
		}
		after, err := acked(fd)
		if err != nil {
			return Count{}, err
		}
		if before == after {
			return Count{Accepted: after + uint64(queued), Acked: after}, nil
		}
	}
	return Count{}, ErrUnstable
}

func acked(fd int) (uint64, error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, fmt.Errorf("tcpstat: TCP_INFO: %w", err)
	}
	return info.Bytes_acked, nil
}
