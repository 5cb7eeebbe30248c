"""Hopyard's helper: py-rattler behind JSON lines.

One request a line on standard input, one message a line on standard output:

    {"id": 7, "op": "solve", ...}            asks
    {"id": 7, "event": "fetch", ...}         tells how far it is
    {"id": 7, "result": {...}}               is the answer
    {"id": 7, "failure": {"cause": "unsatisfiable", "message": "...", ...}}
    {"id": 8, "op": "cancel", "of": 7}       takes a request back; 7 is then answered with the cause "canceled"

The first line is the configuration. Standard error is free text. Requests run side by side. The helper ends with its input.

Records of packages are long, and the same ones come again and again. So each is sent once, with a number, and is its number
from then on, in both directions: "new" holds the records that the other side has not seen yet. Numbers are good for one
generation; a channel that is read afresh begins the next, because its records may have been mended.

No address leaves the helper with a password or a token in it.
"""

import asyncio
import datetime
import difflib
import hashlib
import json
import os
import re
import resource
import sys
import threading
import time
import urllib.parse

# What belongs to the other side is ours alone: whatever prints, prints to standard error.
OUT = os.dup(1)
os.dup2(2, 1)

import rattler  # noqa: E402
from rattler.exceptions import GatewayError, SolverError  # noqa: E402
from rattler.networking.client import Client  # noqa: E402

PLATFORMS = ["linux-64", "noarch"]
EVENT_PAUSE = 0.05  # seconds between two events of a phase
ANSWERS = 64  # solutions that are remembered
REFRESH = 300  # seconds until a channel is asked again whether it has changed


class Failure(Exception):
    """What the other side gets to read; cause is one of package driver's."""

    def __init__(self, cause, message, **more):
        super().__init__(message)
        self.fields = {"cause": cause, "message": message, **more}


# --- speaking -------------------------------------------------------------------------------------------------------------

SECRETS = re.compile(r"(?<=://)[^/\s]*@|(?<=/t/)[^/\s]+")
speaking = threading.Lock()


def clean(text):
    """text without the credentials of the addresses in it."""
    return SECRETS.sub(lambda found: "" if found[0].endswith("@") else "<TOKEN>", text)


def bare(address):
    """An address that works without its credentials: they come from the file of credentials."""
    return re.sub(r"/t/[^/]+/", "/", re.sub(r"://[^/@]+@", "://", address, count=1), count=1)


def send(text):
    data = memoryview(text.encode() + b"\n")
    with speaking:
        while data:
            data = data[os.write(OUT, data):]


def say(ident, **fields):
    send(json.dumps({"id": ident, **fields}, separators=(",", ":")))


# --- records --------------------------------------------------------------------------------------------------------------


class Records:
    """The records that both sides know by number."""

    def __init__(self):
        self.generation = 0
        self.forget()

    def forget(self):
        self.generation += 1
        self.numbers = {}  # (address, hash) -> number
        self.records = {}  # number -> record
        self.answers = {}  # request -> its answer, whose records are all known

    def number(self, record, new):
        """The record's number; a record without one gets one, and its text goes into new."""
        raw = record._record  # the wrapper's properties cost as much as all the rest
        key = (raw.url, raw.sha256)
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.numbers) + 1
            self.records[number] = record
            new.append((number, record))
        return number

    def known(self, generation, numbers):
        """The records of the numbers."""
        if numbers and generation != self.generation:
            raise Failure("stale", "these numbers are of another generation")
        return [self.records[number] for number in numbers]


def revive(texts):
    """Makes records of their JSON forms. py-rattler reads them from files only, so they go through one in memory."""
    if not texts:
        return []
    by_file = {text["fn"]: text for text in texts}
    repodata = {"info": {}, "packages": {}, "packages.conda": {}}
    for name, text in by_file.items():
        repodata["packages" if name.endswith(".tar.bz2") else "packages.conda"][name] = text
    fd = os.memfd_create("records")
    try:
        with os.fdopen(os.dup(fd), "w") as file:
            json.dump(repodata, file)
        data = rattler.RepoData.from_path(f"/proc/self/fd/{fd}")
        records = data.into_repo_data(rattler.Channel("file:///"))
    finally:
        os.close(fd)
    for record in records:
        text = by_file[record.file_name]
        record.url = text["url"]
        record.channel = text.get("channel") or text["url"].rsplit("/", 2)[0]
    return records


def written(record):
    """A record's JSON form in one line, without credentials."""
    text = record.to_json().replace("\n", "")
    address = record.url
    if bare(address) == address:
        return text
    fields = json.loads(text)
    fields["url"] = bare(address)
    if fields.get("channel"):
        fields["channel"] = bare(fields["channel"])
    return json.dumps(fields)


# --- what went wrong ------------------------------------------------------------------------------------------------------

STATUS = re.compile(r"HTTP status \w+ error \((\d{3})")
ADDRESS = re.compile(r"(?:https?|file)://[^\s)'\"`]+")
PACKAGE = re.compile(r"failed to (?:fetch|link) (\S+?)(?:\.conda|\.tar\.bz2)")


def explain(error, channels=()):
    """The Failure that an error of py-rattler stands for."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", "the solver needed more memory than it is allowed")
    text = clean(str(error))
    last = text.strip().splitlines()[-1].removeprefix("Caused by: ") if text.strip() else type(error).__name__
    package = PACKAGE.search(text)
    about = {"package": package[1].rsplit("-", 2)[0]} if package else {}
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return Failure("disk_full", "the disk is full; free some space and build again", **about)
    if "has been cancelled" in text or "timed out" in text and package is None:
        return Failure("timed_out", "the solver did not find an answer in time; ask for fewer packages or narrower versions", **about)
    if package:
        return explain_package(package[1], text, last, about)
    return explain_channel(text, last, channels, isinstance(error, GatewayError))


def explain_package(package, text, last, about):
    status = STATUS.search(text)
    if "Invalid checksum" in text or "hash mismatch" in text.lower():
        return Failure("hash_mismatch", f"what the channel sent for {package} is not what its index promises", **about)
    if status and status[1] in ("401", "403"):
        return Failure("auth_failed", f"the channel does not hand out {package}: {denied(status[1])}", **about)
    if status and status[1] == "404":
        return Failure("package_missing", f"the channel lists {package} but does not have it any more; solve again", **about)
    if status or "error sending request" in text or "reading a body" in text or "error decoding response" in text or "timed out" in text:
        return Failure("channel_unreachable", f"{package} could not be downloaded: {last}", **about)
    if "No such file or directory" in text and "failed to fetch" in text and "unpack" not in text:
        return Failure("package_missing", f"the channel lists {package} but does not have it", **about)
    return Failure("package_broken", f"{package} cannot be installed: {last}", **about)


def explain_channel(text, last, channels, gateway):
    address = ADDRESS.search(text)
    channel = next((c.base_url for c in channels if address and address[0].startswith(bare(c.base_url).rstrip("/"))), None)
    all_names = ", ".join(bare(c.base_url) for c in channels)
    name = f"the channel {bare(channel)}" if channel else f"the channel {all_names}" if len(channels) == 1 else f"one of the channels {all_names}"
    status = STATUS.search(text)
    if status and status[1] in ("401", "403"):
        return Failure("auth_failed", f"{name} does not let us in: {denied(status[1])}")
    if "no usable repodata cache" in text:
        return Failure("channel_unreachable", f"{name} has not been read before, and this host is offline")
    if "could not find subdir" in text:
        return Failure("channel_unreachable", f"{name} is not a channel, or its address is wrong: {last}")
    if gateway or status or "error sending request" in text:
        return Failure("channel_unreachable", f"{name} cannot be read: {last}")
    return Failure("tool_failed", last)


def denied(status):
    known = "the credentials are not accepted" if os.environ.get("RATTLER_AUTH_FILE") else "it asks for credentials"
    return f"{known} (HTTP status {status}); name a file of credentials for its host in the configuration (environments: credentials)"


# --- solving and searching ------------------------------------------------------------------------------------------------


class Solver:
    """Solves and searches. What it has read of channels stays in memory."""

    def __init__(self, config):
        alias = config.get("alias")
        self.alias = alias.rstrip("/") + "/" if alias else None  # py-rattler puts a name in the place of what follows the last slash
        self.cache = config["cache"]
        self.offline = config.get("offline", False)
        self.timeout = config["timeout"]
        self.records = Records()
        self.asked = {}  # channel -> when it was last looked at afresh
        self.names = {}  # channels -> the sorted names of their packages
        self.virtual = rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env())
        self.virtual_text = [str(v.into_generic()) for v in self.virtual]
        self.gateway = None

    def open(self):
        if self.gateway is None:
            action = "force-cache-only" if self.offline else "cache-or-fetch"
            self.gateway = rattler.Gateway(
                cache_dir=self.cache, default_config=rattler.SourceConfig(cache_action=action), client=client(self.timeout)
            )
        return self.gateway

    def named(self, names):
        """The channels of the names or addresses."""
        config = rattler.ChannelConfig(self.alias) if self.alias else rattler.ChannelConfig()
        try:
            return [rattler.Channel(name, config) for name in names]
        except Exception as error:
            raise Failure("spec_invalid", f"this is not a channel: {clean(str(error))}") from error

    async def places(self, request, _tell):
        return {"channels": [bare(channel.base_url) for channel in self.named(request["channels"])]}

    def channels(self, names):
        """The channels of the names or addresses. One that was not asked for a while is looked at again."""
        channels = self.named(names)
        now = time.monotonic()
        for channel in channels:
            if now - self.asked.get(channel.base_url, -REFRESH) >= REFRESH:
                self.asked[channel.base_url] = now
                self.open().clear_repodata_cache(channel)
                self.names.clear()
                self.records.forget()
        return channels

    async def find(self, channels, wanted):
        """The channels' own records of the artifacts, by file and hash; None for those that they do not have. What somebody else says of
        an artifact must never be taken for a record: it would decide what is solved for everybody."""
        if not wanted:
            return []
        names = sorted({artifact["name"] for artifact in wanted})
        found = await again(self.open().query, channels, PLATFORMS, names, recursive=False)
        records = {(r.file_name, r.sha256.hex()): r for of in found for r in of if r.sha256}
        return [records.get((urllib.parse.unquote(artifact["url"].rsplit("/", 1)[1]), artifact["sha256"])) for artifact in wanted]

    async def complete(self, request, _tell):
        """The channels' records of artifacts, in their order; those that no channel has are named by their place."""
        channels = self.channels(request["channels"])
        try:
            records = await self.find(channels, request["artifacts"])
        except Exception as error:
            raise explain(error, channels) from error
        new = []
        fields = {
            "records": [self.records.number(record, new) for record in records if record],
            "missing": [place for place, record in enumerate(records) if not record],
            "generation": self.records.generation,
            "channels": [bare(channel.base_url) for channel in channels],
            "virtual": self.virtual_text,
        }
        return Answer(fields, new)

    async def solve(self, request, _tell):
        channels = self.channels(request["channels"])
        specs = [spec(index, text) for index, text in enumerate(request["specs"])]
        # A dry run is followed by a build that asks the same. Ages are left out, because they change with the time.
        key = None if request.get("minimum_age") else json.dumps({**request, "id": 0})
        if key in self.records.answers:
            return self.records.answers[key]
        locked = self.records.known(request.get("generation"), request.get("locked") or ())
        age = request.get("minimum_age")
        generation, began = self.records.generation, time.perf_counter()
        try:
            locked += [record for record in await self.find(channels, request.get("artifacts")) if record]
            records = await again(
                rattler.solve,
                sources=channels,
                specs=specs,
                gateway=self.open(),
                platforms=PLATFORMS,
                virtual_packages=self.virtual,
                locked_packages=locked,
                exclude_newer=datetime.timedelta(seconds=age) if age else None,
                timeout=datetime.timedelta(seconds=self.timeout),
            )
        except SolverError as error:
            raise await self.conflict(str(error), channels, specs) from error
        except Exception as error:
            raise explain(error, channels) from error
        took = time.perf_counter() - began
        new = []
        numbers = [self.records.number(record, new) for record in records]
        fields = {
            "generation": self.records.generation,
            "records": numbers,
            "channels": [bare(channel.base_url) for channel in channels],
            "virtual": self.virtual_text,
            "seconds": took,
        }
        if key and not request.get("artifacts") and generation == self.records.generation:
            if len(self.records.answers) >= ANSWERS:
                self.records.answers.clear()
            self.records.answers[key] = {**fields, "seconds": 0}
        return Answer(fields, new)

    async def conflict(self, text, channels, specs):
        """Why there is no solution: a name that is in no channel, or packages that do not go together."""
        text = clean(text)
        if "has been cancelled" in text:
            return explain(Exception(text))
        names = await self.all_names(channels)
        for index, wanted in enumerate(specs):
            name = wanted.name.normalized if wanted.name else None
            if name and name not in names and not name.startswith("__"):
                near = difflib.get_close_matches(name, names, n=3, cutoff=0.7)
                where = ", ".join(bare(channel.base_url) for channel in channels)
                return Failure("package_missing", f"no channel has a package {name} (looked in {where})", package=name, near=near, spec=index)
        tree = text.removeprefix("Cannot solve the request because of: ").strip()
        return Failure("unsatisfiable", "these packages do not go together", tree=tree)

    async def all_names(self, channels):
        key = tuple(channel.base_url for channel in channels)
        if key not in self.names:
            found = await again(self.open().names, channels, PLATFORMS)
            self.names[key] = sorted(name.normalized for name in found)
        return self.names[key]

    async def search(self, request, _tell):
        channels = self.channels(request["channels"])
        wanted = request["text"].lower()
        try:
            names = best(wanted, await self.all_names(channels), request["limit"])
            found = await again(self.open().query, channels, PLATFORMS, names, recursive=False) if names else []
        except Exception as error:
            raise explain(error, channels) from error
        by_name = {name: [] for name in names}
        for records in found:
            for record in records:
                by_name.setdefault(record.name.normalized, []).append(record)
        return {"found": [summary(name, by_name[name]) for name in names if by_name[name]]}


async def again(ask, *args, **kwargs):
    """Asks once more where another request that read the same channel was canceled: py-rattler then fails both."""
    try:
        return await ask(*args, **kwargs)
    except GatewayError as error:
        if "other error" not in str(error):
            raise
    return await ask(*args, **kwargs)


def best(wanted, names, limit):
    """The names that have wanted in them: itself, then those that begin with it, then the others; short ones first."""
    having = [name for name in names if wanted in name]
    having.sort(key=lambda name: (name != wanted, not name.startswith(wanted), len(name), name))
    return having[:limit]


def summary(name, records):
    newest = max(records, key=lambda record: (record.version, record.build_number))
    versions = sorted({record.version for record in records}, reverse=True)
    texts = list(dict.fromkeys(str(version) for version in versions))
    return {
        "name": name, "from": "conda", "versions": texts[:50], "license": newest.license or "",
        "channel": bare(newest.channel or ""),
    }


def spec(index, text):
    try:
        return rattler.MatchSpec(text)
    except Exception as error:
        words = clean(str(error)).splitlines()[0]
        raise Failure("spec_invalid", f"{text!r} cannot be read: {words}", spec=index) from error


def client(timeout=None):
    """A client that tries again after faults that pass, and that knows the credentials of RATTLER_AUTH_FILE."""
    return Client.default_client(max_retries=3, user_agent="hopyard", timeout=timeout)


class Answer:
    """A result whose records are put into the text as they are, so that they are not read and written once more."""

    def __init__(self, fields, new):
        self.fields, self.new = fields, new

    def text(self, ident):
        head = json.dumps({"id": ident, "result": self.fields}, separators=(",", ":"))
        if not self.new:
            return head
        records = ",".join(f'"{number}":{written(record)}' for number, record in self.new)
        return f'{head[:-2]},"new":{{{records}}}}}}}'


# --- installing -----------------------------------------------------------------------------------------------------------


async def install(request, tell):
    """Fetches, checks and links. A package that is refused ends the helper at once: before any of its files is linked."""
    records = revive(request["records"])
    reporter = Reporter(records, request, tell)
    await asyncio.gather(*[asyncio.to_thread(check_archive, request["packages"], record) for record in records if record.url.startswith("file:")])
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


# --- checking what was fetched --------------------------------------------------------------------------------------------

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
    return [script for script in scripts if script] if record.sha256 and known == record.sha256.hex() else None


def check_archive(cache, record):
    """Compares the hash of an archive in a channel that is a folder: py-rattler does so with downloads only."""
    if not record.sha256 or checked(cache, record) is not None:
        return
    try:
        with open(urllib.parse.unquote(urllib.parse.urlsplit(record.url).path), "rb") as file:
            digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read())
    except FileNotFoundError:
        return  # py-rattler says so itself
    if digest.digest() != record.sha256:
        name = record.name.normalized
        raise Failure("hash_mismatch", f"the file of {folder_of(record)} is not what the channel's index promises", package=name)


def check(cache, record):
    """Refuses a package that would write or read outside of its prefix. Gives the scripts that it carries.

    py-rattler 0.28 refuses entry points that leave the prefix and does not unpack files that do. It believes info/paths.json,
    though, and links whatever path that names, and it takes symbolic links as they are."""
    scripts = checked(cache, record)
    if scripts is not None:
        return scripts
    scripts = inspect(os.path.join(cache, folder_of(record)), record.name.normalized)
    if record.sha256:
        stamp = stamp_of(cache, record)
        os.makedirs(os.path.dirname(stamp), exist_ok=True)
        draft = f"{stamp}.{os.getpid()}"
        with open(draft, "w") as file:
            file.write("\n".join([record.sha256.hex(), *scripts]))
        os.replace(draft, stamp)
    return scripts


def inspect(folder, name):
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


# --- the loop -------------------------------------------------------------------------------------------------------------


class Helper:
    def __init__(self, config):
        self.solver = Solver(config)
        self.tasks = {}
        self.ops = {"hello": self.hello, "solve": self.solver.solve, "search": self.solver.search,
                    "complete": self.solver.complete, "places": self.solver.places, "install": self.install}

    async def hello(self, _request, _tell):
        return {"version": rattler.__version__, "python": sys.version.split()[0], "virtual": self.solver.virtual_text}

    async def install(self, request, tell):
        return await install(request, tell)

    def take(self, line):
        request = json.loads(line)
        ident = request["id"]
        if request["op"] == "cancel":
            if task := self.tasks.get(request["of"]):
                task.cancel()
            return
        task = self.tasks[ident] = asyncio.ensure_future(self.answer(ident, request))
        task.add_done_callback(lambda _: self.tasks.pop(ident, None))

    async def answer(self, ident, request):
        def tell(event, **fields):
            say(ident, **({"event": event} if event else {}), **fields)

        try:
            result = await self.ops[request["op"]](request, tell)
            if isinstance(result, Answer):
                send(result.text(ident))
            else:
                say(ident, result=result)
        except asyncio.CancelledError:
            say(ident, failure={"cause": "canceled", "message": "canceled"})
        except BaseException as error:
            say(ident, failure=explain(error).fields)


async def main():
    reader = asyncio.StreamReader(limit=1 << 28)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    config = json.loads(await reader.readline())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if config.get("memory"):
        resource.setrlimit(resource.RLIMIT_AS, (config["memory"], config["memory"]))
    helper = Helper(config)
    while line := await reader.readline():
        helper.take(line)


try:
    asyncio.run(main())
finally:
    os._exit(0)  # py-rattler may crash when the interpreter ends in its own way
