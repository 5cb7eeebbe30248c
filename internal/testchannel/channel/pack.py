"""Packages of conda, written as they are specified: metadata after CEP 34, the .conda container after CEP 35.

Contents are held in memory, by path, so that a package can also hold what no tree on disk could.
"""

import hashlib
import io
import json
import os
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}[os.uname().machine]

# Stands for the environment's folder in files that name it. The installer puts the real one there. It has the length that
# conda-build uses, the longest prefix that then fits a compiled program.
PLACEHOLDER = ("/opt/hopyard_test_" + "placehold_" * 25)[:255]

# When packages were made, in seconds since 1970. Fixed, so that ages do not depend on when the channel was built: long
# ago, and, for what must always be too new, far ahead.
LONG_AGO = 1_704_067_200  # 2024-01-01
FAR_AHEAD = 4_070_908_800  # 2099-01-01


@dataclass
class File:
    """A file of a package, or a symbolic link where link is set."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""


@dataclass
class Package:
    """One package. noarch is "python", "generic" or, for packages of this platform, empty."""

    name: str
    version: str = "1.0"
    build: str = "0"
    depends: list = field(default_factory=list)
    constrains: list = field(default_factory=list)
    noarch: str = "generic"
    license: str = "MIT"
    summary: str = ""
    entry_points: list = field(default_factory=list)
    made: int = LONG_AGO
    files: dict = field(default_factory=dict)  # path -> File
    listed: dict = field(default_factory=dict)  # path -> File: in paths.json alone
    hidden: dict = field(default_factory=dict)  # path -> File: in the archive alone
    more: dict = field(default_factory=dict)  # more keys of index.json

    @property
    def subdir(self):
        return "noarch" if self.noarch else SUBDIR

    @property
    def filename(self):
        return f"{self.name}-{self.version}-{self.build}.conda"

    def text(self, path, text, mode=0o644):
        """Adds a text file."""
        self.files[path] = File(text.encode(), mode)
        return self

    def write(self, channel: Path):
        """Writes the package into its folder of the channel."""
        stem = self.filename.removesuffix(".conda")
        folder = channel / self.subdir
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / self.filename, "w", zipfile.ZIP_STORED) as out:
            out.writestr("metadata.json", '{"conda_pkg_format_version": 2}')
            out.writestr(f"pkg-{stem}.tar.zst", self._archive({**self.files, **self.hidden}))
            out.writestr(f"info-{stem}.tar.zst", self._archive(self._info()))

    def _info(self):
        info = {
            "index.json": {
                "name": self.name, "version": self.version, "build": self.build, "build_number": 0,
                "depends": self.depends, "constrains": self.constrains, "subdir": self.subdir, "license": self.license,
                "timestamp": self.made * 1000, "noarch": self.noarch or None,
                "platform": None if self.noarch else "linux", "arch": None if self.noarch else os.uname().machine,
                **self.more,
            },
            "paths.json": {"paths": [entry(p, f) for p, f in sorted({**self.files, **self.listed}.items())], "paths_version": 1},
            "about.json": {"summary": self.summary, "license": self.license},
        }
        if self.noarch == "python":
            info["link.json"] = {"noarch": {"type": "python", "entry_points": self.entry_points}, "package_metadata_version": 1}
        return {f"info/{name}": File(json.dumps(drop_none(value), indent=1).encode()) for name, value in info.items()}

    def _archive(self, files):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, f in sorted(files.items()):
                member = tarfile.TarInfo(path)
                member.mtime, member.mode, member.size = self.made, f.mode, len(f.data)
                if f.link:
                    member.type, member.linkname, member.size = tarfile.SYMTYPE, f.link, 0
                tar.addfile(member, io.BytesIO(f.data))
        return zstandard.ZstdCompressor(level=1, threads=-1).compress(raw.getvalue())


def entry(path, f):
    """One entry of paths.json."""
    if f.link:
        return {"_path": path, "path_type": "softlink", "sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0}
    e = {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(f.data).hexdigest(), "size_in_bytes": len(f.data)}
    if PLACEHOLDER.encode() in f.data:
        e |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "binary" if b"\0" in f.data else "text"}
    return e


def drop_none(d):
    return {k: v for k, v in d.items() if v is not None}
