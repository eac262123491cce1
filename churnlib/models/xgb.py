"""The XGBoost family: fit one configuration, read back what was really used, keep it as UBJ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb

from churnlib.models.scorer import Encoder, Matrix

Labels = npt.NDArray[np.int8]
MEASURED = {  # what gave equal bytes on 1, 2 and 4 threads; `auto` grows on histograms since XGBoost 2
    "booster": ("gbtree",),
    "device": ("cpu",),
    "tree_method": ("auto", "hist"),
    "sampling_method": ("uniform",),
}


@dataclass(frozen=True)
class Promise:
    """Whether the same rows and settings give the same bytes, and why."""

    same_bytes: bool
    reason: str


@dataclass(frozen=True)
class Encoded:
    """Encoded training and validation rows; what a family is fitted on."""

    train: Matrix
    train_labels: Labels
    val: Matrix
    val_labels: Labels
    encoder: Encoder


@dataclass(frozen=True)
class Fitted:
    """A fitted booster, every parameter it really used, and its learning curves."""

    booster: xgb.Booster
    parameters: dict[str, Any]
    curves: pd.DataFrame  # iteration, train_log_loss, val_log_loss (nats per row)
    best_iteration: int

    def to_bytes(self) -> bytes:
        """The booster in UBJ, XGBoost's own binary JSON."""
        return bytes(self.booster.save_raw("ubj"))


def fit(data: Encoded, settings: Mapping[str, Any], *, threads: int) -> Fitted:
    """A model trained with early stopping on the validation rows.

    `settings` are XGBClassifier's own parameters, `random_state` among them; within one version
    of XGBoost the bytes depend on neither `threads` nor on what else is running.
    """
    estimator = xgb.XGBClassifier(
        **settings,
        n_jobs=threads,
        feature_types=data.encoder.feature_types,
        enable_categorical=True,
    )
    estimator.fit(
        data.train,
        data.train_labels,
        eval_set=[(data.train, data.train_labels), (data.val, data.val_labels)],
        verbose=False,
    )
    history = estimator.evals_result()
    curves = pd.DataFrame(
        {
            "iteration": np.arange(len(history["validation_0"]["logloss"])),
            "train_log_loss": history["validation_0"]["logloss"],
            "val_log_loss": history["validation_1"]["logloss"],
        }
    )
    booster = estimator.get_booster()
    booster.feature_names = data.encoder.internal_names
    return Fitted(booster, effective_parameters(estimator), curves, int(estimator.best_iteration))


def effective_parameters(estimator: xgb.XGBClassifier) -> dict[str, Any]:
    """Every parameter of the fitted estimator; where it was left open, what the booster used.

    Read from the estimator and from the booster's own configuration, never from a list of ours.
    Thread count and feature types are left out: neither changes the model's meaning, and both are
    recorded elsewhere (provenance, schema).
    """
    config = json.loads(estimator.get_booster().save_config())["learner"]
    used = _leaves(config)
    given = estimator.get_params()
    aliases = {"learning_rate": "eta", "reg_alpha": "alpha", "reg_lambda": "lambda", "random_state": "seed"}
    parameters = {}
    for name, value in given.items():
        if name in ("n_jobs", "feature_types", "callbacks", "kwargs", "verbosity", "missing"):
            continue
        value = used.get(aliases.get(name, name)) if value is None else value
        if value is not None:
            parameters[name] = _number(value)
    return parameters


def promise(parameters: Mapping[str, Any]) -> Promise:
    """Whether these effective parameters give the same bytes on any number of threads, known beforehand.

    Within one version of XGBoost, trees grown on histograms on the CPU do: measured, and tested. Whatever was
    not measured promises nothing.
    """
    asked = {name: str(parameters.get(name, usual[0])) for name, usual in MEASURED.items()}
    strange = [f"{name} {value}" for name, value in asked.items() if value not in MEASURED[name]]
    if strange:
        return Promise(False, f"{', '.join(strange)}: equal bytes were not measured for that")
    return Promise(True, "trees on histograms on the CPU: equal bytes on any number of threads")


def importance(fitted: Fitted, encoder: Encoder) -> pd.DataFrame:
    """Columns feature, gain (mean loss reduction per split), splits; the most useful first."""
    gain: dict[str, Any] = dict(fitted.booster.get_score(importance_type="gain"))
    splits: dict[str, Any] = dict(fitted.booster.get_score(importance_type="weight"))
    table = pd.DataFrame(
        {
            "feature": [column.name for column in encoder.columns],
            "gain": [float(gain.get(name, 0.0)) for name in encoder.internal_names],
            "splits": [int(splits.get(name, 0)) for name in encoder.internal_names],
        }
    )
    return table.sort_values("gain", ascending=False, kind="stable", ignore_index=True)


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
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value.strip("[]"))
        except ValueError:
            continue
    return value
