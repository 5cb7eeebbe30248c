"""Solves, and says what the channels know of artifacts."""

import datetime
import functools
import time

import rattler
from rattler.exceptions import SolverError

from .addresses import clean
from .ages import Aged
from .channels import PLATFORMS, RELATIONS, again
from .failures import Failure, explain
from .records import Answer

ANSWERS = 64  # solutions that are remembered


class Solver:
    """Solves for this host."""

    def __init__(self, channels, timeout):
        self.channels = channels
        self.records = channels.records
        self.timeout = datetime.timedelta(seconds=timeout)
        self.virtual = [v.into_generic() for v in rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env())]
        self.virtual_text = [str(v) for v in self.virtual]

    async def complete(self, request):
        """The channels' records of artifacts, in their order; those that no channel has are named by their place."""
        channels = self.channels.fresh(request["channels"])
        try:
            records = await self.channels.find(channels, request["artifacts"])
        except Exception as error:
            raise explain(error, channels) from error
        missing = [place for place, record in enumerate(records) if not record]
        return self.answer(channels, [record for record in records if record], missing=missing)

    async def solve(self, request):
        """Picks packages. A dry run is followed by a build that asks the same, so that answers are remembered, but for those
        that change with the time: where packages must have an age."""
        channels = self.channels.fresh(request["channels"])
        specs = [spec(index, text) for index, text in enumerate(request["specs"])]
        key = question(request)
        if key in self.records.answers:
            return self.records.answers[key]
        generation, began = self.records.generation, time.perf_counter()
        records = await self.pick(channels, specs, request)
        answer = self.answer(channels, records, seconds=time.perf_counter() - began)
        if key and generation == self.records.generation:
            if len(self.records.answers) >= ANSWERS:
                self.records.answers.clear()
            self.records.answers[key] = Answer({**answer.fields, "seconds": 0}, answer.numbers)
        return answer

    async def pick(self, channels, specs, request):
        """The records of a solution."""
        locked = self.records.known(request.get("generation"), request.get("locked") or ())
        age = request.get("minimum_age")
        aged = [Aged(self.channels, channel) for channel in channels] if age else []
        try:
            locked += [record for record in await self.channels.find(channels, request.get("artifacts") or ()) if record]
            records = await again(
                rattler.solve,
                sources=aged or channels,
                specs=specs,
                gateway=self.channels.gateway,
                platforms=PLATFORMS,
                virtual_packages=self.virtual,
                locked_packages=locked,
                exclude_newer=datetime.timedelta(seconds=age) if age else None,
                timeout=self.timeout,
                channel_relations=RELATIONS,
            )
        except SolverError as error:
            raise await self.conflict(str(error), channels, specs) from error
        except Exception as error:
            raise explain(error, channels) from error
        for channel in aged:
            channel.restore(records)
        return records

    def answer(self, channels, records, **more):
        """The answer that names the records, and brings those that are new."""
        numbers, new = self.records.numbered(records)
        fields = {"generation": self.records.generation, "channels": channels.addresses, "virtual": self.virtual_text, **more}
        return Answer(fields, numbers, new)

    async def conflict(self, text, channels, specs):
        """Why there is no solution: a name that is in no channel, or packages that do not go together."""
        text = clean(text)
        if "has been cancelled" in text:
            return explain(Exception(text))
        names = await self.channels.all_names(channels)
        for index, wanted in enumerate(specs):
            name = wanted.name.normalized if wanted.name else None
            if name and name not in names and not name.startswith("__"):
                return unknown(name, index, names, channels)
        tree = text.removeprefix("Cannot solve the request because of: ").strip()
        return Failure("unsatisfiable", "these packages do not go together", tree=tree)


def unknown(name, index, names, channels):
    import difflib  # seldom needed

    near = difflib.get_close_matches(name, names, n=3, cutoff=0.7)
    where = ", ".join(channels.addresses)
    return Failure("package_missing", f"no channel has a package {name} (looked in {where})", package=name, near=near, spec=index)


def question(request):
    """What decides an answer, None where that is not all in the request: ages change with the time, and artifacts get numbers."""
    if request.get("minimum_age") or request.get("artifacts"):
        return None
    return tuple(request["channels"]), tuple(request["specs"]), request.get("generation"), tuple(request.get("locked") or ())


def spec(index, text):
    try:
        return match_spec(text)
    except Exception as error:
        words = clean(str(error)).splitlines()[0]
        raise Failure("spec_invalid", f"{text!r} cannot be read: {words}", spec=index) from error


@functools.lru_cache(maxsize=1024)
def match_spec(text):
    return rattler.MatchSpec(text)
