"""A line to the tracking server on which things go wrong: it is slow, it loses replies, something happens."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_CHUNK = 2**16
AMID = 12  # requests after which something happens: every phase makes more


@dataclass
class Line:
    """What the line does to requests; a request is known by how it begins, ``POST /api/…`` say."""

    server: str
    delay: float = 0.0  # seconds that each request takes longer
    losing: set[str] = field(default_factory=set)  # requests that are done and whose reply is lost, once each
    asked: list[str] = field(default_factory=list)  # the first line of every request
    on_request: Callable[[str], None] = lambda line: None  # before it is passed on
    address: str = ""


@contextlib.contextmanager
def line_to(server: str) -> Iterator[Line]:
    """A line to this server; all of it ends with the block."""
    line = Line(server)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ended = threading.Event()
        carrying: list[threading.Thread] = []
        listening.settimeout(0.1)

        def listen() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    carrying.append(
                        threading.Thread(target=_carry, args=(line, listening.accept()[0], ended))
                    )
                    carrying[-1].start()

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield line
        finally:
            ended.set()
            for thread in (listener, *carrying):
                thread.join(20)


def _carry(line: Line, client: socket.socket, ended: threading.Event) -> None:
    """One connection: what comes from either side goes to the other."""
    there = urlsplit(line.server)
    hosts = urlsplit(line.address).netloc.encode(), there.netloc.encode()
    place = (str(there.hostname), int(there.port or 80))
    with client, contextlib.suppress(OSError), socket.create_connection(place, timeout=60) as server:
        losing = False
        while not ended.is_set():
            for ready in select.select([client, server], [], [], 0.1)[0]:
                chunk = ready.recv(_CHUNK)
                if not chunk or (losing and ready is server):
                    return
                if ready is client:
                    head = chunk.split(b"\r\n", 1)[0].decode("latin-1")
                    losing = _begun(line, head) if head.endswith("HTTP/1.1") else losing
                    chunk = chunk.replace(hosts[0], hosts[1])
                (server if ready is client else client).sendall(chunk)


def _begun(line: Line, head: str) -> bool:
    """Whether the reply to this request is to be lost."""
    line.asked.append(head)
    line.on_request(head)
    time.sleep(line.delay)
    found = {text for text in line.losing if text in head}
    line.losing -= found
    return bool(found)


@contextlib.contextmanager
def amid(line: Line, deed: Callable[[], object]) -> Iterator[None]:
    """Something that happens once amid the requests of the block, and has happened when it ends."""
    left = iter(range(AMID))
    doing: list[threading.Thread] = []

    def count(_: str) -> None:
        if next(left, None) is None and not doing:
            doing.append(threading.Thread(target=deed))
            doing[0].start()

    line.on_request = count
    try:
        yield
    finally:
        line.on_request = lambda _: None
    (happened,) = doing
    happened.join()
