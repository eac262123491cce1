"""What a person sees while a notebook runs: one bar on a terminal, now and then a line anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from churnlib.ledger.history import shown

_BAR = "{desc}: {n_fmt} of {total_fmt} cells |{bar}| {elapsed}"
_SECONDS_BETWEEN_LINES = 10.0


def terminal_line(line: str) -> None:
    """Nothing; the line is on standard output, above the bar if there is one."""
    tqdm.write(shown(line))
    sys.stdout.flush()


class Lines:
    """A text stream that hands on whole lines, so that they cannot tear a progress bar."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = ""

    def write(self, text: str) -> None:
        """Nothing; complete lines are handed on, the rest waits for its end."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line)

    def flush(self) -> None:
        """Nothing: a line is handed on when it is complete."""

    def close(self) -> None:
        """Nothing; a last line without an end is handed on."""
        if self._rest:
            self._on_line(self._rest)
            self._rest = ""


class Progress:
    """The progress of one notebook on standard error, counted in code cells."""

    def __init__(self, description: str, total: int) -> None:
        terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, desc=description, bar_format=_BAR, disable=not terminal, leave=False)
        self._description = description
        self._total = total
        self._shown = 0
        self._due = time.monotonic() + _SECONDS_BETWEEN_LINES

    def show(self, done: int) -> None:
        """Nothing; the bar, or a line if there is news and the last one is ten seconds old, shows `done`."""
        if not self._bar.disable:
            self._bar.n = done
            self._bar.refresh()
        elif done > self._shown and time.monotonic() >= self._due:
            self._shown = done
            self._due = time.monotonic() + _SECONDS_BETWEEN_LINES
            sys.stderr.write(f"{self._description}: {done} of {self._total} cells done\n")
            sys.stderr.flush()

    def close(self) -> None:
        """Nothing; the bar is gone."""
        self._bar.close()
