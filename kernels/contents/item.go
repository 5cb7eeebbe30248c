package contents

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
)

// Want says what Get is to give.
type Want struct {
	User    string // whose trust counts for a notebook's output
	Type    Type   // empty: whatever it is
	Format  Format // of a file: Text, Base64, or empty for whichever fits
	Content bool
	Hash    bool
}

// Get gives what stands at path. It is a problem.NotFound if nothing does or it is hidden or outside, a
// problem.Invalid if it is not of the wanted type ("bad type") or format ("bad format") or is no readable notebook.
func (s *Store) Get(ctx context.Context, project, path string, want Want) (*Item, error) {
	at, err := s.at(project, path, hiddenNotFound)
	if err != nil {
		return nil, err
	}
	info, err := at.root.Stat(osPath(at.path))
	if err != nil {
		return nil, explain(at.path, err)
	}
	item := describe(at.path, info)
	if err := fits(&item, want.Type); err != nil {
		return nil, err
	}
	switch {
	case item.Type == Directory && want.Content:
		item.Items, err = s.list(at)
		item.Format = JSON
	case item.Type != Directory && (want.Content || want.Hash):
		err = s.read(ctx, project, at, &item, want)
	}
	if err != nil {
		return nil, explain(at.path, err)
	}
	return &item, nil
}

// fits settles item's type by what the client asked for.
func fits(item *Item, want Type) error {
	switch {
	case want == "", want == item.Type:
		return nil
	case item.Type == Directory:
		return problem.New(problem.Invalid, "%s is a directory, not a %s", item.Path, want).WithReason(badType)
	case want == Directory:
		return problem.New(problem.Invalid, "%s is not a directory", item.Path).WithReason(badType)
	}
	item.Type = want
	item.Mimetype = mimetypeOf(want, item.Name)
	return nil
}

// mimetypeOf leaves notebooks without a MIME type, as Jupyter does.
func mimetypeOf(t Type, name string) string {
	if t != File {
		return ""
	}
	return Mimetype(name)
}

// describe makes the Item of a path from what the file system knows of it.
func describe(path string, info fs.FileInfo) Item {
	_, name := split(path)
	item := Item{Name: name, Path: path, Type: typeOf(name), Modified: info.ModTime(), Created: created(info), Writable: writable(info), Size: info.Size()}
	if info.IsDir() {
		item.Type, item.Size = Directory, 0
	}
	item.Mimetype = mimetypeOf(item.Type, name)
	return item
}

// created is the time of the last change of the inode, the best that Python has on Linux; since a save makes a new file, it is that
// of the last save.
func created(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}

// writable tells by owner, group and mode whether this process may write; it costs no system call for each entry of a listing.
func writable(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case !ok:
		return mode&0o222 != 0
	case os.Geteuid() == 0:
		return true
	case int(st.Uid) == os.Geteuid():
		return mode&0o200 != 0
	case inGroup(int(st.Gid)):
		return mode&0o020 != 0
	}
	return mode&0o002 != 0
}

func inGroup(gid int) bool {
	if gid == os.Getegid() {
		return true
	}
	groups, _ := os.Getgroups()
	return slices.Contains(groups, gid)
}

// list gives a folder's children by name. What is neither file nor folder, what is hidden and what leads nowhere is left out. It also
// sweeps what killed saves and abandoned uploads left in the folder.
func (s *Store) list(at place) ([]Item, error) {
	dir, err := at.root.Open(osPath(at.path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(entries))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			s.sweep(at.root, join(at.path, e.Name()))
		}
		if unlisted(e.Name()) {
			continue
		}
		if item, ok := s.entry(at, e); ok {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	return items, nil
}

func (s *Store) entry(at place, e fs.DirEntry) (Item, bool) {
	path := join(at.path, e.Name())
	info, err := e.Info()
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		info, err = at.root.Stat(path) // fails for a link that leads out or nowhere
	}
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return Item{}, false
	}
	return describe(path, info), true
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// Open opens the file at path for reading, to be served as it is. The caller closes it.
func (s *Store) Open(project, path string) (*os.File, fs.FileInfo, error) {
	at, err := s.at(project, path, hiddenNotFound)
	if err != nil {
		return nil, nil, err
	}
	f, info, err := openFile(at.root, at.path)
	return f, info, explain(at.path, err)
}

// openFile opens a regular file and nothing else: opening a named pipe would wait for ever, so it does not block.
func openFile(root *os.Root, path string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(osPath(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = problem.New(problem.Invalid, "Cannot read non-file %s", path).WithReason(badType)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// IsDir reports whether path is a folder that may be seen.
func (s *Store) IsDir(project, path string) bool {
	at, err := s.at(project, path, hiddenNotFound)
	if err != nil {
		return false
	}
	info, err := at.root.Stat(osPath(at.path))
	return err == nil && info.IsDir()
}

// IsFile reports whether path is a file that may be seen.
func (s *Store) IsFile(project, path string) bool {
	at, err := s.at(project, path, hiddenNotFound)
	if err != nil {
		return false
	}
	info, err := at.root.Stat(osPath(at.path))
	return err == nil && info.Mode().IsRegular()
}

// Resolve finds the path of something that exists and that a program calls by path, be that absolute or below the root.
func (s *Store) Resolve(project, path string) (string, bool) {
	at, err := s.at(project, "", hiddenNotFound)
	if err != nil {
		return "", false
	}
	if rest, ok := strings.CutPrefix(path, at.root.Name()+"/"); ok {
		path = rest
	} else if path == at.root.Name() {
		path = ""
	}
	if at, err = s.at(project, path, hiddenNotFound); err != nil {
		return "", false
	}
	_, err = at.root.Stat(osPath(at.path))
	return at.path, err == nil
}
