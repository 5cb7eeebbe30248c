package testkernel_test

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// jupyterClient starts the kernel by its kernelspec, as jupyter_server does, and talks with it.
const jupyterClient = `
import sys, time
from jupyter_client import KernelManager, localinterfaces

transport, address = sys.argv[1:]
where = {}
if transport == "tcp":  # a port that is looked for may be somebody else's by the time the kernel binds it; none of these is on that address
    localinterfaces.local_ips()
    localinterfaces.LOCAL_IPS.append(address)
    channels = ["shell", "iopub", "stdin", "control", "hb"]
    where = {"ip": address, "cache_ports": False, **{name + "_port": 20001 + i for i, name in enumerate(channels)}}
km = KernelManager(kernel_name="testkernel", transport=transport, **where)
km.start_kernel()
kc = km.client()
kc.start_channels()
kc.wait_for_ready(timeout=120)

def outputs(code, **kw):
    out = []
    reply = kc.execute_interactive(code, timeout=120, output_hook=lambda m: out.append((m["msg_type"], m["content"], m["buffers"])), **kw)
    return reply["content"]["status"], [o for o in out if o[0] not in ("status", "execute_input")]

status, out = outputs("1")
assert status == "ok" and out[0][1]["data"] == {"text/plain": "1"}, (status, out)
status, out = outputs("flood 500")
assert "".join(o[1]["text"] for o in out) == "".join(f"{i}\n" for i in range(500)), out
status, out = outputs("buffer 5")
assert bytes(out[0][2][0]) == b"\xfe" * 5, out
status, out = outputs("input who", allow_stdin=True, stdin_hook=lambda m: kc.input("me"))
assert out[0][1]["text"] == "me\n", out
while not kc.hb_channel.is_beating():  # a beat that takes a second is missed; another one comes
    assert kc.is_alive()
    time.sleep(.01)

kc.execute("sleep 60000")
while kc.get_iopub_msg(timeout=120)["msg_type"] != "execute_input": pass
km.interrupt_kernel()
assert kc.get_shell_msg(timeout=120)["content"]["ename"] == "KeyboardInterrupt"
km.restart_kernel()
kc.wait_for_ready(timeout=120)
assert outputs("env KERNEL_TEST")[1][0][1]["data"]["text/plain"] == "from the spec"
kc.stop_channels()
km.shutdown_kernel()
print("all went well")
`

func TestJupyterClientStartsAndDrivesIt(t *testing.T) {
	t.Parallel()
	py := cmp.Or(os.Getenv("HOPYARD_TEST_PYTHON"), "python3")
	if err := exec.Command(py, "-c", "import jupyter_client").Run(); err != nil {
		t.Skipf("%s has no jupyter_client: set HOPYARD_TEST_PYTHON", py)
	}
	dir, err := os.MkdirTemp("", "jupyter") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	spec, _ := json.Marshal(map[string]any{
		"argv": []string{here(t), "-f", "{connection_file}"}, "display_name": "test", "language": "testkernel",
		"env": map[string]string{beKernel: "1", "KERNEL_TEST": "from the spec"},
	})
	folder := filepath.Join(dir, "kernels", "testkernel")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kernel.json"), spec, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{"tcp", "ipc"} {
		cmd := exec.Command(py, "-c", jupyterClient, transport, loopback())
		cmd.Env = append(os.Environ(), "JUPYTER_PATH="+dir, "JUPYTER_RUNTIME_DIR="+dir, "HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", transport, err, out)
		}
	}
}
