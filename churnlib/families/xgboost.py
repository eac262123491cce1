"""The XGBoost family: trees boosted on histograms on the CPU, kept as UBJ, XGBoost's own binary JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

import numpy as np
import pandas as pd
from pydantic import Field, with_config

from churnlib.models.family import Encoded, Fitted, Promise, Watch
from churnlib.models.quantiles import Binned, binned
from churnlib.models.scorer import Encoder, Matrix, Values
from churnlib.phaseparams import STRICT, NotNegative, Rate

if TYPE_CHECKING:
    import xgboost

TITLE = "XGBoost"
PREFIX = "xgb"
MODEL_TYPE = "XGBClassifier"
FILE = "model.ubj"
REQUIRES: tuple[str, ...] = ("xgboost",)
SHARED: tuple[str, ...] = ("n_estimators", "early_stopping_rounds", "random_state")
SHORT: Mapping[str, str] = {"lr": "learning_rate", "d": "max_depth"}
IMPORTANCE = "gain (mean loss reduction per split)"
DEFAULT: Mapping[str, Any] = {
    "learning_rate": 0.05,
    "max_depth": 4,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 5.0,
    "reg_lambda": 1.0,
    "max_cat_threshold": 8,  # levels on one side; with XGBoost's 64, sets of levels are learned by heart
}

_TREES = "not reproducible: the linear booster gives another model each time; only trees are boosted"
_MACHINE = "not reproducible on another machine: models are trained on the CPU, whatever else is there"
_THREADS = "threads change no bit of a model; `parallel` says how many configurations train at once"
_SEED = "not reproducible if it were left open: random_state holds for the whole search"
_WHOLE_SEARCH = "it is set once for the whole search, outside configurations"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("booster", "updater", "feature_selector"), _TREES),
    **dict.fromkeys(("device", "gpu_id", "predictor", "tree_method"), _MACHINE),
    **dict.fromkeys(("n_jobs", "nthread"), _THREADS),
    **dict.fromkeys(("seed", "random_state", "seed_per_iteration"), _SEED),
    **dict.fromkeys(("n_estimators", "early_stopping_rounds", "eval_metric"), _WHOLE_SEARCH),
}
MEASURED = {  # what gave equal bytes on 1, 2 and 4 threads; `auto` grows on histograms since XGBoost 2
    "booster": ("gbtree",),
    "device": ("cpu",),
    "tree_method": ("auto", "hist"),
    "sampling_method": ("uniform",),
}


@with_config(STRICT)
class Settings(TypedDict, total=False):
    """What one configuration may set, in XGBoost's own names and ranges; all else keeps its default."""

    learning_rate: Rate
    max_depth: Annotated[int, Field(ge=1, le=64)]
    subsample: Rate
    colsample_bytree: Rate
    reg_alpha: NotNegative
    reg_lambda: NotNegative
    min_child_weight: NotNegative
    gamma: NotNegative
    scale_pos_weight: Annotated[float, Field(gt=0)]
    max_cat_threshold: Annotated[int, Field(ge=1)]


class Predictor:
    """A booster read from UBJ; it predicts with the trees up to its best iteration, on one thread."""

    unit = "log-odds"

    def __init__(self, content: bytes, encoder: Encoder) -> None:
        import xgboost

        self.encoder = encoder
        self.booster = xgboost.Booster({"nthread": 1})
        self.booster.load_model(bytearray(content))
        self.rounds = (0, self.booster.best_iteration + 1)

    def probabilities(self, matrix: Matrix) -> Values:
        """Churn probabilities, shape (n_rows,), of an encoded matrix."""
        return self.booster.predict(self._rows(matrix), iteration_range=self.rounds).astype(np.float64)

    def contributions(self, matrix: Matrix) -> Values:
        """Exact SHAP values in log-odds, in float32, shape (n_rows, n_columns + 1), the base last."""
        effects = self.booster.predict(self._rows(matrix), iteration_range=self.rounds, pred_contribs=True)
        return effects.astype(np.float64)

    def _rows(self, matrix: Matrix) -> Any:
        import xgboost

        return xgboost.DMatrix(
            matrix,
            feature_names=self.encoder.internal_names,
            feature_types=self.encoder.feature_types,
            enable_categorical=True,
            nthread=1,
        )


@dataclass(frozen=True)
class Prepared:
    """Binned training and validation rows: built once, read by every fit, in any thread."""

    rows: Binned
    encoder: Encoder


def prepare(data: Encoded) -> Prepared:
    """Quantile matrices of both splits, as XGBClassifier makes them for every single fit."""
    return Prepared(binned(data), data.encoder)


def fit(
    prepared: Prepared, settings: Mapping[str, Any], *, threads: int, watch: Watch | None = None
) -> Fitted:
    """A model trained with early stopping on the validation rows; the bytes that XGBClassifier gives.

    Within one version of XGBoost they depend on neither `threads` nor on what else is running.
    """
    import xgboost

    estimator = xgboost.XGBClassifier(
        **{**settings, "eval_metric": "logloss"},
        n_jobs=0 if prepared.rows.is_external else threads,
        enable_categorical=True,
    )
    history: dict[str, dict[str, list[float]]] = {}
    with prepared.rows.turn:
        booster = xgboost.train(
            estimator.get_xgb_params(),
            prepared.rows.train,
            num_boost_round=settings["n_estimators"],
            evals=[(prepared.rows.train, "train"), (prepared.rows.val, "val")],
            early_stopping_rounds=settings["early_stopping_rounds"],
            evals_result=history,
            verbose_eval=False,
            callbacks=[_watching(watch)] if watch else None,
        )
    content = bytes(booster.save_raw("ubj"))
    curves = {f"{split}_log_loss": history[split]["logloss"] for split in ("train", "val")}
    return Fitted(
        content,
        Predictor(content, prepared.encoder),
        effective_parameters(estimator.get_params(), booster),
        pd.DataFrame({"iteration": np.arange(len(curves["val_log_loss"])), **curves}),
        best_iteration=int(booster.best_iteration),
        size=sum(tree.count("leaf=") for tree in _scoring(booster).get_dump()),
    )


def effective_parameters(given: Mapping[str, Any], booster: xgboost.Booster) -> dict[str, Any]:
    """Every one of XGBClassifier's parameters; where it was left open, what the booster says that it used.

    Thread count and feature types are left out: provenance and schema have them.
    """
    used = _leaves(json.loads(booster.save_config())["learner"])
    aliases = {"learning_rate": "eta", "reg_alpha": "alpha", "reg_lambda": "lambda", "random_state": "seed"}
    apart = ("n_jobs", "feature_types", "callbacks", "kwargs", "verbosity", "missing")
    found = {
        name: used.get(aliases.get(name, name)) if value is None else value
        for name, value in given.items()
        if name not in apart
    }
    return {name: _number(value) for name, value in found.items() if value is not None}


def importance(fitted: Fitted, encoder: Encoder) -> pd.DataFrame:
    """Columns feature, importance (gain) and splits, of the trees that score; the most useful first."""
    scoring = _scoring(cast(Predictor, fitted.predictor).booster)
    gain, splits = (
        [score.get(name, 0.0) for name in encoder.internal_names]
        for score in (scoring.get_score(importance_type=kind) for kind in ("gain", "weight"))
    )
    features = [column.name for column in encoder.columns]
    table = pd.DataFrame({"feature": features, "importance": gain, "splits": splits}).astype({"splits": int})
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def promise(parameters: Mapping[str, Any]) -> Promise:
    """Whether these effective parameters give the same bytes on any number of threads, known beforehand."""
    asked = {name: str(parameters.get(name, usual[0])) for name, usual in MEASURED.items()}
    if strange := ", ".join(
        f"{name} {value}" for name, value in asked.items() if value not in MEASURED[name]
    ):
        return Promise(False, f"{strange}: equal bytes were not measured for that")
    return Promise(True, "trees on histograms on the CPU: equal bytes on any number of threads")


def faults(content: bytes) -> list[str]:
    """What shows without loading that bytes are no XGBoost model in UBJ; else nothing.

    A file that was made to harm may pass: only its hash says that it is the one that was saved.
    """
    if not content.startswith(b"{L"):
        return [f"begins with {content[:2]!r}, expected b'{{L' as UBJ does"]
    if not content.endswith(b"}"):
        return ["ends in the middle"]
    parts = ("learner", "gradient_booster", "gbtree", "binary:logistic", "version")
    return [f"holds no {part!r}" for part in parts if part.encode() not in content]


def _scoring(booster: xgboost.Booster) -> xgboost.Booster:
    """The booster without the rounds that came after its best one."""
    return booster[: booster.best_iteration + 1]


def _watching(watch: Watch) -> xgboost.callback.TrainingCallback:
    """A callback that tells `watch` of every iteration, and lets out what it raises."""
    from xgboost.callback import TrainingCallback

    class Watching(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            watch(epoch, float(evals_log["val"]["logloss"][-1]))
            return False

    return Watching()


def _leaves(config: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat = {**_leaves(value), **flat}
        elif isinstance(value, str):
            flat.setdefault(name, value)
    return flat


def _number(value: Any) -> Any:
    """`value`, as int or float if it is such a number's text (``1`` or ``[1.9768E-1]``)."""
    for kind in (int, float) if isinstance(value, str) else ():
        with contextlib.suppress(ValueError):
            return kind(value.strip("[]"))
    return value
