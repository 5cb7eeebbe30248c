"""Kernels of two environments of a project, as clients find and use them: by kernelspecs that come and go by themselves."""

import time

import pytest

from test_nbclient import printed, run

ENVIRONMENTS = "/api/v1/projects/demo/environments"
ENDED = ("ready", "failed", "canceled")


def wait(what, ask, within=900):
    end = time.monotonic() + within
    while not (answer := ask()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
    return answer


@pytest.fixture
def console(equipped):
    """The console's API of a gateway with two environments; the second has an older traitlets."""
    console = type(equipped)(equipped.url.removesuffix("/p/demo/jupyter"), equipped.token)
    wait("the first environment is built", lambda: [e for e in console.ask("GET", ENVIRONMENTS)["items"] if e.get("active")])
    text = "dependencies: [python=3.11, ipykernel, traitlets=5.14.3]\n"
    console.ask("POST", ENVIRONMENTS, {"name": "second", "text": text})
    made = wait("the build has ended", lambda: (e := console.ask("GET", ENVIRONMENTS + "/second"))["latest"]["state"] in ENDED and e["latest"])
    assert made["state"] == "ready", made
    return console


def test_each_kernelspec_runs_in_its_environment(equipped, console):
    specs = equipped.ask("GET", "/api/kernelspecs")
    assert specs["default"] == "python3"
    assert {name: spec["spec"]["display_name"] for name, spec in specs["kernelspecs"].items()} == {
        "python3": "Python 3.11 (python)", "second": "Python 3.11 (second)",
    }
    for name, environment, version in [("python3", "python", "5.16.1"), ("second", "second", "5.14.3")]:
        prefix = console.ask("GET", f"{ENVIRONMENTS}/{environment}")["active"]["prefix"]
        (outputs,) = run(equipped, "import sys, traitlets; print(sys.prefix, traitlets.__version__)", kernelspec=name)
        assert printed(outputs) == f"{prefix} {version}\n"
    console.ask("DELETE", ENVIRONMENTS + "/second")
    assert list(equipped.ask("GET", "/api/kernelspecs")["kernelspecs"]) == ["python3"]
