"""Wheels as packages of conda, with the files, dependencies and entry points that they really have."""

import configparser
import re
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from pack import PLACEHOLDER, File, Package


class Wheel:
    """A wheel that is being read for one minor version of Python."""

    def __init__(self, path: Path, minor: str):
        self.minor = minor
        self.name, version, _, tags = parse_wheel_filename(path.name)
        self.version = str(version)
        self.pure = all(t.platform == "any" for t in tags)
        self.zip = zipfile.ZipFile(path)
        # What is noarch goes to a root of its own; the installer maps it to the environment's folders.
        self.site = "site-packages" if self.pure else f"lib/python{minor}/site-packages"
        self.bin = "python-scripts" if self.pure else "bin"
        self.metadata = HeaderParser().parsestr(self._info("METADATA"))
        self.scripts = self._scripts()

    def package(self):
        p = Package(
            str(self.name), self.version, "py_0" if self.pure else f"py{self.minor.replace('.', '')}_0", self.depends(),
            noarch="python" if self.pure else "", license=self.license(), summary=self.metadata.get("Summary", ""), files=self.files(),
        )
        if self.pure:
            p.entry_points = [f"{name} = {target}" for name, target in self.scripts.items()]
        else:
            p.files |= {f"bin/{name}": self.script(target) for name, target in self.scripts.items()}
        return p

    def files(self):
        roots = {"purelib": self.site, "platlib": self.site, "scripts": self.bin, "headers": "include", "data": ""}
        files = {}
        for info in self.zip.infolist():
            if info.is_dir():
                continue
            path = f"{self.site}/{info.filename}"
            if data := re.match(r"[^/]+\.data/([^/]+)/(.+)", info.filename):
                path = f"{roots[data[1]]}/{data[2]}".lstrip("/")
            body = self.zip.read(info)
            if body.startswith(b"#!python"):
                body = f"#!{PLACEHOLDER}/bin/python".encode() + body[body.index(b"\n") :]
            runs = (info.external_attr >> 16) & 0o111 or path.startswith(self.bin + "/")
            files[path] = File(body, 0o755 if runs else 0o644)
        files[f"{self._info_folder()}/INSTALLER"] = File(b"conda\n")
        return files

    def depends(self):
        environment = {"python_version": self.minor, "python_full_version": self.minor + ".0", "extra": ""}
        needed = [r for r in map(Requirement, self.metadata.get_all("Requires-Dist") or []) if not r.marker or r.marker.evaluate(environment)]
        depends = [f"{canonicalize_name(r.name)} {str(r.specifier).replace(' ', '')}".strip() for r in needed]
        if not self.pure:
            return [*depends, f"python {self.minor}.*", f"python_abi {self.minor}.* *_cp{self.minor.replace('.', '')}", "__glibc >=2.17"]
        return [*depends, f"python {(self.metadata.get('Requires-Python') or '').replace(' ', '')}".strip()]

    def license(self):
        said = self.metadata.get("License-Expression") or self.metadata.get("License") or ""
        if said.strip() and len(said.splitlines()[0]) < 60:
            return said.splitlines()[0]
        classifiers = [c for c in self.metadata.get_all("Classifier") or [] if c.startswith("License ::")]
        return classifiers[0].split(" :: ")[-1] if classifiers else ""

    def script(self, target):
        module, _, function = target.partition(":")
        first = function.split(".")[0]
        text = f"#!{PLACEHOLDER}/bin/python\nimport sys\nfrom {module} import {first}\nsys.exit({function}())\n"
        return File(text.encode(), 0o755)

    def _scripts(self):
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.optionxform = str
        parser.read_string(self._info("entry_points.txt"))
        section = parser["console_scripts"] if parser.has_section("console_scripts") else {}
        return {name: target.split("[")[0].replace(" ", "") for name, target in section.items()}

    def _info(self, name):
        found = [n for n in self.zip.namelist() if re.fullmatch(rf"[^/]+\.dist-info/{re.escape(name)}", n)]
        return self.zip.read(found[0]).decode() if found else ""

    def _info_folder(self):
        folder = next(n.split("/")[0] for n in self.zip.namelist() if ".dist-info/" in n)
        return f"{self.site}/{folder}"


def for_minor(path, minor):
    """Whether the wheel at path can be used with that minor version of Python."""
    major, number = map(int, minor.split("."))
    for tag in parse_wheel_filename(path.name)[3]:
        if tag.interpreter in ("py3", "py2", f"cp{major}{number}"):
            return True
        if tag.abi == "abi3" and int(tag.interpreter.removeprefix(f"cp{major}")) <= number:
            return True
    return False


def packages(folder: Path, minors):
    """All wheels of folder: pure ones once, the others for each minor version that they are for."""
    for path in sorted(folder.glob("*.whl")):
        fits = [m for m in minors if for_minor(path, m)]
        if not fits:
            continue
        pure = all(t.platform == "any" for t in parse_wheel_filename(path.name)[3])
        for minor in fits[:1] if pure else fits:
            yield Wheel(path, minor).package()
