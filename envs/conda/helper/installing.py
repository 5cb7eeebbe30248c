"""Puts packages into a prefix, and tells how far that is."""

import asyncio
import json
import os
import time

import rattler

from .checking import check, check_archive
from .failures import Failure, explain
from .network import client
from .records import revive

EVENT_PAUSE = 0.05  # seconds between two events of a phase


async def install(request, tell):
    """Fetches, checks and links. A package that is refused ends the helper at once: before any of its files is linked."""
    records = revive(request["records"])
    reporter = Reporter(records, request, tell)
    await asyncio.gather(*[check_archive(request["packages"], record) for record in records if record.url.startswith("file:")])
    task = asyncio.ensure_future(
        rattler.install(
            records,
            target_prefix=request["prefix"],
            cache_dir=request["packages"],
            installed_packages=[],
            execute_link_scripts=False,
            show_progress=False,
            client=client(),
            reporter=reporter,
        )
    )
    try:
        while not (await asyncio.wait({task}, timeout=1))[0]:
            reporter.watch()
        await task
    except Exception as error:
        raise explain(error) from error
    finally:
        task.cancel()
    reporter.finish()
    for line in clobbered(request["prefix"]):
        tell("log", text=line)
    return {}


class Reporter:
    """Hears of py-rattler what it does, and tells of it. It is called from many threads, one at a time."""

    def __init__(self, records, request, tell):
        self.records = {record.name.normalized: record for record in records}
        self.cache = request["packages"]
        self.stall = request["stall"]
        self.tell = tell
        self.total = len(records)
        self.total_bytes = sum(record.size or 0 for record in records)
        self.names = []  # token -> name of the package
        self.loaded = {}  # name -> bytes of a download under way
        self.moved = {}  # name -> when its download last moved
        self.fetched = self.linked = self.bytes = 0
        self.said = {"fetch": 0.0, "link": 0.0}
        self.progress("fetch", last=True)

    def token(self, name):
        self.names.append(name)
        return len(self.names) - 1

    def progress(self, phase, package="", last=False):
        """Tells how far a phase is, not too often, but always of its end."""
        now = time.monotonic()
        if not last and now - self.said[phase] < EVENT_PAUSE:
            return
        self.said[phase] = now
        if phase == "fetch":
            self.tell("fetch", done=self.fetched, total=self.total, package=package,
                      bytes=min(self.bytes + sum(self.loaded.values()), self.total_bytes), total_bytes=self.total_bytes)
        else:
            self.tell("link", done=self.linked, total=self.total, package=package)

    def watch(self):
        """Gives up on a download that does not move any more."""
        now = time.monotonic()
        for name, moved in list(self.moved.items()):
            if now - moved > self.stall:
                raise Failure("timed_out", f"the download of {name} has not moved for {self.stall:.0f} seconds", package=name)

    def finish(self):
        if self.total:
            self.progress("link", last=True)

    def on_populate_cache_start(self, _operation, name):
        return self.token(name)

    def on_download_start(self, entry):
        name = self.names[entry]
        self.loaded[name], self.moved[name] = 0, time.monotonic()
        return entry

    def on_download_progress(self, entry, progress, _total):
        name = self.names[entry]
        self.loaded[name], self.moved[name] = progress, time.monotonic()
        self.progress("fetch", name)

    def on_download_completed(self, entry):
        self.moved.pop(self.names[entry], None)

    def on_populate_cache_complete(self, entry):
        name = self.names[entry]
        self.admit(self.records[name])
        self.loaded.pop(name, None)
        self.fetched += 1
        self.bytes += self.records[name].size or 0
        self.progress("fetch", name, last=self.fetched == self.total)

    def admit(self, record):
        """Has a package checked before it is linked. An exception raised here would not stop py-rattler; leaving does."""
        try:
            for script in check(self.cache, record):
                self.tell("log", text=f"{record.name.normalized} has a {script} script, which was not run")
        except BaseException as error:
            failure = explain(error)
            if failure.fields["cause"] == "tool_failed":
                failure = Failure("package_broken", f"{record.name.normalized} cannot be checked: {failure}", package=record.name.normalized)
            self.tell(None, failure=failure.fields)
            os._exit(0)

    def on_link_start(self, _operation, name):
        return self.token(name)

    def on_link_complete(self, token):
        self.linked += 1
        if self.fetched == self.total:
            self.progress("link", self.names[token])

    def __getattr__(self, name):
        if name.startswith("on_"):
            return lambda *_: 0
        raise AttributeError(name)


def clobbered(prefix):
    """Says which files two packages both have. py-rattler keeps that of the package that it orders first, each time the same,
    and puts the others aside, below __clobbers__/<package>."""
    aside = os.path.join(prefix, "__clobbers__")
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
