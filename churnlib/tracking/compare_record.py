"""The comparison on record: its result, its figures, and the diffs that no report has room for."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from churnlib.compare.answer import CompareResult
from churnlib.compare.areas import areas
from churnlib.compare.pair import Pair, records
from churnlib.compare.side import model_of
from churnlib.figures import compare as figures
from churnlib.figures.champions import champions
from churnlib.figures.style import HouseFigure, statement
from churnlib.params import CompareParams
from churnlib.tracking.phase import Recorder


def record_comparison(
    recorder: Recorder, params: CompareParams, pair: Pair, drawn: Mapping[str, HouseFigure]
) -> CompareResult:
    """The answer, when all of it and the `pictures` are on record."""
    result = result_of(recorder, params, pair)
    drift = pd.DataFrame(result.drift)
    recorder.text(drift.to_csv(index=False), "drift.csv")
    recorder.text(pair.whole_diff, "code.diff")
    recorder.figures(drawn)
    recorder.batch(
        metrics=_differences(result),
        tags={
            "model_name": result.model_name,
            "version_a": result.a.version or "none",
            "version_b": result.b.version or "none",
            "run_a": result.a.run_id,
            "run_b": result.b.run_id,
            "outcome": result.outcome,
            "comparable": str(result.comparable).lower(),
        },
    )
    return result


def result_of(recorder: Recorder, params: CompareParams, pair: Pair) -> CompareResult:
    """The answer as a result."""
    return CompareResult(
        **recorder.origin(params),
        model_name=params.model_name,
        alias=params.alias,
        a=model_of(pair.a, asked=params.a, now=pair.now),
        b=model_of(pair.b, asked=params.b, now=pair.now),
        outcome=pair.outcome,
        seconds=pair.seconds,
        basis=pair.basis,
        comparable=pair.basis != "other rows" and pair.scores is not None,
        scores=pair.scores,
        areas=areas(pair),
        hyperparameters=records(pair.hyperparameters),
        choices=records(pair.choices),
        data=records(pair.data),
        features=records(pair.features),
        rates=records(pair.rates),
        drift=records(pair.drift),
        packages=records(pair.packages),
        machine=records(pair.machine),
        code=pair.code,
        gaps=pair.gaps,
    )


def pictures(pair: Pair) -> dict[str, HouseFigure]:
    """The figures by name: champions, differences, drift; a sentence in place of what cannot be drawn."""
    return {
        "champions": champions(pair.reigned, now=pair.now, a=pair.a.chosen.number, b=pair.b.chosen.number),
        "differences": _differences_drawn(pair),
        "drift": _drift_drawn(pair),
    }


def _differences_drawn(pair: Pair) -> HouseFigure:
    if pair.scores is None:
        return statement("By how much do they differ?", "Predictions are not on record any more.")
    return figures.differences(pair.scores)


def _drift_drawn(pair: Pair) -> HouseFigure:
    if pair.same_training_rows:
        return statement(figures.DRIFTED, "None: both learned from the same rows.")
    if pair.drift is None:
        return statement(figures.DRIFTED, "Training rows are not on record any more.")
    return figures.drift(pair.drift)


def _differences(result: CompareResult) -> Mapping[str, float]:
    """How many things differ per area, and each metric's difference where there is one."""
    found = {
        f"differing_{area.name}": float(area.differs) for area in result.areas if area.differs is not None
    }
    if result.scores is not None:
        for metric in result.scores.metrics:
            if metric.difference is not None:
                found[f"difference_{metric.name}"] = metric.difference.value
    return found
