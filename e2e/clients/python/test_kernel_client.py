"""jupyter-kernel-client: REST and the v1 framing, without jupyter_server's classes."""

import contextlib

from jupyter_kernel_client import JupyterKernelClient


@contextlib.contextmanager
def kernel(server):
    client = JupyterKernelClient(server_url=server.url, token=server.token)
    client.start()
    yield client
    client.stop(shutdown_now=True)  # it sleeps for ten seconds otherwise


def test_outputs_and_errors(ours):
    with kernel(ours) as client:
        reply = client.execute("print('a'); 1+1")
        assert reply["status"] == "ok"
        assert any(o.get("text") == "a\n" for o in reply["outputs"])
        assert client.execute("1/0")["status"] == "error"


def test_two_clients_on_one_kernel(ours):
    with kernel(ours) as client:
        client.execute("x = 41")
        second = JupyterKernelClient(server_url=ours.url, token=ours.token, kernel_id=client.id)
        second.start()
        reply = second.execute("x + 1")
        second.stop(shutdown_kernel=False)
        assert reply["outputs"][0]["data"]["text/plain"] == "42"
        assert client.execute("x")["status"] == "ok"
