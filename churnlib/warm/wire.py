"""Messages between a nursery and those who ask it: JSON over a local socket, descriptors beside it."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

KIND = socket.SOCK_SEQPACKET if hasattr(socket, "SOCK_SEQPACKET") else socket.SOCK_STREAM
_MOST = 2**20  # bytes of a message; the system refuses to send one that is too long
_DESCRIPTORS = 3


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a line."""
    return socket.socketpair(socket.AF_UNIX, KIND)


def send(line: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Nothing; the message is sent whole, the other side gets copies of the descriptors."""
    socket.send_fds(line, [json.dumps(message).encode()], descriptors)


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message, its descriptors, which the caller closes; EOFError if nobody is there any more."""
    try:
        data, descriptors, _, _ = socket.recv_fds(line, _MOST, _DESCRIPTORS)
    except ConnectionResetError:
        data, descriptors = b"", []
    if not data:
        raise EOFError
    found: dict[str, Any] = json.loads(data)
    return found, descriptors
