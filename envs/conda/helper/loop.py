"""The loop: takes requests, has them answered side by side, and lets go of those that are taken back."""

import asyncio
import functools
import gc
import json
import os
import resource
import sys

from .speech import say, send  # first: it sets the output apart from what others print

import rattler

from .failures import explain
from .records import Answer


class Helper:
    """Answers requests. What an operation needs is loaded and made with its first request."""

    def __init__(self, config):
        self.config = config
        self.tasks = {}  # id -> the task that answers it

    @functools.cached_property
    def channels(self):
        from .channels import Channels

        return Channels(self.config)

    @functools.cached_property
    def solver(self):
        from .solving import Solver

        return Solver(self.channels, self.config["timeout"])

    async def op_hello(self, _request, _tell):
        return {"version": rattler.__version__, "python": sys.version.split()[0]}

    async def op_places(self, request, _tell):
        return {"channels": self.channels.named(request["channels"]).addresses}

    async def op_solve(self, request, _tell):
        return await self.solver.solve(request)

    async def op_complete(self, request, _tell):
        return await self.solver.complete(request)

    async def op_search(self, request, _tell):
        from .searching import search

        return await search(self.channels, request)

    async def op_unpack(self, request, _tell):
        from .unpacking import unpack

        return await unpack(request)

    async def op_install(self, request, tell):
        from .installing import install

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
            result = await getattr(self, "op_" + request["op"])(request, tell)
            if isinstance(result, Answer):
                send(result.text(ident))
            else:
                say(ident, result=result)
        except asyncio.CancelledError:
            say(ident, failure={"cause": "canceled", "message": "canceled"})
        except BaseException as error:
            say(ident, failure=explain(error).fields)


async def serve():
    reader = asyncio.StreamReader(limit=1 << 28)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    config = json.loads(await reader.readline())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if config.get("memory"):
        resource.setrlimit(resource.RLIMIT_AS, (config["memory"], config["memory"]))
    helper = Helper(config)
    gc.freeze()  # what is there stays: collections need not look at it
    gc.set_threshold(20_000)  # and an answer of 500 packages makes none necessary
    while line := await reader.readline():
        helper.take(line)


def run():
    """Serves until the input ends, and ends the process."""
    try:
        asyncio.run(serve())
    finally:
        os._exit(0)  # py-rattler may crash when the interpreter ends in its own way
