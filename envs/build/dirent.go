package build

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// dirent is an entry of a folder, with the number of its inode, which os.ReadDir does not tell.
type dirent struct {
	inode uint64
	kind  uint8 // unix.DT_REG …
	name  string
}

// The fields of Linux's struct linux_dirent64 (getdents64(2)): inode, offset, length, kind, name, NUL.
const (
	direntLength = 16
	direntKind   = 18
	direntName   = 19
)

// readDir reads the entries of an open folder.
func readDir(fd int) ([]dirent, error) {
	var entries []dirent
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return entries, err
		}
		entries = appendDirents(entries, buf[:n])
	}
}

// appendDirents reads a buffer that getdents64 has filled.
func appendDirents(entries []dirent, b []byte) []dirent {
	for len(b) > direntName {
		length := int(binary.NativeEndian.Uint16(b[direntLength:]))
		if length <= direntName || length > len(b) {
			return entries // not as the kernel writes it
		}
		name, _, _ := bytes.Cut(b[direntName:length], []byte{0})
		if text := string(name); text != "." && text != ".." {
			entries = append(entries, dirent{binary.NativeEndian.Uint64(b), b[direntKind], text})
		}
		b = b[length:]
	}
	return entries
}

// kindOf asks for the kind of an entry where the filesystem does not say.
func kindOf(dir int, name string) (uint8, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	return uint8(st.Mode & unix.S_IFMT >> 12), nil // as the kernel makes one of the other
}
