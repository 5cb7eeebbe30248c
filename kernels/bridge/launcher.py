"""Start ipykernel so that it never drops output.

ipykernel's output socket drops messages when a thousand of them wait. Whoever starts a kernel through this file reads
that socket at all times and keeps what was said, so the limit only loses output: it is lifted.
"""

import sys

# The interpreter put this file's folder first on the path; a kernel imports from its working folder instead,
# which IPython adds by itself.
del sys.path[0]

import zmq  # noqa: E402
from ipykernel.kernelapp import IPKernelApp  # noqa: E402


class KernelApp(IPKernelApp):
    def init_iopub(self, context):
        context.setsockopt(zmq.SNDHWM, 0)  # inherited by the sockets made from here on
        try:
            super().init_iopub(context)
        finally:
            context.setsockopt(zmq.SNDHWM, 1000)  # ZeroMQ's own default


if __name__ == "__main__":
    KernelApp.launch_instance()
