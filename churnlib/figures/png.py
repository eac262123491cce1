"""Pixels as PNG, packed for pictures of paper: wide flat areas, thin lines, small type.

Pillow's writer tries five filters on every row, which pays for photographs. Here rows as they are pack
smaller, in a third of the time. After the PNG specification (W3C, third edition), sections 5 and 11.2.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUECOLOUR = (8, 2, 0, 0, 0)  # bits of a sample, red green blue, and the only ways to pack, filter and order
LEVEL = 3  # of zlib: from 4 upwards twice the time for a fifth of the bytes


def encoded(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The pixels, shape (height, width, 3 or 4), as a PNG file; a fourth sample is left out."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # a row's first byte says that it is not filtered
    samples = np.ndarray((height, width, 3), np.uint8, rows.data, 1, (1 + 3 * width, 3, 1))
    for colour in range(3):
        samples[..., colour] = pixels[..., colour]
    header = struct.pack(">2I5B", width, height, *TRUECOLOUR)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, LEVEL)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
