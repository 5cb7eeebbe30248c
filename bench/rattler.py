"""The peer: py-rattler alone, as a short script would use it.

    rattler.py serve                             one request in JSON a line, one answer a line
    rattler.py solve CHANNEL CACHE SPEC...       one solve, in a process of its own
    rattler.py install LOCK PREFIX CACHE         one installation of what a lock file names, in a process of its own
    rattler.py run PREFIX COMMAND...             activates an environment and runs a command in it, as conda run does
    rattler.py many FOLDER COUNT SCRIPTS         writes a channel of so many small packages, with the scripts of the test channel
    rattler.py wheels FOLDER SCRIPTS PIN...      writes a channel of wheels for Python 3.11, with the same scripts

It ends by os._exit: py-rattler may crash while the interpreter takes itself down.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import rattler
from rattler import LockChannel, LockFile, LockPlatform

PLATFORMS = ["linux-64", "noarch"]


class Peer:
    def __init__(self, cache):
        self.gateway = rattler.Gateway(cache_dir=cache)
        self.virtual = rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env())

    async def solve(self, channels, specs, locked=()):
        return await rattler.solve(
            sources=[rattler.Channel(c) for c in channels], specs=[rattler.MatchSpec(s) for s in specs], gateway=self.gateway,
            platforms=PLATFORMS, virtual_packages=self.virtual, locked_packages=list(locked),
        )


async def install(records, prefix, cache):
    began = time.perf_counter()
    await rattler.install(records, target_prefix=prefix, cache_dir=cache, installed_packages=[], show_progress=False)
    return time.perf_counter() - began


def write_lock(file, channels, records):
    platform = LockPlatform("linux-64")
    lock = LockFile([platform])
    lock.set_channels("default", [LockChannel(c) for c in channels])
    for record in records:
        lock.add_conda_package("default", platform, record)
    lock.to_path(file)


def read_lock(file):
    lock = LockFile.from_path(file)
    return lock.default_environment().conda_repodata_records_for_platform(lock.platforms()[0])


async def serve(cache):
    peer, known = Peer(cache), []
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["op"] == "solve":
            began = time.perf_counter()
            records = await peer.solve(ask["channels"], ask["specs"], known if ask.get("keep") else ())
            answer = {"seconds": time.perf_counter() - began, "count": len(records)}
            if not ask.get("keep"):
                known = records
            if ask.get("file"):
                write_lock(ask["file"], ask["channels"], records)
        else:
            answer = {"seconds": await install(known, ask["prefix"], ask["packages"])}
        print(json.dumps(answer), flush=True)


async def alone(what, *args):
    if what == "solve":
        channel, cache, *specs = args
        print(len(await Peer(cache).solve([channel], specs)))
    else:
        file, prefix, cache = args
        print(await install(read_lock(file), prefix, cache))


def run(prefix, command):
    from rattler.shell import ActivationVariables, Shell, activate

    script = activate(Path(prefix), ActivationVariables(), Shell.bash).script
    with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as file:
        file.write(script + '\nrm -f "$0"\nexec "$@"\n')
    os.execvp("bash", ["bash", "--noprofile", "--norc", file.name, *command])


def many(folder, count, scripts):
    sys.path.insert(0, scripts)
    from channel import index
    from pack import Package

    names = [f"many-{i:03}" for i in range(count)]
    for name in names:
        Package(name, license="BSD-3-Clause").text(f"share/many/{name}.txt", name + "\n").write(Path(folder))
    Package("many-all", depends=names).write(Path(folder))
    index(folder)


def wheels(folder, scripts, pins):
    sys.path.insert(0, scripts)
    from channel import index, pip_download
    from wheels import packages

    with tempfile.TemporaryDirectory() as got:
        pip_download(got, "3.11", pins)
        for package in packages(Path(got), ["3.11"]):
            package.write(Path(folder))
    index(folder)


def main(what, *args):
    if what == "serve":
        asyncio.run(serve(*args))
    elif what == "run":
        run(args[0], args[1:])
    elif what == "many":
        many(args[0], int(args[1]), args[2])
    elif what == "wheels":
        wheels(args[0], args[1], args[2:])
    else:
        asyncio.run(alone(what, *args))


code = 1
try:
    main(*sys.argv[1:])
    code = 0
except BaseException:
    import traceback

    traceback.print_exc()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
