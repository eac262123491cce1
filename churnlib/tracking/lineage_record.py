"""The lineage on record: the chain as a result, and where the version's code came from."""

from __future__ import annotations

import pandas as pd

from churnlib.figures.style import HouseFigure
from churnlib.lineage import links_table
from churnlib.params import LineageParams
from churnlib.results import Lineage, LineageResult
from churnlib.tracking.phase import Recorder

ORIGIN = (
    "git_commit",
    "git_branch",
    "git_dirty",
    "mlflow.source.name",
    "notebook_sha256",
    "library_sha256",
    "lock_sha256",
    "python_version",
    "platform",
    "thread_count",
    "mlflow.user",
)


def record_lineage(
    recorder: Recorder, params: LineageParams, chain: Lineage, drawn: HouseFigure
) -> LineageResult:
    """The result of the phase; the links, and the chain as it was `drawn`, are on the run in any case."""
    status = [link.status for link in chain.links]
    recorder.text(links_table(chain.links).to_csv(index=False), "links.csv")
    recorder.figures({"chain": drawn})
    recorder.batch(
        metrics={f"links_{name}": status.count(name) for name in ("equal", "recorded", "differs")},
        tags={"model_name": params.model_name, "alias": params.alias, "model_version": chain.version},
    )
    return LineageResult(**recorder.origin(params), **dict(chain))


def origin_table(chain: Lineage) -> pd.DataFrame:
    """Code and environment of the final run, as they were frozen: columns what, value."""
    return pd.DataFrame([(name, chain.origin.get(name, "")) for name in ORIGIN], columns=["what", "value"])
