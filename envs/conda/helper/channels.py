"""Channels, and what has been read of them: it stays in memory."""

import time
import urllib.parse

import rattler
from rattler.exceptions import GatewayError

from .addresses import bare, clean
from .failures import Failure
from .network import client
from .records import Records

PLATFORMS = [rattler.Subdir("linux-64"), rattler.Subdir("noarch")]
RELATIONS = "disabled"  # a channel that names others to be read with it (CEP 42) would choose where packages come from
KEPT = 256  # lists of channels that are remembered
REFRESH = 300  # seconds until a channel is asked again whether it has changed


class Named(list):
    """Channels, with their addresses as they are, and as they may be told."""

    def __init__(self, channels):
        super().__init__(channels)
        self.urls = [channel.base_url for channel in channels]
        self.addresses = [bare(url) for url in self.urls]


class Channels:
    """The channels that were asked for, through one gateway, and the records that came of them."""

    def __init__(self, config):
        alias = config.get("alias")
        self.alias = alias.rstrip("/") + "/" if alias else None  # py-rattler puts a name in the place of what follows the last slash
        self.gateway = rattler.Gateway(
            cache_dir=config["cache"],
            default_config=rattler.SourceConfig(cache_action="force-cache-only" if config.get("offline") else "cache-or-fetch"),
            client=client(config["timeout"]),
        )
        self.records = Records()
        self.known = {}  # names -> the channels
        self.asked = {}  # address of a channel -> when it was last looked at afresh
        self.names = {}  # channels -> the sorted names of their packages

    def named(self, names):
        """The channels of the names or addresses."""
        key = tuple(names)
        if key not in self.known:
            config = rattler.ChannelConfig(self.alias) if self.alias else rattler.ChannelConfig()
            try:
                channels = Named([rattler.Channel(name, config) for name in names])
            except Exception as error:
                raise Failure("spec_invalid", f"this is not a channel: {clean(str(error))}") from error
            if len(self.known) >= KEPT:
                self.known.clear()
            self.known[key] = channels
        return self.known[key]

    def fresh(self, names):
        """The channels of the names or addresses. One that was not asked for a while is looked at again."""
        channels = self.named(names)
        now = time.monotonic()
        for channel, url in zip(channels, channels.urls):
            if now - self.asked.get(url, -REFRESH) >= REFRESH:
                self.asked[url] = now
                self.gateway.clear_repodata_cache(channel)
                self.names.clear()
                self.records.forget()
        return channels

    async def query(self, channels, names, platforms=PLATFORMS):
        """All records of the packages of these names, in lists."""
        return await again(self.gateway.query, channels, platforms, names, recursive=False, channel_relations=RELATIONS) if names else []

    async def find(self, channels, wanted):
        """The channels' own records of the artifacts, by file and hash; None for those that they do not have. What somebody else
        says of an artifact must never be taken for a record: it would decide what is solved for everybody."""
        found = await self.query(channels, sorted({artifact["name"] for artifact in wanted}))
        records = {(r.file_name, r.sha256.hex()): r for of in found for r in of if r.sha256}
        return [records.get((urllib.parse.unquote(artifact["url"].rsplit("/", 1)[1]), artifact["sha256"])) for artifact in wanted]

    async def all_names(self, channels):
        """The sorted names of all packages."""
        key = tuple(channels.urls)
        if key not in self.names:
            found = await again(self.gateway.names, channels, PLATFORMS, channel_relations=RELATIONS)
            self.names[key] = sorted(name.normalized for name in found)
        return self.names[key]


async def again(ask, *args, **kwargs):
    """Asks once more where another request that read the same channel was canceled: py-rattler then fails both."""
    try:
        return await ask(*args, **kwargs)
    except GatewayError as error:
        if "other error" not in str(error):
            raise
    return await ask(*args, **kwargs)
