"""Packages that do what packages in the wild do now and then, each small and each for one case. testchannel.go lists them."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

from pack import FAR_AHEAD, PLACEHOLDER, File, Package

MANY = 20_000


def packages():
    """The packages that can be indexed as they are."""
    yield from scripts()
    yield from outside()
    yield from conflicts()
    yield Package("clobber-one").text("share/clobber.txt", "one\n")
    yield Package("clobber-two").text("share/clobber.txt", "two\n")
    yield Package("many-files", files={f"share/many/{i // 200:03}/{i:05}.txt": File(b"%d\n" % i) for i in range(MANY)})
    yield Package("agpl", license="AGPL-3.0-only").text("share/agpl.txt", "licence\n")
    yield Package("odd-names").text("share/odd/größe 木.txt", "unicode\n").text("share/odd/Case", "upper\n").text("share/odd/case", "lower\n")
    yield Package("too-new").text("share/too-new.txt", "1.0\n")
    yield Package("too-new", "2.0", made=FAR_AHEAD).text("share/too-new.txt", "2.0\n")
    yield Package("symlink-inside", files={"share/inside.txt": File(b"inside\n"), "share/inside-link.txt": File(link="inside.txt")})
    yield activates()
    yield bash_kernel()
    yield from compiled()


def scripts():
    for name, script in (("link-script", 'touch "$PREFIX/POST_LINK_RAN"\n'), ("link-script-fails", "echo this script fails >&2\nexit 7\n")):
        yield Package(name).text(f"bin/.{name}-post-link.sh", "#!/bin/bash\n" + script, 0o755)


def outside():
    """Packages that try to write or to lead out of the environment."""
    yield Package("symlink-outside", files={"share/outside": File(link="../" * 24 + "etc/hostname"), "share/outside-absolute": File(link="/etc")})
    yield Package("tar-traversal", hidden={"../../tar-traversal.txt": File(b"evil\n")}).text("share/tar-traversal.txt", "harmless\n")
    # The folder before the file's is there in a cache of packages, so that the source of this path is really found.
    evil = "../paths-traversal-1.0-0/share/paths-traversal.txt"
    yield Package("paths-traversal", listed={evil: File(b"harmless\n")}).text("share/paths-traversal.txt", "harmless\n")
    yield Package("entry-traversal", noarch="python", depends=["python"], entry_points=["../../entry-traversal = os:getcwd"]).text(
        "site-packages/entry_traversal.py", "")


def conflicts():
    yield Package("conflict-base").text("share/conflict-base.txt", "1.0\n")
    yield Package("conflict-base", "2.0").text("share/conflict-base.txt", "2.0\n")
    yield Package("conflict-left", depends=["conflict-base <2"])
    yield Package("conflict-right", depends=["conflict-base >=2"])
    yield Package("constrainer", constrains=["conflict-base <2"])
    yield Package("missing-dependency", depends=["no-such-package >=1"])
    yield Package("needs-cuda", depends=["__cuda >=12"])
    yield Package("cycle-one", depends=["cycle-two"])
    yield Package("cycle-two", depends=["cycle-one"])


def activates():
    p = Package("activates")
    p.text("etc/conda/activate.d/activates.sh", 'export ACTIVATES="$CONDA_PREFIX/share/activates"\nexport PATH="$CONDA_PREFIX/share/activates/bin:$PATH"\n')
    p.text("etc/conda/deactivate.d/activates.sh", "unset ACTIVATES\n")
    p.text("etc/conda/env_vars.d/activates.json", json.dumps({"ACTIVATES_VARIABLE": "a value with spaces, $HOME and \"quotes\""}))
    return p.text("share/activates/bin/activates", "#!/bin/sh\necho activates\n", 0o755)


def bash_kernel():
    """The kernelspec of bash_kernel, whose wheel installs it by a command of its own."""
    p = Package("bash-kernelspec", depends=["bash-kernel"], summary="Bash as a kernel of notebooks")
    argv = [f"{PLACEHOLDER}/bin/python", "-m", "bash_kernel", "-f", "{connection_file}"]
    return p.text("share/jupyter/kernels/bash/kernel.json", json.dumps({"argv": argv, "display_name": "Bash", "language": "bash"}))


def compiled():
    """A compiled program that holds the environment's folder; none where there is no compiler."""
    if shutil.which("cc") is None:
        return
    source = f'#include <stdio.h>\nvolatile const char p[] = "{PLACEHOLDER}/etc/x";\nint main(void) {{ printf("%s\\n", (const char *)p); }}\n'
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "program")
        subprocess.run(["cc", "-x", "c", "-O0", "-o", program, "-"], input=source.encode(), check=True)
        yield Package("binary-prefix", noarch="", depends=["__glibc >=2.17"], files={"bin/binary-prefix": File(program.read_bytes(), 0o755)})


def spoil(channel: Path):
    """Adds artifacts that are not what the index says, and returns what must be called when the index is written."""
    wrong = Package("wrong-hash").text("share/wrong-hash.txt", "as indexed\n")
    gone = Package("missing-artifact")
    for p in (wrong, gone):
        p.write(channel)

    def after():
        wrong.text("share/wrong-hash.txt", "something else\n").write(channel)
        (channel / gone.subdir / gone.filename).unlink()

    return after


# Wheels that are in the folder of wheels alone: name, version, requirements, entry points.
WHEELS = [
    ("too-new-wheel", "1.0", [], ""),
    ("too-new-wheel", "2.0", [], ""),
    ("wants-old-numpy", "1.0", ["numpy<2"], ""),
    ("wants-the-impossible", "1.0", ["tabulate<0.1"], ""),
    ("entry-traversal-wheel", "1.0", [], "[console_scripts]\n../../entry-traversal-wheel = os:getcwd\n"),
]


def write_wheels(folder: Path):
    for name, version, requires, entry_points in WHEELS:
        write_wheel(folder, name.replace("-", "_"), version, requires, entry_points)
    write_sdist(folder)


def write_wheel(folder, name, version, requires, entry_points):
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {r}\n" for r in requires)
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hopyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        files[f"{info}/entry_points.txt"] = entry_points
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as out:
        for path, text in files.items():
            out.writestr(zipfile.ZipInfo(path), text)


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def write_sdist(folder):
    """A source distribution without a wheel, whose build would leave a mark beside it."""
    files = {
        "only-sdist-1.0/setup.py": "open('SETUP_PY_RAN', 'w').close()\nfrom setuptools import setup\nsetup(name='only-sdist', version='1.0')\n",
        "only-sdist-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: only-sdist\nVersion: 1.0\n",
    }
    with tarfile.open(folder / "only-sdist-1.0.tar.gz", "w:gz") as out:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            out.addfile(member, io.BytesIO(text.encode()))
