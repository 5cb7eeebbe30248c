"""Looks at packages before they are linked, and refuses those that would do harm."""

import hashlib
import json
import os

from rattler.package_streaming import PackageArchive

from .failures import Failure

CHECKED = ".checked"  # folder in the cache: one file for each package that was found harmless, with the hash of its archive
SCRIPTS = ("post-link", "pre-link", "pre-unlink")


def stamp_of(cache, record):
    return os.path.join(cache, CHECKED, folder_of(record))


def folder_of(record):
    return f"{record.name.normalized}-{record.version}-{record.build}"


def checked(cache, record):
    """The scripts of a package that was found harmless before; None where it was not looked at yet."""
    try:
        with open(stamp_of(cache, record)) as file:
            known, *scripts = file.read().split("\n")
    except FileNotFoundError:
        return None
    return [script for script in scripts if script] if known == record.sha256.hex() else None


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).digest()


async def check_members(path, name):
    """Refuses an archive with a file that would be unpacked outside. py-rattler leaves such a file out without a word when it
    unpacks, and fails when it lists."""
    archive = await PackageArchive.from_path(path)
    for section in ("info", "pkg"):
        try:
            await archive.list_files(section)
        except OSError as error:
            _, escapes, member = str(error).partition("invalid package-relative archive path: ")
            if not escapes:
                return  # unpacking tells what else is wrong with it
            words = f"{name} is refused: its file {member!r} would be put outside of the environment"
            raise Failure("package_broken", words, package=name) from error


def check(cache, record):
    """Refuses a package in the cache that would write or read outside of its prefix, unless it was looked at before. Gives the scripts
    that it carries."""
    scripts = checked(cache, record)
    if scripts is None:
        scripts = inspect(os.path.join(cache, folder_of(record)), record.name.normalized)
        stamp(cache, record, scripts)
    return scripts


def stamp(cache, record, scripts):
    """Notes that a package was found harmless."""
    path = stamp_of(cache, record)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w") as file:
        file.write("\n".join([record.sha256.hex(), *scripts]))
    os.replace(draft, path)


def inspect(folder, name):
    """Refuses an unpacked package that would write or read outside of its prefix. Gives the scripts that it carries.

    py-rattler 0.28 refuses entry points that leave the prefix and does not unpack files that do: see check_members. It believes
    info/paths.json, though, and links whatever path that names, and it takes symbolic links as they are."""
    paths = listed(folder)
    noarch = is_noarch_python(folder)
    for path in paths:
        if not is_inside(path):
            raise Failure("package_broken", f"{name} is refused: its file {path!r} would be put outside of the environment", package=name)
        if path.startswith("conda-meta/") and path.endswith(".json"):
            raise Failure("package_broken", f"{name} is refused: its file {path!r} would pass for the record of an installed package", package=name)
    links = symlinks(folder)
    for path, target in links.items():
        if not stays_inside(mapped(path, noarch), target):
            raise Failure("package_broken", f"{name} is refused: its link {path} leads out of the environment, to {target}", package=name)
    for path in paths if links else ():
        if any(parent in links for parent in parents(path)):
            raise Failure("package_broken", f"{name} is refused: its file {path!r} is below one of its own links", package=name)
    for point in entry_points(folder):
        if "/" in point.partition("=")[0]:
            raise Failure("package_broken", f"{name} is refused: its entry point {point!r} would be put outside of the environment", package=name)
    return [script for script in SCRIPTS if os.path.lexists(os.path.join(folder, "bin", f".{name}-{script}.sh"))]


def listed(folder):
    """The paths that will be linked: those of info/paths.json, or of info/files in old packages."""
    try:
        with open(os.path.join(folder, "info", "paths.json")) as file:
            return [entry["_path"] for entry in json.load(file)["paths"]]
    except FileNotFoundError:
        with open(os.path.join(folder, "info", "files")) as file:
            return [line for line in file.read().splitlines() if line]


def entry_points(folder):
    try:
        with open(os.path.join(folder, "info", "link.json")) as file:
            return ((json.load(file).get("noarch") or {}).get("entry_points")) or []
    except FileNotFoundError:
        return []


def is_noarch_python(folder):
    with open(os.path.join(folder, "info", "index.json")) as file:
        return json.load(file).get("noarch") == "python"


def is_inside(path):
    parts = path.split("/")
    return bool(path) and path[0] != "/" and "\0" not in path and ".." not in parts


def parents(path):
    cut = path.rfind("/")
    while cut > 0:
        path = path[:cut]
        yield path
        cut = path.rfind("/")


def symlinks(folder):
    """All symbolic links of an unpacked package, whether it lists them or not: path -> target."""
    found, todo = {}, [""]
    while todo:
        below = todo.pop()
        with os.scandir(os.path.join(folder, below)) as entries:
            for entry in entries:
                path = f"{below}/{entry.name}" if below else entry.name
                if entry.is_symlink():
                    found[path] = os.readlink(entry.path)
                elif entry.is_dir():
                    todo.append(path)
    return found


def mapped(path, noarch_python):
    """Where a path of a package lands. Packages of pure Python do not know the folder of the interpreter's packages yet; only
    its depth matters here."""
    if noarch_python and path.startswith("site-packages/"):
        return "lib/python3/" + path
    if noarch_python and path.startswith("python-scripts/"):
        return "bin/" + path.removeprefix("python-scripts/")
    return path


def stays_inside(path, target):
    """Whether a link at path ends inside. Going up is allowed at the beginning only: after the name of a folder, which may be
    a link itself, ".." can lead anywhere."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    return bool(target) and target[0] != "/" and ".." not in parts[up:] and up <= path.count("/")
