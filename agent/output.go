package agent

import (
	"os"
	"sync"
	"time"
)

// output takes what one generation of a program writes to its standard output and error past its protocol: a capped file
// for Logs and a tail in memory for error messages. It drains always, so that a chatty program never blocks.
type output struct {
	path    string
	w       *os.File      // the program's end
	drained chan struct{} // closed when the last process that held the program's end has let go

	mu   sync.Mutex // guards below
	tail []byte
	file *os.File
	size int64
}

const (
	tailBytes  = 8 << 10
	outputFile = 1 << 20 // bytes; then the file begins again and the older one is kept as .1
)

func newOutput(path string) (*output, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	o := &output{path: path, w: w, file: f, drained: make(chan struct{})}
	if info, err := f.Stat(); err == nil {
		o.size = info.Size()
	}
	go o.drain(r)
	return o, nil
}

// started closes our copy of the program's end, once the program has its own.
func (o *output) started() { _ = o.w.Close() }

func (o *output) drain(r *os.File) {
	defer close(o.drained)
	defer r.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Read(buf)
		o.add(buf[:n])
		if err != nil {
			o.mu.Lock()
			defer o.mu.Unlock()
			_ = o.file.Close()
			return
		}
	}
}

func (o *output) add(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, b...)
	if over := len(o.tail) - tailBytes; over > 0 {
		o.tail = append(o.tail[:0], o.tail[over:]...)
	}
	if o.size+int64(len(b)) > outputFile {
		_ = os.Rename(o.path, o.path+".1")
		if f, err := os.OpenFile(o.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err == nil {
			_ = o.file.Close()
			o.file, o.size = f, 0
		}
	}
	n, _ := o.file.Write(b) // a full disk costs log lines, nothing else
	o.size += int64(n)
}

// lastWords gives the end of the output of a program that has ended, with all that descended from it. It waits for what is still in
// the pipe, but not for ever: a descendant that cannot die holds it.
func (o *output) lastWords() string {
	select {
	case <-o.drained:
	case <-time.After(2 * time.Second):
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.tail)
}
