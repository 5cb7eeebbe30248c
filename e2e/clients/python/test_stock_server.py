"""A stock `jupyter server --gateway-url`: what its own pages and clients see of our kernels."""

import json
import uuid

import websocket


def test_kernelspecs_and_their_resources_come_through(in_front):
    specs = in_front.ask("GET", "/api/kernelspecs")
    spec = specs["kernelspecs"][specs["default"]]
    assert spec["spec"]["language"] == "python"
    assert spec["resources"]


def test_a_session_runs_a_cell_over_the_websocket(in_front):
    body = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = in_front.ask("POST", "/api/sessions", body)
    kernel = session["kernel"]["id"]
    socket = websocket.create_connection(f"{in_front.ws_url}/api/kernels/{kernel}/channels?session_id=one", timeout=60)
    request = execute_request("print(6 * 7)")
    socket.send(json.dumps(request))
    text = ""
    while True:
        message = json.loads(socket.recv())
        if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
            continue
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    socket.close()
    assert text == "42\n"
    in_front.ask("DELETE", "/api/sessions/" + session["id"])
    assert in_front.ask("GET", "/api/kernels") == []


def execute_request(code):
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "x", "session": "one", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
