"""jupyter_client's asynchronous client through jupyter_server's GatewayKernelManager."""

import asyncio
import contextlib

import pytest
from jupyter_client.utils import ensure_async
from jupyter_server.gateway.managers import GatewayKernelManager


@contextlib.asynccontextmanager
async def kernel(server):
    server.be_the_gateway()
    manager = GatewayKernelManager()
    await manager.start_kernel(kernel_name="python3")
    client = manager.client()
    await ensure_async(client.start_channels())
    try:
        await client.wait_for_ready(timeout=300)
        yield manager, client
    finally:
        client.stop_channels()
        await manager.shutdown_kernel()


async def reply_to(client, request):
    while True:
        message = await client.get_shell_msg(timeout=300)
        if message["parent_header"]["msg_id"] == request:
            return message["content"]


async def printed(client, text):
    while True:
        message = await client.get_iopub_msg(timeout=300)
        if message["msg_type"] == "stream" and text in message["content"]["text"]:
            return


def test_kernel_info_and_execute(server):
    async def scene():
        async with kernel(server) as (_, client):
            info = await client.kernel_info(reply=True, timeout=3000)
            assert info["content"]["language_info"]["name"] == "python"
            reply = await client.execute("6*7", reply=True, timeout=3000)
            assert reply["content"]["status"] == "ok"

    asyncio.run(scene())


def test_interrupt_stops_a_cell(server):
    async def scene():
        async with kernel(server) as (manager, client):
            # A kernel that is busy, but not yet in the cell's own code, ignores the interrupt.
            request = client.execute("print('in the cell', flush=True)\nimport time; time.sleep(60)")
            await printed(client, "in the cell")
            await manager.interrupt_kernel()
            reply = await reply_to(client, request)
            assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")

    asyncio.run(scene())


def test_restart_forgets_names_and_keeps_the_connection(server):
    async def scene():
        async with kernel(server) as (manager, client):
            await client.execute("remembered = 1", reply=True, timeout=3000)
            before = manager.kernel_id
            await manager.restart_kernel()
            assert manager.kernel_id == before
            reply = await client.execute("remembered", reply=True, timeout=300)
            assert reply["content"]["ename"] == "NameError"

    asyncio.run(scene())


def test_shutdown_leaves_no_kernel(ours):
    async def scene():
        async with kernel(ours) as (manager, _):
            assert [k["id"] for k in ours.ask("GET", "/api/kernels")] == [manager.kernel_id]
        assert ours.ask("GET", "/api/kernels") == []

    asyncio.run(scene())


def test_an_unknown_kernelspec_is_refused_by_its_name(ours):
    async def scene():
        ours.be_the_gateway()
        await GatewayKernelManager().start_kernel(kernel_name="no-such")

    with pytest.raises(Exception, match="no-such"):
        asyncio.run(scene())
