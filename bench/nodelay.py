# jupyter_server with Nagle's algorithm switched off on its websockets: tornado has the call, jupyter_server does not use it.
from jupyter_server.services.kernels import websocket

plain = websocket.KernelWebsocketHandler.open


async def open_without_delay(self, *args, **kwargs):
    self.set_nodelay(True)
    return await plain(self, *args, **kwargs)


websocket.KernelWebsocketHandler.open = open_without_delay
