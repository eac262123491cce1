"""What came out, held against what the record says came out: splits, models, predictions, metrics."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from churnlib.proof.items import Compared, Outputs, Status
from churnlib.results import sha256

CLOSE = 1e-6  # of a probability or a metric, where the settings do not promise equal bytes
WORDS = {"train": "train split", "val": "validation split", "test": "test split"}
TABLES = {"test": "test predictions", "val": "validation predictions"}
COLUMNS = ("y_true", "y_pred", "y_proba")


def read_predictions(content: bytes) -> pd.DataFrame:
    """The table of predictions that finalize wrote as CSV, every number bit for bit."""
    return pd.read_csv(io.BytesIO(content))


@dataclass(frozen=True)
class Whys:
    """Why an output was not compared: any of them, those of the search, those of the test rows.

    `contest` says why other configurations may compete than on record; "" where the record promises the same.
    """

    any: str
    search: str
    test: str
    contest: str = ""


def compare_outputs(
    expected: Outputs, found: Outputs | None, files: Mapping[str, str], *, exact: bool, whys: Whys
) -> list[Compared]:
    """Every output, in the order in which they are made; one that was not made was not compared.

    `files` are the hashes of the recorded predictions, by which they are compared where the record has lost
    the rows. Unless `exact`, models are not compared, and numbers may be `CLOSE`.
    """
    made = found or Outputs({}, {}, "", "", math.nan, {})
    whys = whys if found else Whys(whys.any, whys.any, whys.any)
    return [
        *_splits(expected, made, whys.any),
        *_models(expected, made, exact=exact, whys=whys),
        _number("threshold", expected.threshold, made.threshold, exact=exact, why=whys.any),
        *(
            _predictions(split, expected, made, files, exact=exact, why=_why(split, whys))
            for split in TABLES
            if split in files or split in expected.predictions
        ),
        *(
            _number(name, value, made.metrics.get(name), exact=exact, why=_why(name, whys))
            for name, value in expected.metrics.items()
        ),
    ]


def how_far(outputs: Sequence[Compared]) -> str:
    """How far apart the outputs are that differ, in words; "" where none does."""
    apart = [item for item in outputs if item.status == "differs"]
    told = [f"{item.name}: {item.detail}" for item in apart if item.name in TABLES.values()]
    metrics = {item.name: item.detail for item in apart if item.name.startswith(("test_", "val_"))}
    told += [f"{name} {metrics[name]}" for name in ("test_auc", "val_auc") if name in metrics][:1]
    named = {*TABLES.values(), *WORDS.values(), *metrics}  # which rows a split differs in is told as an input
    others = [item.name for item in apart if item.name not in named]
    if others:
        shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        told.insert(0, f"{shown} {'differs' if len(others) == 1 else 'differ'}")
    return "; ".join(told)


def prediction_pairs(
    expected: Outputs | None, found: Outputs | None
) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Split -> the probabilities as recorded and as found, where both have the same number of rows."""
    if expected is None or found is None:
        return {}
    tables = {
        split: (expected.predictions[split], found.predictions[split])
        for split in TABLES
        if split in expected.predictions and split in found.predictions
    }
    return {
        split: (before["y_proba"], now["y_proba"])
        for split, (before, now) in tables.items()
        if len(before) == len(now)
    }


def _splits(expected: Outputs, made: Outputs, why: str) -> list[Compared]:
    return [
        _text(WORDS[name], expected.splits[name], made.splits.get(name, ""), why=why)
        for name in WORDS
        if name in expected.splits
    ]


def _why(name: str, whys: Whys) -> str:
    return whys.test if name.removeprefix("baseline_").startswith("test") else whys.any


def _models(expected: Outputs, made: Outputs, *, exact: bool, whys: Whys) -> list[Compared]:
    """Every configuration's model, the winner's name, and the model that finalize trained again."""
    names = [name for name in expected.boosters if name in made.boosters]
    left = len(expected.boosters) - len(names)
    inexact = "" if exact else "these settings do not promise equal bytes: predictions are compared"
    items = [
        _text(f"model of {name}", expected.boosters[name], made.boosters[name], why="", skip=inexact)
        for name in names
    ]
    others = [name for name in made.boosters if name not in expected.boosters]
    if left or others:
        items.append(_others(left, others, "the other models" if names else "models", whys))
    items.append(_text("winner", expected.winner, made.winner, why=whys.any))
    final = _text("final model", expected.booster_sha256, made.booster_sha256, why=whys.any, skip=inexact)
    return [*items, final]


def _others(left: int, others: Sequence[str], name: str, whys: Whys) -> Compared:
    """The configurations that were recorded and not made; where others were made, it was another contest."""
    told = f"{left} configuration{'' if left == 1 else 's'}"
    if not others:
        return _output(name, told, "", "not compared", whys.search)
    found = f"{len(others)} that are not on record, {others[0]} the first"
    if whys.contest:
        return _output(name, told, found, "not compared", whys.contest)
    return _output(name, told, found, "differs", "other configurations competed")


def _predictions(
    split: str, expected: Outputs, made: Outputs, files: Mapping[str, str], *, exact: bool, why: str
) -> Compared:
    name = TABLES[split]
    before, now = expected.predictions.get(split), made.predictions.get(split)
    if now is None:
        told = f"{len(before):,} rows" if before is not None else _short(files.get(split, ""))
        return _output(name, told, "", "not compared", why)
    if before is None:
        hashed = sha256(now.loc[:, list(COLUMNS)].to_csv(index=False).encode())
        return _text(name, files.get(split, ""), hashed, why="it is not on record")
    if len(before) != len(now):
        return _output(name, f"{len(before):,} rows", f"{len(now):,} rows", "differs", "other rows")
    return _row_by_row(name, before, now, exact=exact)


def _row_by_row(name: str, before: pd.DataFrame, now: pd.DataFrame, *, exact: bool) -> Compared:
    """The rows in their order: label, decision and probability of each."""
    far = (before["y_proba"] - now["y_proba"]).abs()
    near = far == 0 if exact else far <= CLOSE
    labels = before["y_true"] == now["y_true"]
    decided = before["y_pred"] == now["y_pred"]
    equal = int((near & labels & (decided | (not exact))).sum())
    rows = f"{len(before):,}"
    if equal == len(before):
        detail = "" if exact else f"each within {CLOSE:g}, at most {far.max():.2g} apart"
        return _output(name, f"{rows} rows", f"{rows} of {rows} equal", "equal", detail)
    detail = (
        f"{len(before) - equal:,} of {rows} differ, by {far.max():.2g} at most and {far.mean():.2g} on "
        f"average; {_differ(int((~decided).sum()), 'decision')}"
    )
    if not labels.all():
        detail += f"; {_differ(int((~labels).sum()), 'label')}: these are other rows"
    return _output(name, f"{rows} rows", f"{equal:,} of {rows} equal", "differs", detail)


def _number(name: str, expected: float, found: float | None, *, exact: bool, why: str) -> Compared:
    if found is None or (math.isnan(found) and not math.isnan(expected)):
        return _output(name, repr(expected), "", "not compared", why)
    same = expected == found or (math.isnan(expected) and math.isnan(found))
    far = abs(found - expected)
    if same or (not exact and far <= CLOSE):
        detail = "" if same else f"{far:.2g} apart"
        return _output(name, repr(expected), repr(found), "equal", detail)
    return _output(name, repr(expected), repr(found), "differs", f"{far:.2g} apart")


def _text(name: str, expected: str, found: str, *, why: str, skip: str = "") -> Compared:
    if not found or not expected or (skip and found != expected):
        return _output(name, expected, found, "not compared", skip if found else why)
    return _output(name, expected, found, "equal" if expected == found else "differs")


def _output(name: str, expected: str, found: str, status: Status, detail: str = "") -> Compared:
    return Compared(
        part="output", cause="", name=name, expected=expected, found=found, status=status, detail=detail
    )


def _differ(count: int, noun: str) -> str:
    return f"1 {noun} differs" if count == 1 else f"{count:,} {noun}s differ"


def _short(hashed: str) -> str:
    return f"sha256 {hashed[:16]}…" if hashed else ""
