"""Makes a real conda channel for tests: the CPython of this machine and wheels as they are, as packages, with an index.

    channel.py wheels OUT --python EXE [--python EXE]               downloads the pinned wheels into OUT, with pip
    channel.py channel OUT --wheels W --python EXE [--python EXE]   writes the channel to OUT

Needs what tools.txt pins. The first EXE is the interpreter that the wheels with compiled parts are for. What differs from a
channel of conda-forge: one package python holds what is several there, and wheels keep the libraries that they carry.
It exits with 77 and a line that names it when a tool is missing on this machine.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MISSING = 77  # the exit status of automake's tests that cannot run

# Of these a second version is there, so that pins, upgrades and rollbacks are real.
OLDER = ["numpy==1.26.4", "traitlets==5.14.3", "ipykernel==6.29.5", "nest-asyncio==1.6.0"]

# What is in the index of wheels alone, so that a pip part is really needed for it.
WHEELS_ONLY = ["cowsay", "tabulate"]

# What a kernel needs that is compiled for one minor version alone.
COMPILED = ["pyzmq"]


def download(out: Path, pythons):
    """Downloads the pinned wheels, and for further interpreters those that are compiled for each."""
    out.mkdir(parents=True, exist_ok=True)
    pins = [line.strip() for line in (HERE / "wheels.txt").read_text().splitlines() if line.strip() and not line.startswith("#")]
    first, *others = map(minor_of, pythons)
    pip_download(out, first, pins)
    pip_download(out, first, OLDER)
    for minor in others:
        pip_download(out, minor, [p for p in pins if p.split("==")[0] in COMPILED])
    import edges

    edges.write_wheels(out)


def pip_download(out, minor, pins):
    machine = os.uname().machine
    platforms = [f"--platform=manylinux{v}_{machine}" for v in ("_2_28", "_2_17", "2014")]
    subprocess.check_call([
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
        "--implementation=cp", f"--python-version={minor}", *platforms, f"--dest={out}", *pins,
    ])  # fmt: skip


def minor_of(python):
    return subprocess.check_output([python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], text=True).strip()


def make(out: Path, wheel_folder: Path, pythons):
    """Writes every package, then the index."""
    import cpython
    import edges
    import wheels

    for python in pythons:
        for package in cpython.packages(python):
            package.write(out)
    skip = {*WHEELS_ONLY, *(name for name, *_ in edges.WHEELS)}
    for package in wheels.packages(wheel_folder, [minor_of(p) for p in pythons]):
        if package.name not in skip:
            package.write(out)
    for package in edges.packages():
        package.write(out)
    spoil = edges.spoil(out)
    index(out)
    spoil()


def index(out):
    from rattler.index import index_fs

    asyncio.run(index_fs(out, write_zst=True, write_shards=True, force=True))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("what", choices=["wheels", "channel"])
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--wheels", type=Path)
    arguments.add_argument("--python", action="append", required=True)
    asked = arguments.parse_args()
    if asked.what == "wheels":
        return download(asked.out, asked.python)
    import cpython

    try:
        make(asked.out, asked.wheels, asked.python)
    except cpython.Missing as tool:
        print(f"{tool} is not installed", file=sys.stderr)
        sys.stderr.flush()
        os._exit(MISSING)
    sys.stdout.flush()
    os._exit(0)  # py-rattler 0.28 may crash while the interpreter takes itself down


if __name__ == "__main__":
    main()
