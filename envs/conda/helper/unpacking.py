"""Unpacks archives into the cache of packages, so that py-rattler finds there what it links."""

import asyncio
import contextlib
import fcntl
import os
import pathlib
import shutil

from rattler.package_streaming import download_and_extract

from .checking import check_members, digest_of, folder_of, inspect, stamp
from .failures import Failure, explain_archive
from .network import client
from .records import revive

REVISION = 8  # bytes of the number that the cache's note of a package begins with; the SHA-256 of its archive follows


async def unpack(request):
    """Puts the package of an archive into the cache, when it was found to be the one of its record, and harmless. It is unpacked into
    the folder draft first, which is absent and on the same filesystem; where this fails, the draft may stay."""
    [record] = revive(request["records"])
    archive, draft, name = request["archive"], request["draft"], record.name.normalized
    if not os.path.exists(archive):
        raise Failure("package_missing", f"the channel lists {folder_of(record)} but does not have it", package=name)
    try:
        await check_members(archive, name)
        digest, _ = await download_and_extract(client(), pathlib.Path(archive).as_uri(), draft)
        if digest != record.sha256:
            raise mismatch(record)
        scripts = await asyncio.to_thread(inspect, draft, name)
        await asyncio.to_thread(place, request["packages"], draft, record, scripts)
    except Failure:
        raise
    except Exception as error:
        if await asyncio.to_thread(digest_of, archive) != record.sha256:
            raise mismatch(record) from error
        raise explain_archive(error, name) from error
    return {}


def mismatch(record):
    name = record.name.normalized
    return Failure("hash_mismatch", f"the file of {folder_of(record)} is not what the channel's index promises", package=name)


def place(cache, draft, record, scripts):
    """Moves an unpacked package to its place in the cache. Whoever dies here leaves no folder with a note of another archive."""
    folder = os.path.join(cache, folder_of(record))
    with locked(cache):
        if os.path.lexists(folder):
            os.rename(folder, draft + ".old")
        note(folder + ".lock", record.sha256)
        stamp(cache, record, scripts)
        os.rename(draft, folder)
    shutil.rmtree(draft + ".old", ignore_errors=True)


@contextlib.contextmanager
def locked(cache):
    """Has the cache alone: py-rattler holds this lock while it links."""
    with open(os.path.join(cache, ".cache.lock"), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def note(path, digest):
    """Says in py-rattler's form which archive a package of the cache is from: by that it knows packages of the same name apart."""
    try:
        with open(path, "rb") as file:
            revision = int.from_bytes(file.read(REVISION), "big")
    except FileNotFoundError:
        revision = 0
    with open(path, "wb") as file:
        file.write((revision + 1).to_bytes(REVISION, "big") + digest)
