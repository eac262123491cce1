"""The sealed test: the one place that opens the test split, once per candidate, and on the ledger first.

Every opening is an event of the model's ledger, written before a row is read. What it gave is kept as
an object under its hash, so that the same candidate never needs the rows again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from churnlib import store
from churnlib.errors import GateRefused, IntegrityError, ParameterError
from churnlib.gate.segments import segment_labels
from churnlib.ledger.event import Draft
from churnlib.ledger.replay import Ledger
from churnlib.ledger.rules import same_search
from churnlib.ledger.state import Opening
from churnlib.models import baseline
from churnlib.models.candidate import Candidate, Judged, candidate_key, candidate_name, judge, score
from churnlib.models.features import labels_of
from churnlib.models.sealed_rows import SealedRows
from churnlib.params import FinalizeParams
from churnlib.results import SearchResult
from churnlib.tracking import objects
from churnlib.tracking.connection import experiment_id
from churnlib.tracking.incumbent import load_champion
from churnlib.tracking.ledger import Book, open_book, who
from churnlib.tracking.session import schema_of

CSV = ".csv"


@dataclass(frozen=True)
class Verdict:
    """What the test rows say of a candidate, and for whom they have been opened.

    `again` says that it was taken from the record. `incumbent` is the version that was champion at the
    opening and was scored on the same rows; where one could not be, `incumbent_missing` says why.
    """

    key: str
    judged: Judged
    rows: SealedRows
    openings: tuple[str, ...]
    incumbent: int | None
    incumbent_missing: str
    again: bool


def judge_once(
    client: MlflowClient,
    root: Path,
    params: FinalizeParams,
    search: SearchResult,
    candidate: Candidate,
    plain: baseline.Baseline,
) -> Verdict:
    """The candidate's verdict on the test rows, which are opened for it once.

    A candidate that was judged before gets the recorded result; one that was stopped between opening
    and result goes on under its opening. Metrics are at the candidate's present threshold.

    Raises GateRefused E605 where the same search has opened this split for another candidate and
    `test_reason` is empty; IntegrityError E423 where the recorded result is gone or was changed, E417
    and E418 for a ledger that was tampered with, E401, E402 and E413 for a broken champion; ParameterError
    E222 for a segment that the table lacks, E223 for one that was not recorded at the opening.
    """
    book = open_book(client, root, model_name=params.model_name, experiment=params.experiment)
    case = _Case(book, experiment_id(client, params.experiment, root), root, params, search, candidate, plain)
    ledger, again = book.sound(), True
    known = case.opening(ledger)
    if known is None or not known.result:
        ledger, again = case.open_and_judge(ledger)
        known = case.known(ledger)
    rows = recorded_rows(client, case.experiment, known, params.segments)
    return Verdict(
        key=case.key,
        judged=judge(rows.labels, rows.candidate, candidate.decision.threshold),
        rows=rows,
        openings=tuple(item.name for item in ledger.state.openings_of(known.test)),
        incumbent=int(known.result["incumbent"]) if known.result["incumbent"] else None,
        incumbent_missing=known.result["incumbent_missing"],
        again=again,
    )


def recorded_rows(
    client: MlflowClient, experiment: str, opening: Opening, segments: Mapping[str, Sequence[float]]
) -> SealedRows:
    """What an opening gave, its hash checked, with the segments that are asked for.

    It is looked for in the study's experiment, by its hash, and only then in the one that the event names:
    a record that was moved to a server may have another id there.

    Raises IntegrityError E423 if it is gone or was changed, ParameterError E223 for segments that
    were not recorded.
    """
    kept = json.loads(opening.result["segments"])
    if strange := [name for name, edges in segments.items() if kept.get(name) != list(edges)]:
        recorded = ", ".join(f"{name} {edges}" for name, edges in kept.items()) or "none"
        raise ParameterError(
            "E223",
            f"segments: {', '.join(strange)} was not recorded so when the test split was opened for "
            f"{opening.name}; recorded: {recorded}; it is not opened again, so ask for those",
        )
    try:
        content = _kept(client, experiment, opening.result)
    except IntegrityError as error:
        raise IntegrityError(
            "E423",
            f"the recorded test result of {opening.name} (event {opening.number}): {error.message}; the test "
            "split is not opened again for it",
        ) from None
    rows = SealedRows.from_csv(content)
    return replace(rows, segments=rows.segments[list(segments)])


def _kept(client: MlflowClient, experiment: str, result: Mapping[str, str]) -> bytes:
    try:
        return objects.get(client, experiment, result["result"], CSV)
    except IntegrityError:
        if result["experiment"] == experiment:
            raise
    return objects.get(client, result["experiment"], result["result"], CSV)


@dataclass(frozen=True)
class _Case:
    """A candidate that asks for the test split."""

    book: Book
    experiment: str
    root: Path
    params: FinalizeParams
    search: SearchResult
    candidate: Candidate
    plain: baseline.Baseline

    @property
    def key(self) -> str:
        return candidate_key(self.candidate.booster_sha256, self.search.data.fingerprint)

    @property
    def evidence(self) -> dict[str, str]:
        """What the ledger is told of it."""
        return {
            "test": self.search.data.splits["test"].fingerprint,
            "name": candidate_name(self.params, self.search),
            "search": str(self.search.parameters["search_name"]),
            "search_run": self.search.run_id,
            "data": self.search.data.fingerprint,
            "booster": self.candidate.booster_sha256,
        }

    def opening(self, ledger: Ledger) -> Opening | None:
        """The opening that was made for it, or None."""
        return ledger.state.opening(self.key, self.evidence["test"])

    def known(self, ledger: Ledger) -> Opening:
        """The opening, once an event says so."""
        if found := self.opening(ledger):
            return found
        raise IntegrityError(  # pragma: no cover - append returns only when the event or an equal one counts
            "E417", f"ledger {self.book.name}: the opening for {self.evidence['name']} is not on it"
        )

    def open_and_judge(self, ledger: Ledger) -> tuple[Ledger, bool]:
        """The ledger with the result on it, and whether somebody else judged it meanwhile.

        What can be refused is refused before the opening is written.
        """
        client, data = self.book.client, self.search.data
        objects.fetch_missing(client, self.root, data)
        segment_labels(store.read_split(self.root, data, "val"), self.params.segments)
        champion = load_champion(client, self.experiment, ledger.state)
        ledger, _ = self.book.append(self.to_open)
        opening = self.known(ledger)
        if opening.result:
            return ledger, True
        table = store.open_test(self.root, data, opening)
        theirs = champion.scored(table) if champion else None
        rows = self.rows(table)
        if theirs:
            rows = replace(rows, champion=theirs.probabilities)
        result = {
            **self.evidence,
            "result": objects.put(client, self.experiment, rows.to_csv(), CSV),
            "experiment": self.experiment,
            "segments": json.dumps(self.params.segments, sort_keys=True),
            "incumbent": str(theirs.version) if theirs and theirs.probabilities is not None else "",
            "incumbent_missing": theirs.reason if theirs else "",
        }
        ledger, entry = self.book.append(lambda now: self.to_judge(now, result))
        return ledger, entry is None

    def to_open(self, ledger: Ledger) -> Draft | None:
        """What the ledger has to be told before a row is read, or None where it knows already."""
        if self.opening(ledger):
            return None
        evidence, reason = self.evidence, self.params.test_reason.strip()
        first = same_search(ledger.state, evidence)
        if first and not reason:
            raise GateRefused(
                "E605",
                f"the test split was opened for {first}, of the same search {evidence['search']!r}, and "
                f"stays closed for {evidence['name']}: rows that choose among candidates judge none of them; "
                "keep that one, or say in test_reason why this one must be judged, too, or search under "
                "another search_name; every opening is counted in the reports",
            )
        return Draft(kind="test_opened", who=who(), why=reason, candidate=self.key, evidence=evidence)

    def to_judge(self, ledger: Ledger, result: dict[str, str]) -> Draft | None:
        """What an opening gave, or None where that is on the ledger already."""
        if self.known(ledger).result:
            return None
        return Draft(kind="test_judged", who=who(), why="", candidate=self.key, evidence=result)

    def rows(self, table: pd.DataFrame) -> SealedRows:
        """What candidate and baseline say of the test rows."""
        schema = schema_of(self.search.data)
        features, scorer = table[schema.features], self.candidate.scorer
        return SealedRows(
            labels=labels_of(table, schema),
            candidate=score(scorer, features),
            baseline=baseline.score(self.plain, scorer.encoder, features),
            champion=None,
            segments=segment_labels(table, self.params.segments),
        )
