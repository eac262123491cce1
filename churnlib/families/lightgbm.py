"""The LightGBM family: trees grown leaf by leaf, categories split natively, kept as LightGBM's own text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

import numpy as np
import pandas as pd
from pydantic import Field, with_config

from churnlib.errors import InfrastructureError
from churnlib.models.family import Encoded, Fitted, Promise, Watch
from churnlib.models.lightgbm_text import leaves, said_parameters, text_faults, with_ways_for_gaps
from churnlib.models.scorer import Encoder, Matrix, Values
from churnlib.phaseparams import STRICT, NotNegative, Rate

if TYPE_CHECKING:
    import lightgbm

TITLE = "LightGBM"
PREFIX = "lgbm"
MODEL_TYPE = "lightgbm.Booster"
FILE = "model.txt"
REQUIRES: tuple[str, ...] = ("lightgbm", "narwhals", "scipy")  # importing the first imports the others
SHARED: tuple[str, ...] = ("n_estimators", "early_stopping_rounds", "random_state")
SHORT: Mapping[str, str] = {"lr": "learning_rate", "leaves": "num_leaves"}
IMPORTANCE = "gain (loss reduction, summed over splits)"
DEFAULT: Mapping[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "lambda_l2": 1.0,
    "cat_smooth": 50.0,  # with LightGBM's own 10 and 10, rare levels of a category are learned by heart
    "cat_l2": 50.0,
}
FIXED = {  # rows are drawn anew for every tree; one thread: see `fit`
    "objective": "binary",
    "metric": "binary_logloss",
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
BINNING = {  # what the shared datasets are made with; a configuration cannot change it
    "max_bin": 255,
    "data_random_seed": 1,
    "feature_pre_filter": False,
    "num_threads": 1,
    "verbosity": -1,
}
RENAMED = {"early_stopping_rounds": "early_stopping_round", "random_state": "seed"}

_WHOLE_SEARCH = "it is set once for the whole search, outside configurations"
_MACHINE = "not reproducible on another machine: models are trained on the CPU, whatever else is there"
_THREADS = "threads change no bit of a model; `parallel` says how many configurations train at once"
_SEED = "not reproducible if it were left open: random_state holds for the whole search"
_FIXED = "this family always boosts trees on log loss and draws rows anew for every tree"
_OWN = {
    "subsample": "bagging_fraction",
    "colsample_bytree": "feature_fraction",
    "min_child_samples": "min_data_in_leaf",
    "min_child_weight": "min_sum_hessian_in_leaf",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
    "min_split_gain": "min_gain_to_split",
}
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("device", "device_type"), _MACHINE),
    **dict.fromkeys(("n_jobs", "num_threads"), _THREADS),
    **dict.fromkeys(
        ("seed", "random_state", "bagging_seed", "feature_fraction_seed", "deterministic"), _SEED
    ),
    **dict.fromkeys(("n_estimators", "num_iterations", "early_stopping_rounds", "metric"), _WHOLE_SEARCH),
    **dict.fromkeys(("boosting", "boosting_type", "objective", "bagging_freq", "subsample_freq"), _FIXED),
    "max_bin": "all configurations share one table of bins",
    **{name: f"say {own}, LightGBM's own name" for name, own in _OWN.items()},
}


@with_config(STRICT)
class Settings(TypedDict, total=False):
    """What one configuration may set, in LightGBM's own names and ranges; all else keeps its default."""

    learning_rate: Rate
    num_leaves: Annotated[int, Field(ge=2, le=131_072)]
    max_depth: Annotated[int, Field(ge=-1, le=64)]  # -1 is no limit
    min_data_in_leaf: Annotated[int, Field(ge=1)]
    min_sum_hessian_in_leaf: Annotated[float, Field(ge=1e-6)]  # at 0 LightGBM's own checks end a training
    min_gain_to_split: NotNegative
    feature_fraction: Rate
    bagging_fraction: Rate
    lambda_l1: NotNegative
    lambda_l2: NotNegative
    path_smooth: NotNegative
    cat_smooth: NotNegative
    cat_l2: NotNegative
    max_cat_threshold: Annotated[int, Field(ge=1)]
    min_data_per_group: Annotated[int, Field(ge=1)]
    scale_pos_weight: Annotated[float, Field(gt=0)]


class Predictor:
    """A booster read from its text; it predicts on one thread.

    An empty number in a column that had none in training is scored as the training median.
    """

    unit = "log-odds"

    def __init__(self, content: bytes, encoder: Encoder) -> None:
        import lightgbm

        self.columns = len(encoder.columns)
        self.booster = lightgbm.Booster(model_str=content.decode("ascii"))

    def probabilities(self, matrix: Matrix) -> Values:
        """Churn probabilities, shape (n_rows,), of an encoded matrix."""
        return np.asarray(self.booster.predict(matrix, num_threads=1), dtype=np.float64)

    def contributions(self, matrix: Matrix) -> Values:
        """Exact SHAP values in log-odds, shape (n_rows, n_columns + 1), the base last."""
        effects = self.booster.predict(matrix, pred_contrib=True, num_threads=1)
        return np.asarray(effects, dtype=np.float64).reshape(len(matrix), self.columns + 1)


@dataclass(frozen=True)
class Prepared:
    """Binned training and validation rows: built once, read by every fit, in any thread."""

    train: lightgbm.Dataset
    val: lightgbm.Dataset  # in the bins of `train`
    usual: list[float]  # medians of the training columns without gaps, which stand in for a later gap
    encoder: Encoder


def prepare(data: Encoded) -> Prepared:
    """Both splits in LightGBM's bins; InfrastructureError E515 where the library cannot be loaded."""
    lightgbm = _library()
    said: dict[str, Any] = {
        "feature_name": data.encoder.internal_names,
        "categorical_feature": [at for at, kind in enumerate(data.encoder.feature_types) if kind == "c"],
        "params": BINNING,
    }
    train = lightgbm.Dataset(data.train, data.train_labels, **said)
    val = lightgbm.Dataset(data.val, data.val_labels, reference=train, **said)
    usual = [float(np.median(cells)) if not np.isnan(cells).any() else 0.0 for cells in data.train.T]
    return Prepared(train.construct(), val.construct(), usual, data.encoder)


def fit(
    prepared: Prepared,
    settings: Mapping[str, Any],
    *,
    threads: int,  # noqa: ARG001
    watch: Watch | None = None,
) -> Fitted:
    """A model trained with early stopping on the validation rows, kept up to its best iteration.

    It trains on one thread, whatever `threads` says: LightGBM keeps one thread count for the whole
    process, so two fits at once with different counts would use each other's. Many fits may run at once.
    """
    lightgbm = _library()
    history: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        _own_names(settings),
        prepared.train,
        num_boost_round=settings["n_estimators"],
        valid_sets=[prepared.train, prepared.val],
        valid_names=["train", "val"],
        callbacks=[lightgbm.record_evaluation(history), *([_watching(watch)] if watch else [])],
        keep_training_booster=True,
    )
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    text = with_ways_for_gaps(text, prepared.usual)
    curves = {f"{split}_log_loss": history[split]["binary_logloss"] for split in ("train", "val")}
    content = text.encode("ascii")
    return Fitted(
        content=content,
        predictor=Predictor(content, prepared.encoder),
        parameters=said_parameters(text),
        curves=pd.DataFrame({"iteration": np.arange(len(curves["val_log_loss"])), **curves}),
        best_iteration=booster.best_iteration - 1,
        size=leaves(text),
    )


def importance(fitted: Fitted, encoder: Encoder) -> pd.DataFrame:
    """Columns feature, importance (gain) and splits; the most useful first."""
    booster = cast(Predictor, fitted.predictor).booster
    table = pd.DataFrame(
        {
            "feature": [column.name for column in encoder.columns],
            "importance": booster.feature_importance("gain"),
            "splits": booster.feature_importance("split"),
        }
    )
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def promise(parameters: Mapping[str, Any]) -> Promise:
    """Whether these effective parameters give the same bytes again, known beforehand."""
    usual = {"boosting": "gbdt", "device_type": "cpu", "deterministic": 1, "force_row_wise": 1}
    strange = [name for name, value in usual.items() if parameters.get(name, value) != value]
    if strange:
        shown = ", ".join(f"{name} {parameters[name]}" for name in strange)
        return Promise(False, f"{shown}: equal bytes were not measured for that")
    return Promise(True, "deterministic trees on the CPU, each model on one thread: equal bytes")


def faults(content: bytes) -> list[str]:
    """What is wrong with bytes that claim to be LightGBM's text, without loading them; else nothing."""
    return text_faults(content)


def _library() -> Any:
    try:
        import lightgbm
    except OSError as error:
        raise InfrastructureError(
            "E515",
            f"LightGBM cannot be loaded: {error}; install OpenMP's library (libgomp1 in Debian and Ubuntu, "
            "libgomp in Fedora, libomp on a Mac), or leave the family lightgbm out",
        ) from error
    return lightgbm


def _own_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What LightGBM takes, from a configuration and the shared settings but the number of iterations."""
    return {
        RENAMED.get(name, name): value for name, value in settings.items() if name != "n_estimators"
    } | FIXED


def _watching(watch: Watch) -> Any:
    """A callback that tells `watch` of every iteration, and lets out what it raises."""

    def told(state: Any) -> None:
        (loss,) = (item[2] for item in state.evaluation_result_list if item[0] == "val")
        watch(state.iteration, float(loss))

    return told
