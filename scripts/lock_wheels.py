"""Writes exact lists of wheels: envs/venv/starter, the first environment of projects where no conda channel answers, one list per
Python version; and envs/tools/lock, what environments are made with, one list for all versions.

uv resolves, because it evaluates environment markers for the Python that is asked for and not for the one that runs; pip then
picks the one wheel that it would install. Each line is a pip requirement, so that `pip install --require-hashes -r` takes the
file as it is; the comment is the wheel's name and size in bytes, for internal/wheels.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import venv

PYTHONS = ["3.11", "3.12", "3.13"]
OLDEST = "3.10"  # that the tools run on
GLIBC = [28, 27, 26, 24, 17, 12, 5]  # manylinux_2_N, newest first: every Linux since 2018 has 2.28
ENVS = pathlib.Path(__file__).resolve().parent.parent / "envs"
LOCK = ENVS / "tools" / "lock"
STARTER = ENVS / "venv" / "starter"
TOOLS = ["pip==26.3", "uv==0.13.9"]


def run(*args):
    subprocess.run([str(a) for a in args], check=True, stdout=sys.stderr)


def platforms():
    for minor in GLIBC:
        yield from ("--platform", f"manylinux_2_{minor}_x86_64")
    for old in ("manylinux2014", "manylinux2010", "manylinux1"):
        yield from ("--platform", f"{old}_x86_64")


def wheels(python, version, pins, work):
    """The wheels that pip picks for the pins, as files."""
    folder = work / f"wheels-{pins.stem}"
    run(python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder,
        "--python-version", version, "--implementation", "cp", *platforms(), "-r", pins)
    return sorted(folder.iterdir(), key=lambda file: file.name.lower())


def line(wheel):
    name, version = wheel.name.split("-")[:2]
    sha = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name}=={version} --hash=sha256:{sha} # {wheel.name} {wheel.stat().st_size}\n"


def for_every_python(wheel):
    """Whether a wheel's name says that later Pythons can install it, too."""
    python, abi, _ = wheel.stem.split("-")[-3:]
    return abi == "abi3" or "py3" in python.split(".")


def lock(bin_dir, version, source, target, work, every=False):
    pins = work / f"{target.stem}-{version}.pins"
    run(bin_dir / "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:",
        "--python-version", version, "--python-platform", "x86_64-manylinux_2_28", "-o", pins, source)
    files = wheels(bin_dir / "python", version, pins, work)
    if every and not all(map(for_every_python, files)):
        sys.exit(f"{target.name}: not all of {[file.name for file in files]} are for every Python")
    lines = [line(wheel) for wheel in files]
    head = f"# CPython {version}{' or newer' if every else ''}, linux x86_64, glibc 2.28 or newer. Written by `make lock`; do not edit.\n"
    target.write_text(head + "".join(lines))
    print(f"{target.name}: {len(lines)} wheels", file=sys.stderr)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        venv.create(work / "tools", with_pip=True)
        bin_dir = work / "tools" / "bin"
        run(bin_dir / "python", "-m", "pip", "install", "--quiet", *TOOLS)
        installer = work / "installer.in"
        installer.write_text(TOOLS[0] + "\n")
        lock(bin_dir, OLDEST, installer, LOCK / "installer.txt", work, every=True)
        lock(bin_dir, OLDEST, LOCK / "tools.in", LOCK / "tools.txt", work, every=True)
        for version in PYTHONS:
            lock(bin_dir, version, STARTER / "requirements.in", STARTER / f"py{version.replace('.', '')}.txt", work)


if __name__ == "__main__":
    main()
