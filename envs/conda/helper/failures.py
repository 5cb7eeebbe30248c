"""What went wrong, in the words that people read. py-rattler's errors are texts, so that this looks for what it is known to say."""

import os
import re

from rattler.exceptions import GatewayError

from .addresses import bare, clean

STATUS = re.compile(r"HTTP status \w+ error \((\d{3})")
ADDRESS = re.compile(r"(?:https?|file)://[^\s)'\"`]+")
PACKAGE = re.compile(r"failed to (fetch|link) (\S+?)(?:\.conda|\.tar\.bz2)")
FULL = "the disk is full; free some space and build again"


class Failure(Exception):
    """What the other side gets to read; cause is one of package driver's."""

    def __init__(self, cause, message, **more):
        super().__init__(message)
        self.fields = {"cause": cause, "message": message, **more}


def explain(error, channels=()):
    """The Failure that an error of py-rattler stands for."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", "the solver needed more memory than it is allowed")
    text = clean(str(error))
    last = text.strip().splitlines()[-1].removeprefix("Caused by: ") if text.strip() else type(error).__name__
    package = PACKAGE.search(text)
    about = {"package": package[2].rsplit("-", 2)[0]} if package else {}
    if is_full(text):
        return Failure("disk_full", FULL, **about)
    if "has been cancelled" in text or "timed out" in text and package is None:
        return Failure("timed_out", "the solver did not find an answer in time; ask for fewer packages or narrower versions", **about)
    if package and package[1] == "fetch":
        return lacking(about["package"])
    if package:
        return Failure("package_broken", f"{package[2]} cannot be installed: {last}", **about)
    return explain_channel(text, last, channels, isinstance(error, GatewayError))


def explain_archive(error, package):
    """The Failure that an error while an archive was unpacked stands for."""
    if isinstance(error, MemoryError):
        return explain(error)
    text = clean(str(error)) or type(error).__name__
    if is_full(text):
        return Failure("disk_full", FULL, package=package)
    return Failure("package_broken", f"{package} cannot be unpacked: {text.strip().splitlines()[-1]}", package=package)


def lacking(package):
    """Says that a package is not in the cache although it should be. Only the other side hears of it, and brings the package."""
    return Failure("lacking", f"{package} is not in the cache", package=package)


def is_full(text):
    return "No space left on device" in text or "Disk quota exceeded" in text


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
    where = "name a file of credentials in the configuration (environments: credentials); there, a channel's are below its host, without a port"
    return f"{known} (HTTP status {status}); {where}"
