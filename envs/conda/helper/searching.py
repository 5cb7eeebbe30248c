"""Searches channels for packages by their names."""

from .addresses import bare
from .failures import explain


async def search(channels, request):
    """What the packages are whose names fit best."""
    looked = channels.fresh(request["channels"])
    try:
        names = best(request["text"].lower(), await channels.all_names(looked), request["limit"])
        found = await channels.query(looked, names)
    except Exception as error:
        raise explain(error, looked) from error
    by_name = {name: [] for name in names}
    for records in found:
        for record in records:
            by_name.setdefault(record.name.normalized, []).append(record)
    return {"found": [summary(name, by_name[name]) for name in names if by_name[name]]}


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
