"""Servers for the tests: a gateway of ours, and a stock Jupyter server that has no kernels but ours."""

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import pytest
from jupyter_server.gateway.gateway_client import GatewayClient

TOP = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("HOPYARD") or str(TOP / "bin" / "hopyard")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hopyard"
PREPARED = os.environ.get("HOPYARD_TEST_PREPARED") or str(CACHE / "prepared")

SEED = pathlib.Path(os.environ.get("HOPYARD_TEST_SEED") or CACHE / "e2e" / "seed")


class Server:
    """Where a Jupyter API is, and the token that opens it; empty where it wants none."""

    def __init__(self, url, token):
        self.url, self.token = url, token

    @property
    def ws_url(self):
        """The base of websocket addresses with the token in its path.

        jupyter_server's GatewayKernelClient sends its token with REST requests, but not when it opens its websocket; the base
        of that address is all that it can be told.
        """
        if not self.token:
            return self.url.replace("http", "ws", 1)
        scheme, _, rest = self.url.replace("http", "ws", 1).partition("://")
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}/t/{self.token}/{path}"

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"token {self.token}"} if self.token else {})
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers, method=method), timeout=300) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def be_the_gateway(self):
        """Makes this server the one that jupyter_server's gateway classes speak to, as JUPYTER_GATEWAY_* variables would."""
        GatewayClient.clear_instance()
        client = GatewayClient.instance()
        client.url, client.ws_url, client.auth_token = self.url, self.ws_url, self.token
        client.init_connection_args()


def end(process):
    process.send_signal(signal.SIGTERM)
    process.wait(120)


@contextlib.contextmanager
def gateway(data, config):
    """A gateway of ours on a data directory."""
    path = pathlib.Path(data, "config.yaml")
    path.write_text(json.dumps(config))  # JSON is YAML
    log = open(pathlib.Path(data, "log"), "w+")
    args = [BINARY, "serve", "--data", data, "--listen", "127.0.0.1:0", "--demo", "--config", path]
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=log, text=True)
    ready = next((line for line in process.stdout if line.startswith("ready ")), None)
    assert ready, "hopyard serve ended: " + pathlib.Path(log.name).read_text()
    token = pathlib.Path(data, "bootstrap", "admin.token").read_text().strip()
    yield Server(ready.split()[1] + "p/demo/jupyter", token)
    subprocess.run([BINARY, "stop", "--data", data], check=True, stderr=subprocess.DEVNULL)
    end(process)


@pytest.fixture(scope="session")
def ours():
    with tempfile.TemporaryDirectory(prefix="hopyard-e2e-") as data, gateway(data, {"prepared": PREPARED}) as server:
        yield server


@pytest.fixture(scope="session")
def channel():
    """The address of a real conda channel's server, for gateways that make environments; see e2e/lib/channel.mjs."""
    with tempfile.TemporaryDirectory(prefix="hopyard-channel-") as folder:
        program = os.environ.get("HOPYARD_TESTCHANNEL")
        if not program:
            program = folder + "/testchannel"
            subprocess.run(["go", "build", "-o", program, "./internal/testchannel/cmd/testchannel"], check=True, cwd=TOP)
        process = subprocess.Popen([program, "-serve", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        yield process.stdout.readline().strip()
        end(process)


@pytest.fixture(scope="session")
def equipped(channel):
    """A gateway with environments of its own, made from the channel; see e2e/lib/own.mjs."""
    with tempfile.TemporaryDirectory(prefix="hopyard-e2e-") as data:
        prepared, starter = pathlib.Path(data, "prepared"), pathlib.Path(data, "environment.yml")
        (prepared / "envs").mkdir(parents=True)
        for name in ["tools", "ui"]:
            (prepared / name).symlink_to(pathlib.Path(PREPARED, name))
        for name in ["pkgs", "pyc"]:
            if (SEED / name).exists():
                subprocess.run(["cp", "-al", SEED / name, prepared / "envs"], check=True)
        starter.write_text("dependencies: [python=3.11, ipykernel]\n")
        environments = {"channel_urls": {"conda-forge": channel + "/channel"}, "index": channel + "/simple/", "starter": str(starter)}
        with gateway(data, {"prepared": str(prepared), "environments": environments}) as server:
            yield server


@pytest.fixture(scope="session")
def in_front(ours, tmp_path_factory):
    """A stock `jupyter server --gateway-url` in front of ours. It wants no token: the clients behind it are tested, not its door."""
    home = tmp_path_factory.mktemp("home")
    address = ".".join(["127", *(str(random.randint(1, 250)) for _ in range(3))])  # nobody else's, so that its ports are free
    args = [
        sys.executable, "-m", "jupyter_server", f"--gateway-url={ours.url}", f"--GatewayClient.auth_token={ours.token}",
        "--port=8888", "--ServerApp.port_retries=0", f"--ip={address}", "--no-browser", "--allow-root", "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={home}",
    ]
    env = os.environ | {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home), "JUPYTER_RUNTIME_DIR": str(home)}
    log = open(home / "log", "w+")
    process = subprocess.Popen(args, stdout=log, stderr=log, env=env)
    server = Server(f"http://{address}:8888", "")
    until_it_answers(server, process, home / "log")
    yield server
    end(process)


def until_it_answers(server, process, log):
    end_of_patience = time.monotonic() + 300
    while time.monotonic() < end_of_patience:
        assert process.poll() is None, log.read_text()
        try:
            return server.ask("GET", "/api")
        except OSError:
            time.sleep(0.1)
    raise AssertionError("jupyter server does not answer: " + log.read_text())


@pytest.fixture(params=["direct", "behind a stock server"])
def server(request):
    """Ours, and a stock server in front of ours: clients must not feel the difference."""
    return request.getfixturevalue("ours" if request.param == "direct" else "in_front")
