"""papermill and nbclient without their log lines: what happened is told by the outcome."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_papermill() -> Iterator[None]:
    """Nothing; within the block papermill's logger, which nbclient shares, is silent."""
    logger = logging.getLogger("papermill")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
