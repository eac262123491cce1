"""The random forest: a rate in each category's place, missing values as they are, no pickle in its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict, cast

import numpy as np
import pandas as pd
from pydantic import Field, with_config

from churnlib.models import skopsfile
from churnlib.models.family import Encoded, Fitted, Promise, Watch
from churnlib.models.forestcheck import forest_faults
from churnlib.models.scorer import Encoder, Matrix, Values
from churnlib.models.targetrates import FOLDS, with_rates
from churnlib.phaseparams import STRICT, Rate

TITLE = "random forest"
PREFIX = "forest"
MODEL_TYPE = "RandomForestClassifier"
FILE = "model.skops"
REQUIRES: tuple[str, ...] = ("scikit-learn", "skops", "shap")
SHARED: tuple[str, ...] = ("random_state",)
SHORT: Mapping[str, str] = {"n": "n_estimators", "leaf": "min_samples_leaf"}
DEFAULT: Mapping[str, Any] = {
    "n_estimators": 200,
    "max_depth": 12,
    "min_samples_leaf": 25,
    "max_features": 0.3,
}
IMPORTANCE = "mean decrease in impurity, as a share of all"

_CALIBRATION = "weights would shift the probabilities away from the churn rate"
_ONCE = "a forest is grown whole, from the rows of one split"
REFUSED: Mapping[str, str] = {
    "n_jobs": "threads change no bit of a forest; `parallel` says how many configurations train at once",
    "random_state": "not reproducible if it were left open: it holds for the whole search",
    "verbose": "it changes no model",
    "class_weight": _CALIBRATION,
    "criterion": "of the others none was measured to rank better, and log loss takes longer",
    "bootstrap": "a forest without it averages trees that are alike; max_samples sets its size",
    "warm_start": _ONCE,
    "oob_score": "the validation rows judge every family alike",
    "monotonic_cst": "it needs a direction for every column, which this project does not know",
    "min_samples_split": "min_samples_leaf does what it does, and bounds the leaves, too",
    "max_leaf_nodes": "max_depth and min_samples_leaf bound a tree",
}
_SHARES = ("max_features", "max_samples")
_MEANINGLESS = ("n_jobs", "verbose")


@with_config(STRICT)
class Settings(TypedDict, total=False):
    """What a configuration may set, in scikit-learn's own names; all else keeps its default."""

    n_estimators: Annotated[int, Field(ge=1, le=10_000)]
    max_depth: Annotated[int, Field(ge=1, le=64)]
    min_samples_leaf: Annotated[int, Field(ge=1, le=1_000_000)]
    max_features: Rate
    max_samples: Rate


class Predictor:
    """A forest and the numbers that stand for its categories, loaded from their file without pickle.

    A category is scored as the churn rate of its training rows, shrunk towards the overall one; an empty or
    unknown cell as the empty cells of training. Trees are added up in their order on one thread, so that a
    row has the same bits alone and among others.
    """

    unit = "probability"
    trusted = ("sklearn.tree._tree.Tree",)  # beside what skops trusts; never read from a file
    known = (
        "builtins.dict DictNode",
        "builtins.list ListNode",
        "builtins.tuple TupleNode",
        "builtins.str JsonNode",
        "builtins.str TypeNode",
        "numpy.ndarray NdArrayNode",
        "sklearn.tree._tree.Tree TreeNode",
    )

    def __init__(self, content: bytes, encoder: Encoder) -> None:
        from skops.io import loads

        self._check(content)
        said = loads(content, trusted=list(self.trusted))
        self.trees: list[Any] = said["trees"]
        self.rates: list[Any] = said["rates"]
        self.places = [at for at, column in enumerate(encoder.columns) if column.kind == "category"]
        levels = [len(encoder.columns[at].levels) for at in self.places]
        if levels != [len(rates) - 1 for rates in self.rates]:
            raise ValueError("the forest's categories are not the encoder's")
        if {tree.n_features for tree in self.trees} != {len(encoder.columns)}:
            raise ValueError("the forest's columns are not the encoder's")

    def probabilities(self, matrix: Matrix) -> Values:
        """Churn probabilities, shape (n_rows,): the mean of the trees."""
        numbers = self.numbers(matrix)
        total = np.zeros(len(matrix))
        for tree in self.trees:
            total += tree.predict(numbers)[:, 1]
        return total / len(self.trees)

    def contributions(self, matrix: Matrix) -> Values:
        """Exact path-dependent SHAP values in probability, shape (n_rows, n_columns + 1), the base last."""
        from shap import TreeExplainer

        trees = [
            {
                "children_left": tree.children_left,
                "children_right": tree.children_right,
                "children_default": np.where(
                    tree.missing_go_to_left, tree.children_left, tree.children_right
                ),
                "features": tree.feature,
                "thresholds": tree.threshold,
                "values": tree.value[:, 0, 1:] / len(self.trees),
                "node_sample_weight": tree.weighted_n_node_samples,
            }
            for tree in self.trees
        ]
        explainer = TreeExplainer({"trees": trees}, feature_perturbation="tree_path_dependent")
        effects = explainer.shap_values(self.numbers(matrix), check_additivity=False)
        base = np.full((len(matrix), 1), np.ravel(explainer.expected_value)[0])
        return np.hstack([effects, base])

    def numbers(self, matrix: Matrix) -> Matrix:
        """The matrix with a rate in every category's place."""
        numbers = np.array(matrix, dtype=np.float32, order="C")
        for at, rates in zip(self.places, self.rates, strict=True):
            codes = numbers[:, at]
            numbers[:, at] = rates[np.where(np.isnan(codes), len(rates) - 1, codes).astype(np.intp)]
        return numbers

    def _check(self, content: bytes) -> None:
        """Nothing if skops may look at this file; ValueError before anything in it is used."""
        import io
        import zipfile

        with zipfile.ZipFile(io.BytesIO(content)) as file:
            entries = file.infolist()
            odd = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
            odd += [
                entry.filename for entry in entries if not entry.filename.endswith((".npy", "schema.json"))
            ]
            if odd or sum(entry.file_size for entry in entries) > len(content):
                raise ValueError("the forest's file holds other entries than its own")
            said = json.loads(file.read("schema.json"))
        found, rest = set(), [said]
        while rest:
            item = rest.pop()
            if isinstance(item, dict):
                if "__loader__" in item:
                    found.add(f"{item.get('__module__')}.{item.get('__class__')} {item['__loader__']}")
                rest += item.values()
            elif isinstance(item, list):
                rest += item
        if said.get("protocol") != 2 or not found <= set(self.known):
            raise ValueError("the forest's file names other types than its own")


def prepare(data: Encoded) -> Encoded:
    """The rows as they are: folds are drawn by each fit's own seed."""
    return data


def fit(
    prepared: Encoded,
    settings: Mapping[str, Any],
    *,
    threads: int,
    watch: Watch | None = None,  # noqa: ARG001 - trees do not follow each other, so there is no curve to watch
) -> Fitted:
    """A forest of the training rows; the validation rows have no part in it."""
    from sklearn.ensemble import RandomForestClassifier
    from skops.io import dumps

    numbers, rates = with_rates(prepared, int(settings["random_state"]))
    shares = {name: float(settings[name]) for name in _SHARES if name in settings}  # 1 would be one column
    forest = RandomForestClassifier(**{**settings, **shares}, n_jobs=threads)
    forest.fit(numbers, prepared.train_labels)
    trees = [member.tree_ for member in forest.estimators_]
    content = skopsfile.canonical(dumps({"trees": trees, "rates": rates}))
    used = {
        name: value
        for name, value in forest.get_params().items()
        if value is not None and name not in _MEANINGLESS
    }
    return Fitted(
        content=content,
        predictor=Predictor(content, prepared.encoder),
        parameters={**used, **({"category_folds": FOLDS, "category_smooth": "auto"} if rates else {})},
        curves=pd.DataFrame({"iteration": [], "train_log_loss": [], "val_log_loss": []}, dtype=np.float64),
        best_iteration=None,
        size=sum(int(tree.n_leaves) for tree in trees),
    )


def importance(fitted: Fitted, encoder: Encoder) -> pd.DataFrame:
    """Columns feature and importance, most important first; the importances add up to 1.

    The decrease of Gini impurity by splits on a column, averaged over the trees (Breiman 2001). It is
    measured on the training rows and so flatters columns of many values: of noise, too.
    """
    decrease = np.zeros(len(encoder.columns))
    for tree in cast(Predictor, fitted.predictor).trees:
        decrease += tree.compute_feature_importances()
    names = [column.name for column in encoder.columns]
    table = pd.DataFrame({"feature": names, "importance": decrease / (decrease.sum() or 1.0)})
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def promise(parameters: Mapping[str, Any]) -> Promise:
    """Equal bytes on any number of threads, wherever a seed is set."""
    if parameters.get("random_state") is None:
        return Promise(False, "no random_state: every forest would be another one")
    return Promise(
        True, "every tree has a seed of its own and keeps its place: equal bytes on any number of threads"
    )


def faults(content: bytes) -> list[str]:
    """What is wrong with bytes that claim to be a forest's file, without loading them; else nothing."""
    try:
        return list(forest_faults(skopsfile.read(content)))
    except ValueError as fault:
        return [str(fault)]
