"""How old packages are, for sites that take none that is younger than some age."""


class Aged:
    """A channel whose packages are as old as they say themselves, as in locks and policies. py-rattler goes by when a channel's
    index first had a package, which is today for all packages of a mirror that was indexed today."""

    def __init__(self, channels, channel):
        self.channels = channels
        self.channel = channel
        self.indexed = {}  # address -> when the index first had it

    async def fetch_package_records(self, platform, name):
        """Called by py-rattler, for each name that it comes to."""
        found = await self.channels.query([self.channel], [name.normalized], [platform])
        records = [record for of in found for record in of]
        for raw in (record._record for record in records):
            if raw.timestamp is not None and raw.indexed_timestamp is not None:
                self.indexed[raw.url] = raw.indexed_timestamp
                raw.indexed_timestamp = None
        return records

    def package_names(self, _platform):
        """Called by py-rattler to look for names by patterns, which specs do not have."""
        return []

    def restore(self, records):
        """Makes records what they were in the channel."""
        for raw in (record._record for record in records):
            if raw.url in self.indexed:
                raw.indexed_timestamp = self.indexed[raw.url]
