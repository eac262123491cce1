"""What a person sees while a search runs: each entrant as it ends, the best so far, the time left."""

from __future__ import annotations

from collections.abc import Callable

from churnlib.search.contest import Outcome, Trained


class Progress:
    """Tells of each entrant in one line; the time left is what the trained ones took on average."""

    def __init__(self, total: int, clock: Callable[[], float], announce: Callable[[str], None]) -> None:
        self._total, self._clock, self._announce = total, clock, announce
        self._begun = clock()
        self._done = self._timed = 0
        self._best: Trained | None = None

    def done(self, item: Outcome, note: str = "") -> None:
        """Tell of an entrant that ended; with a `note` it was not trained now, so the pace is not its."""
        self._done += 1
        self._timed += not note
        if isinstance(item, Trained) and (self._best is None or item.score > self._best.score):
            self._best = item
        parts = [f"[{self._done:>{len(str(self._total))}}/{self._total}] {item.line}{note}"]
        if self._best is not None and self._best is not item:
            parts.append(f"best {self._best.score:.4f} {self._best.entrant.name}")
        if self._timed and self._done < self._total:
            left = (self._clock() - self._begun) / self._timed * (self._total - self._done)
            parts.append(f"{_short(left)} left")
        self._announce("; ".join(parts))


def _short(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
