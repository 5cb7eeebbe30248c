"""Links packages of the cache into a prefix, and tells how far that is."""

import contextlib
import json
import os
import time

import rattler

from .checking import check
from .failures import Failure, explain, lacking
from .network import client
from .records import revive

EVENT_PAUSE = 0.05  # seconds between two events
PATIENCE = 20  # seconds that a request may take which should not be made at all


async def install(request, tell):
    """Checks and links packages that are in the cache. One that is refused, or is not there, ends the helper at once: before any of its
    files is linked."""
    records = revive(request["records"])
    reporter = Reporter(records, request["packages"], tell)
    try:
        await rattler.install(
            records,
            target_prefix=request["prefix"],
            cache_dir=request["packages"],
            installed_packages=[],
            execute_link_scripts=False,
            show_progress=False,
            client=client(PATIENCE),
            reporter=reporter,
        )
    except Exception as error:
        raise explain(error) from error
    reporter.finish()
    clear_aside(request["prefix"])
    for line in clobbered(request["prefix"]):
        tell("log", text=line)
    return {}


class Reporter:
    """Hears of py-rattler what it does, and tells of it. It is called from many threads, one at a time."""

    def __init__(self, records, cache, tell):
        self.records = {record.name.normalized: record for record in records}
        self.cache = cache
        self.tell = tell
        self.names = []  # token -> name of the package
        self.linked, self.said = 0, 0.0

    def token(self, name):
        self.names.append(name)
        return len(self.names) - 1

    def progress(self, package="", last=False):
        """Tells how far linking is, not too often, but always of its end."""
        now = time.monotonic()
        if last or now - self.said >= EVENT_PAUSE:
            self.said = now
            self.tell("link", done=self.linked, total=len(self.records), package=package)

    def finish(self):
        if self.records:
            self.progress(last=True)

    def leave(self, failure):
        """Ends the helper. An exception raised in these methods would not stop py-rattler."""
        self.tell(None, failure=failure.fields)
        os._exit(0)

    def on_populate_cache_start(self, _operation, name):
        return self.token(name)

    def on_download_start(self, entry):
        self.leave(lacking(self.names[entry]))  # or nobody would see what is in the archive that should not be

    def on_populate_cache_complete(self, entry):
        self.admit(self.records[self.names[entry]])

    def admit(self, record):
        """Has a package checked before it is linked."""
        try:
            for script in check(self.cache, record):
                self.tell("log", text=f"{record.name.normalized} has a {script} script, which was not run")
        except BaseException as error:
            failure = explain(error)
            if failure.fields["cause"] == "tool_failed":
                failure = Failure("package_broken", f"{record.name.normalized} cannot be checked: {failure}", package=record.name.normalized)
            self.leave(failure)

    def on_link_start(self, _operation, name):
        return self.token(name)

    def on_link_complete(self, token):
        self.linked += 1
        self.progress(self.names[token])

    def __getattr__(self, name):
        if name.startswith("on_"):
            return lambda *_: 0
        raise AttributeError(name)


ASIDE = "__clobbers__"


def clear_aside(prefix):
    """Removes empty folders of files that were put aside and back: py-rattler leaves them or not, by which package was linked first."""
    for folder, _, _ in os.walk(os.path.join(prefix, ASIDE), topdown=False):
        with contextlib.suppress(OSError):  # it is not empty
            os.rmdir(folder)


def clobbered(prefix):
    """Says which files two packages both have. py-rattler keeps that of the package that it orders first, each time the same,
    and puts the others aside, below __clobbers__/<package>."""
    aside = os.path.join(prefix, ASIDE)
    if not os.path.isdir(aside):
        return
    owners = {}
    for name in os.listdir(os.path.join(prefix, "conda-meta")):
        if name.endswith(".json"):
            with open(os.path.join(prefix, "conda-meta", name)) as file:
                meta = json.load(file)
            owners.update((path, meta["name"]) for path in meta.get("files", ()))
    told = 0
    for folder, _, files in os.walk(aside):
        for file in files:
            package, _, path = os.path.relpath(os.path.join(folder, file), aside).partition("/")
            told += 1
            if told <= 20:
                yield f"{path} is in two packages: {owners.get(path, 'another package')}'s is used, {package}'s was put aside"
    if told > 20:
        yield f"{told - 20} more files are in two packages"
