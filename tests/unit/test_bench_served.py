"""What the bench says of the pipeline through a server."""

from __future__ import annotations

from bench.parts import Span
from bench.served import table
from bench.timing import Run


def runs(*seconds: float) -> list[Run]:
    return [Run(Span(0.0, each), each) for each in seconds]


def test_ways_are_told_by_their_medians_as_times_the_embedded_store() -> None:
    told = table({"embedded store": runs(10, 30, 20), "through the server": runs(28, 26, 99)})
    assert [row[1] for row in told.rows] == ["20.0", "28.0"]
    assert [row[3] for row in told.rows] == ["1.00", "1.40"]
    assert told.rows[1][2] == "26.0 to 99.0"
