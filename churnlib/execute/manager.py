"""How papermill's kernels are started here: forked where that is possible, used as soon as they answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from queue import Empty

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from traitlets import default

NAME = "churn-warm"
# No entry point that is installed: nobody else is to find it.
PROVISIONER = "churnlib.warm.provisioner:WarmProvisioner"
_ANSWER_SECONDS = 1.0  # then the question is asked again
_NEWS_SECONDS = 0.2
_CONNECT_MILLISECONDS = 10


class _Client(AsyncKernelClient):
    """A client that is ready when its kernel has answered and its news are heard.

    Jupyter's own then waits until there has been no news for 0.2 s; nbclient passes such news over anyway.
    """

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Nothing; RuntimeError where the kernel has died or has not answered for `timeout` seconds."""
        deadline = time.monotonic() + (timeout or float("inf"))
        while not await self._answers():
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

    async def _answers(self) -> bool:
        self.kernel_info()
        try:
            reply = await self.get_shell_msg(timeout=_ANSWER_SECONDS)
            await self.get_iopub_msg(timeout=_NEWS_SECONDS)
        except (TimeoutError, Empty):
            return False
        return bool(reply["msg_type"] == "kernel_info_reply")


class Manager(AsyncKernelManager):
    """A kernel manager with that client, which tries to connect often: a kernel is there within 0.2 s."""

    @default("client_factory")
    def _quick_client(self) -> type[_Client]:
        return _Client

    @default("context")
    def _impatient_context(self) -> zmq.asyncio.Context:
        self._created_context = True  # so that it is closed with the manager
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.RECONNECT_IVL, _CONNECT_MILLISECONDS)
        return context


@contextmanager
def forked_where_possible() -> Iterator[None]:
    """Within the block Jupyter starts kernels through `churnlib.warm`, unless a spec names another way."""
    factory = KernelProvisionerFactory.instance()
    factory.provisioners[NAME] = EntryPoint(NAME, PROVISIONER, factory.GROUP_NAME)
    usual = factory.default_provisioner_name
    factory.default_provisioner_name = NAME
    try:
        yield
    finally:
        factory.default_provisioner_name = usual
