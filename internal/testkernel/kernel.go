package testkernel

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
)

// Kernel is a running kernel. One goroutine serves shell and runs cells, another serves control meanwhile.
type Kernel struct {
	key                   []byte
	session               string
	shell, control, stdin *router
	iopub                 *publisher
	stderr                io.Writer

	cells      int // executed so far; of the shell goroutine
	interrupts chan struct{}
	hung       atomic.Bool
	exit       chan int
}

func newKernel(key []byte, stderr io.Writer) *Kernel {
	k := &Kernel{
		key: key, session: rand.Text(), shell: newRouter(), control: newRouter(), stdin: newRouter(), iopub: newPublisher(), stderr: stderr,
		interrupts: make(chan struct{}, 1), exit: make(chan int, 1),
	}
	go k.loop(k.shell)
	go k.loop(k.control)
	return k
}

func (k *Kernel) interrupt() {
	select {
	case k.interrupts <- struct{}{}:
	default:
	}
}

// loop serves the requests of one router in order.
func (k *Kernel) loop(on *router) {
	v := newVoice(k.key, k.session)
	seen := make(map[string]bool) // signatures: a kernel takes no message twice
	for in := range on.inbox {
		req, err := v.read(in)
		if err == nil && k.repeated(seen, req) {
			err = fmt.Errorf("%w: duplicate signature", errMessage)
		}
		if err != nil {
			fmt.Fprintln(k.stderr, "testkernel:", err)
			continue
		}
		k.serve(&call{Kernel: k, voice: v, on: on, request: req})
	}
}

// repeated says whether the same message came before, among the last thousands. The header is as good as the
// signature: it holds the id.
func (k *Kernel) repeated(seen map[string]bool, req request) bool {
	const remembered = 1 << 14
	id := string(req.parent)
	if seen[id] {
		return true
	}
	if len(seen) >= remembered {
		clear(seen)
	}
	seen[id] = true
	return false
}

// call is a request that is being served.
type call struct {
	*Kernel
	*voice
	request
	on *router
}

func (k *Kernel) serve(c *call) {
	if k.hung.Load() {
		return
	}
	c.stamp()
	c.publish("status", object{"execution_state": "busy"})
	c.answer()
	c.publish("status", object{"execution_state": "idle"})
}

// publish writes a message to iopub.
func (c *call) publish(kind string, content object, buffers ...[]byte) {
	c.iopub.publish(kind, c.append(nil, [][]byte{[]byte(kind)}, kind, c.parent, encode(content), buffers...))
}

// reply writes to whoever asked.
func (c *call) reply(kind string, content object) {
	c.on.send(c.identity, c.append(nil, c.route, kind, c.parent, encode(content)))
}

func (c *call) answer() {
	switch c.kind {
	case "execute_request":
		c.execute()
	case "kernel_info_request":
		c.reply("kernel_info_reply", kernelInfo)
	case "complete_request":
		c.reply("complete_reply", object{"status": "ok", "matches": []string{}, "cursor_start": 0, "cursor_end": 0, "metadata": object{}})
	case "inspect_request":
		c.reply("inspect_reply", object{"status": "ok", "found": false, "data": object{}, "metadata": object{}})
	case "history_request":
		c.reply("history_reply", object{"status": "ok", "history": []any{}})
	case "comm_info_request":
		c.reply("comm_info_reply", object{"status": "ok", "comms": object{}})
	case "is_complete_request":
		c.reply("is_complete_reply", object{"status": "complete"})
	case "interrupt_request":
		c.Kernel.interrupt()
		c.reply("interrupt_reply", object{"status": "ok"})
	case "shutdown_request":
		c.shutdown()
	}
}

func (c *call) shutdown() {
	var content struct {
		Restart bool `json:"restart"`
	}
	_ = json.Unmarshal(c.content, &content) // without it, no restart is meant
	c.reply("shutdown_reply", object{"status": "ok", "restart": content.Restart})
	c.publish("shutdown_reply", object{"status": "ok", "restart": content.Restart})
	c.publish("status", object{"execution_state": "idle"})
	c.end(0)
}

// end ends the process. It does not return.
func (c *call) end(code int) {
	c.exit <- code
	select {}
}

var kernelInfo = object{
	"status": "ok", "protocol_version": "5.4", "implementation": "testkernel", "implementation_version": "1",
	"banner": "A kernel that does what a test tells it to.", "help_links": []any{}, "supported_features": []string{},
	"language_info": object{"name": "testkernel", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"},
}
