"""What is found on the way, and what ends the way early."""

from __future__ import annotations

from collections.abc import Callable

from churnlib.proof.items import Compared

Say = Callable[[str], None]


class Halt(Exception):
    """The model cannot be made again from here on; `inputs` are what was found out with it."""

    def __init__(self, reason: str, *inputs: Compared) -> None:
        self.reason = reason
        self.inputs = inputs
        super().__init__(reason)
