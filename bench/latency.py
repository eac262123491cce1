"""A TCP relay that makes another port of this machine look far away."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

CHUNK = 1 << 16
Piece = tuple[float, bytes]  # when it may be passed on, and what


async def relay(port: int, target: int, round_trip: float) -> None:
    """Listen on `port` of this machine and pass on to `target`, `round_trip` seconds away; never returns.

    Every byte is held for half a round trip in each direction, so pieces may follow each other closely and
    the bandwidth stays as it is. Opening a connection takes one round trip, as TCP's handshake does.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(round_trip)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(
            _pass_on(reader, far_writer, round_trip / 2), _pass_on(far_reader, writer, round_trip / 2)
        )

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    held: asyncio.Queue[Piece] = asyncio.Queue()
    writing = asyncio.create_task(_write(held, writer))
    with contextlib.suppress(OSError):
        while piece := await reader.read(CHUNK):
            held.put_nowait((time.monotonic() + delay, piece))
    held.put_nowait((time.monotonic() + delay, b""))
    await writing


async def _write(held: asyncio.Queue[Piece], writer: asyncio.StreamWriter) -> None:
    """What is `held`, each piece when its time has come, until the empty one."""
    with contextlib.suppress(OSError):
        while True:
            due, piece = await held.get()
            await asyncio.sleep(due - time.monotonic())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        writer.close()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
