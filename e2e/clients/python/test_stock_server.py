"""A stock `jupyter server --gateway-url`: what its own pages and clients see of our kernels."""

import json
import uuid

import pytest
import websocket


def test_kernelspecs_and_their_resources_come_through(in_front):
    specs = in_front.ask("GET", "/api/kernelspecs")
    spec = specs["kernelspecs"][specs["default"]]
    assert spec["spec"]["language"] == "python"
    assert spec["resources"]


def test_a_session_runs_a_cell_over_the_websocket(in_front):
    body = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = in_front.ask("POST", "/api/sessions", body)
    socket = websocket.create_connection(channels(in_front, session["kernel"]["id"], "one"), timeout=300)
    assert run(socket, "print(6 * 7)") == "42\n"
    socket.close()
    in_front.ask("DELETE", "/api/sessions/" + session["id"])
    assert in_front.ask("GET", "/api/kernels") == []


def test_a_websocket_that_the_browser_gives_up_at_once_is_in_nobodys_way(in_front):
    """Browsers ask for a subprotocol first, which a stock server with a gateway behind it does not speak, and come again without.

    That server opens a websocket to us for each of the two, and leaves the first one open when its own is closed early.
    """
    kernel = in_front.ask("POST", "/api/kernels", {"name": "python3"})["id"]
    for n in range(10):
        address = channels(in_front, kernel, f"page-{n}")
        with pytest.raises(websocket.WebSocketException):
            websocket.create_connection(address, timeout=300, subprotocols=["v1.kernel.websocket.jupyter.org"])
        socket = websocket.create_connection(address, timeout=300)
        assert run(socket, f"print({n})") == f"{n}\n"
        socket.close()
    in_front.ask("DELETE", "/api/kernels/" + kernel)


def channels(server, kernel, session):
    return f"{server.ws_url}/api/kernels/{kernel}/channels?session_id={session}"


def run(socket, code):
    request = execute_request(code)
    socket.send(json.dumps(request))
    text = ""
    while True:
        message = json.loads(socket.recv())
        if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
            continue
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return text


def execute_request(code):
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "x", "session": "one", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
