package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// kernelUser says under whose name kernels run. It is a plain statement and no check: nothing on the host changes it yet.
func kernelUser() Check {
	who := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	c := Check{
		Name: "Isolation", Status: Warn,
		Found: "kernels run as the gateway's own user (" + who + "), not isolated from each other",
		Means: "whoever may run code in one project can read and change every project's files and this gateway's database",
		Mend:  "give projects only to people who trust each other, and run the gateway as a user of its own that owns nothing else",
	}
	if os.Getuid() == 0 {
		c.Means = "kernels run as root: whoever may run code in a project owns this whole machine"
	}
	return c
}

func userNamespaces(ctx context.Context) Check {
	c := Check{Name: "User namespaces", Means: "a sandbox for kernels needs them, unless the gateway is root; kernels are not sandboxed yet"}
	cmd := exec.CommandContext(ctx, "/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		c.Status, c.Found = Warn, fmt.Sprintf("refused: %v", err)
		c.Mend = "sysctl kernel.unprivileged_userns_clone=1 and user.max_user_namespaces above 0; in a container, allow them from outside"
		return c
	}
	c.Status, c.Found = OK, "work"
	return c
}

// bubblewrap starts a program in a sandbox with all namespaces, as kernels will be.
func bubblewrap(ctx context.Context) Check {
	c := Check{Name: "bubblewrap", Means: "it makes the sandbox for kernels; kernels are not sandboxed yet"}
	path, err := exec.LookPath("bwrap")
	if err != nil {
		c.Status, c.Found, c.Mend = Warn, "not found", "apt install bubblewrap"
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "/bin/true").CombinedOutput()
	if err != nil {
		c.Status, c.Found = Warn, fmt.Sprintf("%s is there but does not work: %s", path, strings.TrimSpace(string(out)))
		c.Mend = "allow user namespaces (see above)"
		return c
	}
	c.Status, c.Found = OK, path+", works"
	return c
}

const cgroupRoot = "/sys/fs/cgroup"

// What limits for kernels need.
var controllers = []string{"cpu", "memory", "pids"}

// cgroups reads the controllers of the cgroup v2 tree, which may also be mounted beside the old ones.
func cgroups(root string) Check {
	c := Check{Name: "cgroup v2", Means: "limits of memory, CPU and processes need it; kernels are not limited yet"}
	var have []string
	for _, dir := range []string{root, filepath.Join(root, "unified")} {
		if text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers")); err == nil {
			have = strings.Fields(string(text))
			c.Found = "at " + dir + " with " + strings.Join(have, " ")
			break
		}
	}
	mend := "boot with systemd.unified_cgroup_hierarchy=1; in a container, delegate the controllers from outside"
	if c.Found == "" {
		c.Status, c.Found, c.Mend = Warn, "not mounted", mend
		return c
	}
	var lacks []string
	for _, name := range controllers {
		if !slices.Contains(have, name) {
			lacks = append(lacks, name)
		}
	}
	if len(lacks) > 0 {
		c.Status, c.Mend = Warn, mend
		c.Found += "; lacks " + strings.Join(lacks, " ")
		return c
	}
	c.Status = OK
	return c
}

// Sizes of what a data directory holds at the least.
const (
	diskMissing = 1 << 30 // tools, a first environment and the Lab bundle take 0.8 GB
	diskWarn    = 5 << 30
)

// disk looks at the file system that the data directory is on, or will be.
func disk(data string) Check {
	c := Check{Name: "Disk", Needed: true, Means: "holds projects' files, journals, environments (0.4 GB or more each, less what they share), their tools and Lab (0.3 GB)"}
	dir := existing(data)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		c.Status, c.Found = Warn, fmt.Sprintf("%s: %v", dir, err)
		return c
	}
	free := fs.Bavail * uint64(fs.Bsize)
	c.Found = fmt.Sprintf("%.1f GB free for %s", float64(free)/(1<<30), data)
	switch {
	case free < diskMissing:
		c.Status, c.Mend = Missing, "make room, or take another place with --data"
	case free < diskWarn:
		c.Status, c.Mend = Warn, "make room soon, or take another place with --data"
	default:
		c.Status = OK
	}
	return c
}

// existing is the nearest folder above path that is there.
func existing(path string) string {
	path, err := filepath.Abs(path)
	for err == nil {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) || path == "/" {
			return path
		}
		path = filepath.Dir(path)
	}
	return "/"
}

// Each websocket takes two files at most; 5,000 of them should fit.
const filesWanted = 16384

func files() Check {
	c := Check{Name: "Open files", Means: "a websocket takes two; the gateway raises its own limit to the hard one"}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		c.Status, c.Found = Warn, err.Error()
		return c
	}
	c.Status, c.Found = OK, fmt.Sprintf("hard limit %d", limit.Max)
	if limit.Max < filesWanted {
		c.Status, c.Mend = Warn, fmt.Sprintf("ulimit -Hn %d, or LimitNOFILE=%d in the systemd unit", filesWanted, filesWanted)
	}
	return c
}

// The longest path of a unix socket on Linux, without its closing zero byte, and what stands below the data directory.
const (
	socketLimit = 107
	socketTail  = len("/run/12345678-1234-1234-1234-123456789012/g1000/kernel-5")
)

func sockets(data string) Check {
	c := Check{Name: "Socket paths", Means: "programs listen on unix sockets, whose paths may have 107 bytes"}
	path, err := filepath.Abs(data)
	if err != nil {
		c.Status, c.Found = Warn, err.Error()
		return c
	}
	c.Found = fmt.Sprintf("%s has %d bytes", path, len(path))
	c.Status = OK
	if over := len(path) + socketTail - socketLimit; over > 0 {
		c.Status = Warn
		c.Means += "; these will lie below " + os.TempDir() + ", which others may clean"
		c.Mend = fmt.Sprintf("take a data directory whose path is %d bytes shorter", over)
	}
	return c
}
