from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churnlib.errors import InfrastructureError
from churnlib.families import lightgbm as family
from churnlib.models.family import Encoded
from churnlib.results import sha256
from tests.unit.boosted_worlds import WORLDS, data, fitted, hashes_by_process, settings

Edit = Callable[[str], str]
SMALL = {
    "n_estimators": 4,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "cat_smooth": 1.0,
    "cat_l2": 10.0,
    "min_data_per_group": 5,
}


def text(name: str = "mixed") -> str:
    """The text of a small model with categorical splits."""
    return fitted(family, name, **SMALL).content.decode()


def replaced(line: str, change: Callable[[list[str]], list[str]], tree: int = 1) -> Edit:
    """An edit of the values of one line of one tree, its length told in `tree_sizes`."""

    def edit(model: str) -> str:
        head, *trees = re.split(r"(?=^Tree=)", model, flags=re.MULTILINE)
        body, end, tail = trees[-1].partition("end of trees")
        trees[-1] = body
        pattern = re.compile(rf"(?<=^{line}=).*$", re.MULTILINE)
        trees[tree] = pattern.sub(lambda found: " ".join(change(found[0].split(" "))), trees[tree], count=1)
        sizes = " ".join(str(len(one)) for one in trees)
        return re.sub(r"(?<=\ntree_sizes=).*", sizes, head) + "".join(trees) + end + tail

    return edit


def put(place: int, value: str) -> Callable[[list[str]], list[str]]:
    """A change of one value."""
    return lambda values: [value if at == place % len(values) else old for at, old in enumerate(values)]


def swapped(old: str, new: str) -> Edit:
    return lambda model: model.replace(old, new, 1)


def test_D10_D11_every_process_and_every_number_of_openmp_threads_gives_the_same_bytes() -> None:
    assert hashes_by_process(family) == [sha256(fitted(family).content)] * 2


def test_the_text_ends_with_the_best_iteration_and_holds_nothing_of_the_machine() -> None:
    model = fitted(family, learning_rate=0.3, num_leaves=7)
    said = model.content.decode("ascii")
    assert said.count("\nTree=") == (model.best_iteration or 0) + 1 < len(model.curves)
    assert model.size <= 7 * said.count("\nTree=")
    assert "[data: ]" in said
    assert "[num_threads: 1]" in said
    assert "/" not in said
    encoder = data().encoder
    splits = int(family.importance(model, encoder)["splits"].sum())
    assert model.size == splits + said.count("\nTree=")


def test_parameters_are_those_that_the_text_says_under_the_searchs_names() -> None:
    found = fitted(family, num_leaves=7).parameters
    expected = {
        "boosting": "gbdt",
        "bagging_freq": 1,
        "deterministic": 1,
        "max_depth": -1,
        "cat_smooth": 50,
        "data_random_seed": 1,
        "metric": "binary_logloss",
        "min_sum_hessian_in_leaf": 0.001,
        "n_estimators": 60,
        "num_leaves": 7,
        "random_state": 7,
    }
    assert {name: found[name] for name in expected} == expected
    assert not {"num_iterations", "seed", "early_stopping_round"} & set(found)
    assert not [name for name, value in found.items() if value == "" or "gpu" in name]


def test_the_drawn_share_of_rows_changes_the_model() -> None:
    """LightGBM ignores bagging_fraction unless bagging_freq is set, too."""
    assert fitted(family, bagging_fraction=0.5).content != fitted(family, bagging_fraction=1.0).content


def test_one_model_leaves_no_trace_in_the_next_on_the_same_rows() -> None:
    prepared = family.prepare(data())
    first = family.fit(prepared, settings(family), threads=1).content
    family.fit(prepared, settings(family, num_leaves=63, scale_pos_weight=5.0, min_data_in_leaf=1), threads=1)
    assert family.fit(prepared, settings(family), threads=1).content == first


def test_a_gap_in_a_column_that_had_none_in_training_is_scored_as_the_training_median() -> None:
    rows = data("rare")
    train, val = rows.train + np.float32(10), rows.val + np.float32(10)  # so that 0 is nobody's value
    moved = Encoded(train, rows.train_labels, val, rows.val_labels, rows.encoder)
    model = family.fit(family.prepare(moved), settings(family), threads=1).predictor
    for column in (0, 1):
        empty, usual = val.copy(), val.copy()
        empty[:, column], usual[:, column] = np.nan, np.median(train[:, column])
        assert model.probabilities(empty).tolist() == model.probabilities(usual).tolist()
        assert model.contributions(empty).tolist() == model.contributions(usual).tolist()
    assert model.probabilities(usual).tolist() != model.probabilities(val).tolist()


@pytest.mark.parametrize("name", ["mixed", "nulls", "levels"])
def test_nothing_but_a_first_gap_is_scored_otherwise_than_lightgbm_would(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, ours = data(name).val, fitted(family, name)
    monkeypatch.setattr(family, "with_ways_for_gaps", lambda text, usual: text)
    own = fitted(family, name)
    assert own.content != ours.content
    for score in ("probabilities", "contributions"):
        found = (getattr(model.predictor, score)(rows).tolist() for model in (own, ours))
        assert next(found) == next(found)


def test_columns_without_information_give_the_share_of_churners_to_everybody() -> None:
    rows = data("rare")
    blank = np.ones_like(rows.train)
    model = family.fit(
        family.prepare(Encoded(blank, rows.train_labels, blank[:1000], rows.val_labels, rows.encoder)),
        settings(family),
        threads=1,
    )
    assert family.faults(model.content) == []
    assert (model.best_iteration, model.size) == (0, 1)
    assert model.predictor.probabilities(blank[:3]) == pytest.approx(rows.train_labels.mean(), abs=1e-6)
    assert model.predictor.contributions(blank[:3])[:, :-1].tolist() == [[0.0, 0.0]] * 3


@pytest.mark.parametrize("strange", [{"boosting": "dart"}, {"device_type": "gpu"}, {"deterministic": 0}])
def test_what_was_not_measured_promises_nothing_and_says_why(strange: dict[str, Any]) -> None:
    found = family.promise(fitted(family).parameters | strange)
    assert not found.same_bytes
    assert found.reason.startswith(" ".join(str(part) for part in next(iter(strange.items()))))


def test_every_refused_setting_is_none_that_may_be_set_and_the_default_is() -> None:
    allowed = set(family.Settings.__annotations__)
    assert not allowed & (set(family.REFUSED) | set(family.SHARED) | set(family.FIXED) | set(family.BINNING))
    assert set(family.DEFAULT) | set(family.SHORT.values()) <= allowed


def test_without_openmps_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lightgbm.py").write_text(
        "raise OSError('libgomp.so.1: cannot open shared object file: No such file or directory')\n"
    )
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InfrastructureError, match=r"E515: LightGBM cannot be loaded: libgomp.*libgomp1"):
        family.prepare(data())


@pytest.mark.parametrize("name", WORLDS)
def test_no_real_text_has_faults_however_extreme_its_settings(name: str) -> None:
    extreme = {
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 1e-6,
        "lambda_l2": 0.0,
        "cat_smooth": 0.0,
        "cat_l2": 0.0,
        "min_data_per_group": 1,
        "num_leaves": 1000,
        "learning_rate": 1.0,
    }
    assert family.faults(fitted(family, name).content) == []
    assert family.faults(fitted(family, name, **extreme).content) == []


HOSTILE: dict[str, tuple[Edit, str]] = {
    "a feature far outside": (replaced("split_feature", put(0, "100000")), "unknown feature"),
    "a negative feature": (replaced("split_feature", put(0, "-1")), "unknown feature"),
    "a child far outside": (replaced("left_child", put(0, "100000")), "child that is none"),
    "a leaf far outside": (replaced("left_child", put(2, "-100000")), "number below"),
    "a circle": (replaced("right_child", put(2, "1")), "circle"),
    "a leaf reached twice": (replaced("left_child", put(-1, "-1")), "twice"),
    "more leaves than values": (replaced("num_leaves", put(0, "2000000000")), "values found"),
    "no leaves": (replaced("num_leaves", put(0, "0")), "below 1"),
    "leaves that are no number": (replaced("num_leaves", put(0, "1e9")), "than integers"),
    "too few thresholds": (replaced("threshold", lambda values: values[1:]), "threshold"),
    "a category set outside": (
        replaced("threshold", lambda values: ["99999"] * len(values)),
        "its categories",
    ),
    "a decision unknown": (replaced("decision_type", put(0, "77")), "decision_type"),
    "boundaries outside": (replaced("cat_boundaries", put(-1, "99999")), "cat_boundaries"),
    "boundaries that fall": (replaced("cat_boundaries", put(0, "1")), "cat_boundaries"),
    "a word too large": (replaced("cat_threshold", put(0, "9999999999")), "cat_boundaries"),
    "linear leaves": (replaced("is_linear", put(0, "1")), "linear"),
    "a leaf value of letters": (replaced("leaf_value", put(0, "nan")), "leaf_value"),
    "an endless leaf value": (replaced("leaf_value", put(0, "inf")), "leaf_value"),
    "another tree's name": (swapped("\nTree=1\n", "\nTree=7\n"), "tree 1 is not"),
    "sizes that overlap": (swapped("tree_sizes=", "tree_sizes=9"), "tree_sizes"),
    "a negative size": (swapped("tree_sizes=", "tree_sizes=-"), "below 1"),
    "three classes": (swapped("num_class=1", "num_class=3"), "num_class"),
    "three trees at once": (swapped("per_iteration=1", "per_iteration=3"), "per_iteration"),
    "more features than there are": (
        swapped("max_feature_idx=5", "max_feature_idx=99999"),
        "max_feature_idx",
    ),
    "fewer names": (swapped(" f0006", ""), "max_feature_idx"),
    "other names": (swapped(" f0006", " f0007"), "feature_names"),
    "another objective": (swapped("=binary sigmoid:1", "=regression"), "objective"),
    "another version": (swapped("version=v4", "version=v3"), "version"),
    "a header line twice": (swapped("num_class=1\n", "num_class=1\nnum_class=1\n"), "twice"),
    "a header line more": (swapped("num_class=1\n", "num_class=1\naverage_output=1\n"), "header"),
    "a tree line more": (swapped("\nis_linear=0", "\nis_linear=0\nleaf_const=0"), "tree"),
    "lines after the end": (lambda model: model + "Tree=9\n", "after the trees"),
    "an object for pandas": (swapped("categorical:null", 'categorical:[["a"]]'), "after the trees"),
    "a zero byte": (swapped("num_class", "num\0class"), "control"),
    "letters of another script": (swapped("num_leaves=", "num_leaves=\u0661"), "does not write"),
    "no trees": (lambda model: model.replace("Tree=", "Bush="), "no trees"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_edit_is_named_without_loading_the_text(name: str) -> None:
    edit, wrong = HOSTILE[name]
    before = text()
    after = edit(before)
    assert after != before
    (fault,) = family.faults(after.encode())
    assert wrong in fault


def test_the_edits_alone_are_no_fault() -> None:
    same = replaced("leaf_value", lambda values: values)(text())
    assert same == text()
    assert family.faults(same.encode()) == []


def test_whatever_is_edited_the_check_answers() -> None:
    random = np.random.default_rng(3)
    content = text().encode()
    for _ in range(400):
        edited = bytearray(content)
        place = int(random.integers(len(content)))
        edited[place : place + int(random.integers(3))] = (
            random.integers(32, 127, 2).astype(np.uint8).tobytes()
        )
        assert isinstance(family.faults(bytes(edited)), list)
