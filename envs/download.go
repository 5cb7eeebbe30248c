package envs

import (
	"os"
	"path/filepath"
	"sync"
	"time"
)

// download is what a plan needs that is not in the caches, in bytes.
func (s *Service) download(p *plan) int64 {
	var bytes int64
	there := s.folders.names(s.cfg.Store.Packages(p.options.Domain))
	for i := range p.lock.Packages {
		if c := &p.lock.Packages[i]; !there[c.Name+"-"+c.Version+"-"+c.Build] {
			bytes += c.Size
		}
	}
	wheels := s.cfg.Store.Wheels(p.options.Domain)
	for _, w := range p.lock.Wheels {
		if _, err := os.Lstat(filepath.Join(wheels, w.SHA256, w.Filename)); err != nil {
			bytes += w.Size
		}
	}
	return bytes
}

// folders remembers what is in folders, which tell by their times when that changes: to look for each of 500 packages takes longer
// than to check all that a lock says of them. The zero value is ready.
type folders struct {
	mu   sync.Mutex
	read map[string]folder // by path; guarded by mu
}

type folder struct {
	changed time.Time
	names   map[string]bool
}

// settled is how long ago a folder must have changed for its time to tell of the next change: clocks of file systems are coarse.
const settled = 2 * time.Second

// names are those in a folder; none where it cannot be read. The result is shared: do not change it.
func (f *folders) names(path string) map[string]bool {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.read[path]; ok && known.changed.Equal(info.ModTime()) {
		return known.names
	}
	names := listed(path)
	if time.Since(info.ModTime()) > settled {
		if f.read == nil {
			f.read = map[string]folder{}
		}
		f.read[path] = folder{info.ModTime(), names}
	}
	return names
}

func listed(path string) map[string]bool {
	dir, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer dir.Close()
	all, _ := dir.Readdirnames(-1) // as far as it can be read
	names := make(map[string]bool, len(all))
	for _, name := range all {
		names[name] = true
	}
	return names
}
