"""One of the two models: what is on record of it, and what is not any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from churnlib.compare.answer import Model
from churnlib.compare.facts import ABSENT
from churnlib.compare.reference import Chosen, named
from churnlib.compare.scores import Predictions
from churnlib.evidence import RunEvidence
from churnlib.ledger.history import iso, when
from churnlib.results import FinalizeResult

HASH = 10  # letters of a hash that a table shows
DAY = 10  # letters of a day, as of a moment
NOT_DATA = ("study", "experiment", "output_dir")  # parameters that say nothing of the data


@dataclass(frozen=True)
class Side:
    """All that is on record of one model. What cannot be read is None or empty, and named in `gaps`."""

    chosen: Chosen
    finalize: FinalizeResult
    runs: Mapping[str, RunEvidence]  # by role: data, search, child, final
    parameters: Mapping[str, str]  # the fitted model's hyperparameters
    environment: Mapping[str, Any] | None
    predictions: Predictions | None  # of its own test rows
    as_incumbent: Predictions | None  # of the other side's test rows, if it was scored on them
    uncommitted: str | None  # changes that no commit has
    gaps: tuple[str, ...]

    @property
    def tags(self) -> Mapping[str, str]:
        """The final run's tags."""
        return self.runs["final"].tags if "final" in self.runs else {}

    @property
    def test(self) -> str:
        """The fingerprint of its test rows."""
        return self.finalize.data.splits["test"].fingerprint

    @property
    def commit(self) -> str:
        """The commit that its final run was made from; empty where none is on record."""
        return self.tags.get("mlflow.source.git.commit", "")

    @property
    def dirty(self) -> bool:
        """Whether there were changes that no commit has."""
        return self.tags.get("git_dirty") == "true"


def choices(side: Side, *, searched: bool) -> dict[str, object]:
    """How the model decides and, if `searched`, how it was found: not hyperparameters, and chosen as well."""
    found: dict[str, object] = {}
    if searched:
        search = side.runs["search"]
        known = {**search.params, **search.tags}
        names = ("model_family", "search_name", "search_method", "total_configs", "finished_configs")
        found |= {name: known[name] for name in names if name in known}
    threshold = {
        "threshold": side.finalize.threshold,
        "threshold objective": side.finalize.threshold_objective,
    }
    costs = {
        name: side.finalize.parameters[name]
        for name in ("offer_cost", "saved_value")
        if name in side.finalize.parameters
    }
    return found | threshold | costs


def data_facts(side: Side) -> dict[str, object]:
    """The table and its splits: source, content, sizes, and every parameter of phase data."""
    data = side.finalize.data
    asked = {name: value for name, value in data.parameters.items() if name not in NOT_DATA}
    found: dict[str, object] = {"table": data.source.location, "features": data.feature_count}
    found |= {f"{name} rows": split.rows for name, split in data.splits.items()}
    found["content"] = f"{data.data_hash[:HASH]}…"
    return (
        asked | found | {f"{name} split": f"{item.fingerprint[:HASH]}…" for name, item in data.splits.items()}
    )


def packages_of(side: Side) -> dict[str, str]:
    """Python's version and every package's."""
    environment = side.environment or {}
    python = {"python": str(environment["python"])} if "python" in environment else {}
    return python | {str(name): str(text) for name, text in environment.get("packages", {}).items()}


def machine_of(side: Side) -> dict[str, object]:
    """The machine and the lock file: what else the environment is."""
    names = ("implementation", "platform", "machine", "threads")
    found = {name: value for name, value in (side.environment or {}).items() if name in names}
    lock = side.tags.get("lock_sha256", "")
    return found | {"requirements.lock": f"{lock[:HASH]}…" if lock else ABSENT}


def model_of(side: Side, *, asked: str, now: int) -> Model:
    """The side as the result states it; `now` is in ms since 1970."""
    chosen, finalize = side.chosen, side.finalize
    version, reign = chosen.version, chosen.reign
    return Model(
        asked=asked,
        kind=chosen.reference.kind,
        meant=named(chosen.reference, now),
        version=chosen.number,
        run_id=finalize.run_id,
        name=finalize.name,
        role=role_of(chosen),
        since=iso(reign.since) if reign else None,
        until=iso(reign.until) if reign and reign.until is not None else None,
        approved_by=version.approved_by if version else "",
        approval_reason=version.approval_reason if version else "",
        validation=version.status if version else "none",
        proofs={mode: proof.outcome for mode, proof in version.proofs.items()} if version else {},
        commit=side.commit,
        data_hash=finalize.data.data_hash,
        test_fingerprint=side.test,
        test_rows=finalize.data.splits["test"].rows,
        threshold=finalize.threshold,
        threshold_objective=finalize.threshold_objective,
        val_metrics=finalize.val_metrics,
        test_metrics=finalize.test_metrics,
    )


def role_of(chosen: Chosen) -> str:
    """Its part: the time as champion that was meant, to the day where it lasted one, or that it never was."""
    if chosen.version is None:
        return "a final run that is not registered"
    if chosen.reign is None:
        return "never champion"
    since, until = when(chosen.reign.since), chosen.reign.until
    if until is None:
        return f"champion since {since[:DAY]}"
    end = when(until)
    if since[:DAY] != end[:DAY]:
        since, end = since[:DAY], end[:DAY]
    return f"champion from {since} to {end}"
