"""The CPython of this machine as a package, whether it is built by hand (shared or static) or Debian's."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pack import PLACEHOLDER, SUBDIR, File, Package

PROBE = """
import json, sys, sysconfig
print(json.dumps(dict(version="%d.%d.%d" % sys.version_info[:3], prefix=sys.base_prefix,
    stdlib=sysconfig.get_path("stdlib"), include=sysconfig.get_path("include"),
    executable=getattr(sys, "_base_executable", None) or sys.executable,
    library=sysconfig.get_config_var("INSTSONAME") or "", libdir=sysconfig.get_config_var("LIBDIR") or "")))
"""

# What the installed interpreter must be able to do.
CHECK = """
import ctypes, lzma, os, site, sqlite3, ssl, sys, sysconfig, venv, zlib
want = os.path.join(os.environ["CHECK_PREFIX"], "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
assert sysconfig.get_path("purelib") == want, sysconfig.get_path("purelib")
assert sysconfig.get_path("platlib") == want, sysconfig.get_path("platlib")
assert want in site.getsitepackages(), site.getsitepackages()
assert want in sys.path, sys.path
"""

# Debian keeps site-packages for virtual environments, and this is how its library asks whether it is in one. Its site.py is
# frozen into the program, so what that leaves out is added by a file that it runs.
IN_VENV = b'sys.base_prefix != sys.prefix or hasattr(sys, "real_prefix")'
SITECUSTOMIZE = b"""import os, site, sys
_mine = os.path.join(sys.prefix, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
_debian = site.getsitepackages
site.getsitepackages = lambda prefixes=None: [_mine] if prefixes is None else _debian(prefixes)
site.addsitedir(_mine)
"""

UNWANTED = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "__pycache__", "ensurepip", "lib2to3",
    "EXTERNALLY-MANAGED", "sitecustomize.py",
}


class Missing(Exception):
    """A tool that is not on this machine; its text names it."""


def packages(executable):
    """The packages python and python_abi, made of the interpreter that executable leads to."""
    is_ = json.loads(subprocess.check_output([executable, "-I", "-c", PROBE]))
    minor = ".".join(is_["version"].split(".")[:2])
    files = stdlib(Path(is_["stdlib"]), is_["prefix"], minor)
    files |= headers(Path(is_["include"]), minor)
    files |= program(is_, minor)
    check(files, minor)
    tag = "cp" + minor.replace(".", "")
    python = Package(
        "python", is_["version"], "0_test_cpython", ["__glibc >=2.17", f"python_abi {minor}.*"], [f"python_abi {minor}.* *_{tag}"],
        noarch="", license="PSF-2.0", summary="CPython, repacked", files=files,
        more={"python_site_packages_path": f"lib/python{minor}/site-packages"},
    )
    # conda-forge's way to keep packages with compiled parts beside the minor that they are for.
    abi = Package("python_abi", minor, f"1_{tag}", license="BSD-3-Clause")
    return [python, abi.text(f"share/python_abi-{minor}", minor + "\n")]


def stdlib(folder, prefix, minor):
    root = f"lib/python{minor}"
    files = {f"{root}/site-packages/README.txt": File(b"Packages of this environment.\n")}
    if IN_VENV in (folder / "site.py").read_bytes():
        files[f"{root}/sitecustomize.py"] = File(SITECUSTOMIZE)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if unwanted(inside) or (path.is_dir() and not path.is_symlink()):
            continue
        f = read(path)
        if f and not f.link:
            f.data = rewrite(inside.name, f.data, prefix)
        if f:
            files[f"{root}/{inside.as_posix()}"] = f
    return files


def headers(folder, minor):
    found = {p.relative_to(folder).as_posix(): read(p) for p in sorted(folder.rglob("*.h"))}
    return {f"include/python{minor}/{path}": f for path, f in found.items() if f}


def program(is_, minor):
    """The interpreter, and its library where it is built with a shared one."""
    program = read(Path(is_["executable"]).resolve())
    files = {f"bin/{name}": File(link=f"python{minor}") for name in ("python", "python3")}
    # Debian's interpreter holds its library itself although its configuration says otherwise: ask the file.
    if is_["library"] and is_["library"].encode() + b"\0" in program.data:
        files |= {f"lib/{p.name}": read(p) for p in Path(is_["libdir"]).glob("libpython*.so*")}
        program.data = find_beside(program.data)
    files[f"bin/python{minor}"] = program
    return files


def find_beside(program):
    """Makes a program look for its libraries in ../lib, wherever it is put."""
    if shutil.which("patchelf") is None:
        raise Missing("patchelf")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "program")
        file.write_bytes(program)
        file.chmod(0o755)
        subprocess.check_call(["patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib", file])
        return file.read_bytes()


def rewrite(name, data, prefix):
    """What must change in a file of the standard library so that it is right in another place."""
    if name.startswith("_sysconfigdata"):
        mine, there = re.escape(prefix.encode()), PLACEHOLDER.encode()
        # Debian's prefix is a part of paths that are the system's: only values that are the prefix itself are ours.
        return re.sub(b"'" + mine + b"'", b"'" + there + b"'", data) if prefix == "/usr" else data.replace(prefix.encode(), there)
    return data.replace(IN_VENV, b"True") if name == "sysconfig.py" else data


def unwanted(inside):
    if inside.suffix in (".a", ".pyc"):
        return True
    return any(part in UNWANTED or part.startswith("config-") for part in inside.parts)


def read(path):
    """The file at path; None for a link that leads to another tree."""
    if path.is_symlink():
        link = path.readlink()
        return None if link.is_absolute() or ".." in link.parts else File(link=str(link))
    if not path.is_file():
        return None
    return File(path.read_bytes(), 0o755 if path.stat().st_mode & 0o111 else 0o644)


def check(files, minor):
    """Installs the package somewhere and runs it: better no channel than one whose Python looks elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        for path, f in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            if f.link:
                file.symlink_to(f.link)
                continue
            file.write_bytes(f.data.replace(PLACEHOLDER.encode(), folder.encode()))
            file.chmod(f.mode)
        subprocess.check_call([f"{folder}/bin/python", "-c", CHECK], env={"CHECK_PREFIX": folder, "PATH": "/usr/bin:/bin"})
