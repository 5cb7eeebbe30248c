"""Records of packages, and their numbers: see the package."""

import json
import os

import rattler

from .addresses import bare
from .failures import Failure


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

    def numbered(self, records):
        """The numbers of the records, and those records that have none yet with the ones that they get."""
        known, numbers, new = self.numbers, [], []
        for record in records:
            raw = record._record  # the wrapper's properties cost as much as all the rest
            key = (raw.url, raw.sha256)
            number = known.get(key)
            if number is None:
                number = known[key] = len(known) + 1
                self.records[number] = record
                new.append((number, record))
            numbers.append(number)
        return numbers, new

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


class Answer:
    """A result with records: by their numbers, and those that are new by their texts as they are."""

    def __init__(self, fields, numbers, new=()):
        self.fields, self.numbers, self.new = fields, numbers, new

    def text(self, ident):
        head = json.dumps({"id": ident, "result": self.fields})
        new = ",".join(f'"{number}":{written(record)}' for number, record in self.new)
        return f'{head[:-2]},"records":{self.numbers},"new":{{{new}}}}}}}'
