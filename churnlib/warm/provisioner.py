"""Jupyter's way to a forked kernel: a kernel provisioner, which `churnlib.execute` makes the usual one.

JupyterLab and plain papermill don't know it. Where there is no nursery it starts a kernel as usual.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from churnlib.warm import client
from churnlib.warm.newborn import KERNEL

if TYPE_CHECKING:
    import subprocess

_LOOK_SECONDS, _LOOKS = 0.002, 100

logger = logging.getLogger(__name__)


class WarmProvisioner(LocalProvisioner):
    """A local kernel, forked from the command's nursery where it has one."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """How to connect to the kernel, which is starting."""
        line = client.current()
        if line is None or not _is_own(cmd):
            return await super().launch_kernel(cmd, **kwargs)
        try:
            kernel = line.fork(KERNEL, cmd[2:], cwd=str(kwargs["cwd"]), environment=kwargs["env"])
        except client.NotWarm as reason:
            logger.warning("this kernel imports for itself: %s", reason)
            return await super().launch_kernel(cmd, **kwargs)
        self.process = cast("subprocess.Popen[Any]", kernel)  # it has all that is used of one
        self.pid = self.pgid = kernel.pid  # it leads a group of its own
        self.cwd = kwargs["cwd"]
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """Nothing; the kernel is dead. Jupyter's own leaves the waiting to others, who look every 0.1 s."""
        await super().kill(restart)
        for _ in range(_LOOKS):
            if await self.poll() is not None:
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _is_own(command: list[str]) -> bool:
    """Whether the command is IPython's kernel in this very interpreter."""
    python, *rest = command
    return Path(python) == Path(sys.executable) and rest[:2] == ["-m", "ipykernel_launcher"]
