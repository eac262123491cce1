"""Why a model scores subscribers as it does: what each column adds, checked against the predictions."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit
from scipy.stats import rankdata

from churnlib.errors import IntegrityError
from churnlib.models.scorer import Column, Matrix, Scorer, Values

TOLERANCE = 1e-5  # in probability, between a row's prediction and the sum of what its columns add
DECIMALS = {"log-odds": 2, "probability": 4}


@dataclass(frozen=True)
class Reason:
    """What one column adds to one subscriber's score."""

    column: str
    value: str  # the subscriber's own, in words
    effect: float  # in `Explanation.unit`
    signed: str  # the effect in words: +0.40


@dataclass(frozen=True)
class Explanation:
    """What each column adds to the scores of some rows, in `unit`, and the `base` that all rows begin with.

    A `position` counts these rows; `rows` says where each stands in the table that it was drawn from.
    """

    unit: str  # log-odds or probability
    base: float  # NaN without rows
    contributions: pd.DataFrame  # a column per feature, shape (n_rows, n_columns)
    probabilities: Values
    rows: npt.NDArray[np.int64]
    features: pd.DataFrame  # the rows as they came
    encoded: Matrix  # the rows as the model sees them
    columns: tuple[Column, ...]

    def probability(self, score: Any) -> Any:
        """The churn probability of a score in `unit`, or of an array of them."""
        return expit(score) if self.unit == "log-odds" else score

    def signed(self, effect: float) -> str:
        """An effect in words, with its sign: +0.40 log-odds, +0.0400 in probability; 0.00 has none."""
        told = f"{effect:+z.{DECIMALS[self.unit]}f}"
        return told.replace("-", "−") if self.counts(effect) else told.removeprefix("+")

    def counts(self, effect: float) -> bool:
        """Whether an effect is more than 0 as `signed` writes it."""
        return round(abs(effect), DECIMALS[self.unit]) > 0

    def global_importance(self) -> pd.DataFrame:
        """Columns feature, mean_effect, share and association, the largest mean first.

        `mean_effect` is the mean absolute effect in `unit`, `share` its part of all columns' sum.
        `association` is Spearman's rank correlation of value and effect, -1 to 1: above 0, larger values
        go with a higher score. It is NaN for categories, and where value or effect never varies.
        """
        effects = self.contributions.to_numpy()
        means = np.abs(effects).mean(axis=0) if len(effects) else np.zeros(effects.shape[1])
        table = pd.DataFrame(
            {
                "feature": list(self.contributions.columns),
                "mean_effect": means,
                "share": means / (means.sum() or 1.0),
                "association": [
                    np.nan if column.kind == "category" else _rank_correlation(*pair)
                    for column, *pair in zip(self.columns, self.encoded.T, effects.T, strict=True)
                ],
            }
        )
        return table.sort_values("mean_effect", ascending=False, kind="stable", ignore_index=True)

    def reasons(self, position: int) -> list[Reason]:
        """What every column adds to one row, the strongest first."""
        effects = self.contributions.iloc[position]
        strongest = np.argsort(-np.abs(effects.to_numpy()), kind="stable")
        values = self.features.iloc[[position]].astype(object).iloc[0]  # a whole number stays one
        return [
            Reason(name, _words(values[name]), float(effects[name]), self.signed(effects[name]))
            for name in effects.index[strongest]
        ]

    def examples(self, threshold: float) -> dict[str, int]:
        """Positions worth a look, by what is special about them; each row once, of equals the first."""
        if not len(self.rows):
            return {}
        found = {
            "the highest probability": int(np.argmax(self.probabilities)),
            "the nearest to the threshold": int(np.argmin(np.abs(self.probabilities - threshold))),
            "the lowest probability": int(np.argmin(self.probabilities)),
        }
        once = {position: why for why, position in reversed(found.items())}
        return {why: position for why, position in found.items() if once[position] == why}

    def table(self) -> pd.DataFrame:
        """A line per row: row, churn_probability, unit, base, and `effect_<name>` for each feature.

        Features' names differ, and no other column begins with ``effect_``, so no two columns share a name.
        """
        told = pd.DataFrame({"row": self.rows, "churn_probability": self.probabilities})
        told = told.assign(unit=self.unit, base=self.base)
        return pd.concat([told, self.contributions.add_prefix("effect_")], axis=1)

    def to_parquet_bytes(self) -> bytes:
        """`table` as a Parquet file: equal tables give equal bytes within one version of pyarrow."""
        plain = pa.Table.from_pandas(self.table(), preserve_index=False).replace_schema_metadata(None)
        buffer = io.BytesIO()
        pq.write_table(plain, buffer, compression="zstd")
        return buffer.getvalue()


def explain(scorer: Scorer, features: pd.DataFrame, *, most: int, seed: int) -> Explanation:
    """The explanation of at most `most` rows of `features`, drawn at random and kept in their order.

    Raises IntegrityError E431 if what the columns add does not come to the prediction, in any row.
    """
    rows = _sample(len(features), most, seed)
    names = [column.name for column in scorer.encoder.columns]
    drawn = features.iloc[rows].reset_index(drop=True)
    matrix, _ = scorer.encoder.encode(drawn)
    added = scorer.predictor.contributions(matrix) if len(matrix) else np.empty((0, len(names) + 1))
    if added.shape != (len(matrix), len(names) + 1):
        raise ValueError(
            f"contributions of shape {added.shape} for {len(matrix)} rows of {len(names)} columns"
        )
    explanation = Explanation(
        unit=scorer.predictor.unit,
        base=float(added[0, -1]) if len(added) else float("nan"),
        contributions=pd.DataFrame(added[:, :-1], columns=names),
        probabilities=scorer.probabilities(matrix),
        rows=rows,
        features=drawn[names],
        encoded=matrix,
        columns=scorer.encoder.columns,
    )
    _check_sums(explanation)
    return explanation


def _sample(count: int, most: int, seed: int) -> npt.NDArray[np.int64]:
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def _check_sums(explanation: Explanation) -> None:
    scores = explanation.base + explanation.contributions.to_numpy().sum(axis=1)
    gaps = np.abs(explanation.probability(scores) - explanation.probabilities)
    wrong = ~(gaps <= TOLERANCE)  # NaN is wrong, too
    if wrong.any():
        raise IntegrityError(
            "E431",
            f"the explanation is not of this model: in {wrong.sum()} of {len(wrong)} explained rows "
            f"({wrong.mean():.1%}) what the columns add differs from the prediction, by up to "
            f"{gaps.max():.2g} in probability where at most {TOLERANCE:g} was expected; do not use it, "
            "and check the family's `contributions`",
        )


def _rank_correlation(values: npt.NDArray[Any], effects: Values) -> float:
    """Spearman's rank correlation where there is a value; NaN if either does not vary."""
    there = ~np.isnan(values)
    ranks = [rankdata(values[there]), rankdata(effects[there])]
    if not there.any() or any(rank.min() == rank.max() for rank in ranks):
        return float("nan")
    value, effect = (rank - rank.mean() for rank in ranks)
    return float((value * effect).sum() / (np.sqrt((value**2).sum()) * np.sqrt((effect**2).sum())))


def _words(value: Any) -> str:
    if pd.isna(value):
        return "missing"
    if isinstance(value, float | np.floating):
        number = float(value)
        return f"{number:.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:.6g}"
    return str(value)
