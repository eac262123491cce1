from __future__ import annotations

import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError
from sklearn.metrics import roc_auc_score

from churnlib.families import forest
from churnlib.models import scorer
from churnlib.models.family import Encoded, Family, Fitted, Labels
from churnlib.models.scorer import Column, Description, Encoder, Scorer
from churnlib.results import sha256

SETTINGS: dict[str, Any] = {
    "n_estimators": 30,
    "min_samples_leaf": 10,
    "max_features": 0.5,
    "random_state": 7,
}
LEVELS = tuple(f"city {number:02d}" for number in range(50))
COLUMNS = (
    Column("noise", "number", nullable=True),
    Column("signal", "number", nullable=False),
    Column("city", "category", nullable=True, levels=LEVELS),
    Column("flag", "boolean", nullable=True),
)


def split(table: pd.DataFrame, churned: Labels, columns: tuple[Column, ...] = COLUMNS) -> Encoded:
    """The first two thirds of the rows to train on."""
    encoder = Encoder(columns)
    matrix, _ = encoder.encode(table)
    cut = len(table) * 2 // 3
    return Encoded(matrix[:cut], churned[:cut], matrix[cut:], churned[cut:], encoder)


def numbers(matrix: np.ndarray[Any, Any], churned: np.ndarray[Any, Any]) -> Encoded:
    """Rows of plain numbers, in columns a, b, c and on."""
    names = [chr(ord("a") + position) for position in range(matrix.shape[1])]
    columns = tuple(Column(name, "number", nullable=True) for name in names)
    return split(pd.DataFrame(matrix, columns=names), churned.astype(np.int8), columns)


def customers(rows: int = 1800, seed: int = 3) -> tuple[pd.DataFrame, Labels]:
    """Customers of 50 cities with gaps everywhere but in `signal`, which decides."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "noise": draw.normal(size=rows),
            "signal": draw.normal(size=rows),
            "city": pd.Series(draw.choice(LEVELS, rows), dtype=object),
            "flag": pd.array(draw.random(rows) < 0.5, dtype="boolean"),
        }
    )
    table.loc[draw.random(rows) < 0.1, ["noise", "flag"]] = None
    table.loc[draw.random(rows) < 0.1, "city"] = None
    return table, np.array(table["signal"] + draw.normal(0, 0.7, rows) > 0.8, dtype=np.int8)


@cache
def planted() -> Encoded:
    return split(*customers())


@cache
def fitted(threads: int = 1) -> Fitted:
    return fit(planted(), threads=threads)


def fit(data: Encoded, *, threads: int = 1, **changes: Any) -> Fitted:
    return forest.fit(forest.prepare(data), {**SETTINGS, **changes}, threads=threads)


def auc(data: Encoded, **changes: Any) -> float:
    probabilities = fit(data, **changes).predictor.probabilities(data.val)
    return float(roc_auc_score(data.val_labels, probabilities))


def test_it_defines_every_name_of_a_family() -> None:
    names = {*Family.__annotations__, *(name for name in vars(Family) if not name.startswith("_"))}
    assert {name for name in names if not hasattr(forest, name)} == set()
    TypeAdapter(forest.Settings).validate_python(dict(forest.DEFAULT))
    assert set(forest.SHORT.values()) <= set(forest.Settings.__annotations__)
    assert not set(forest.REFUSED) & set(forest.Settings.__annotations__)


@pytest.mark.parametrize(
    "settings", [{"max_features": 0.0}, {"max_features": "sqrt"}, {"n_estimators": 0}, {"n_jobs": 2}]
)
def test_a_setting_out_of_range_or_refused_is_no_configuration(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(forest.Settings).validate_python(settings)


def test_importing_it_imports_no_heavy_library() -> None:
    code = (
        "import sys, churnlib.families.forest\n"
        "print(*{'sklearn', 'skops', 'shap', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_planted_column_wins_and_the_rest_matter_little() -> None:
    table = forest.importance(fitted(), planted().encoder)
    assert table["feature"].iloc[0] == "signal"
    assert table["importance"].iloc[0] > 0.7
    assert table["importance"].sum() == pytest.approx(1)
    assert sorted(table["feature"]) == sorted(column.name for column in COLUMNS)


def test_an_interaction_is_found_where_each_column_alone_says_nothing() -> None:
    draw = np.random.default_rng(4)
    matrix = draw.normal(size=(3000, 3))
    data = numbers(matrix, matrix[:, 0] * matrix[:, 1] > 0)
    assert abs(roc_auc_score(data.val_labels, data.val[:, 0] + data.val[:, 1]) - 0.5) < 0.06
    assert auc(data) > 0.95


def test_a_category_of_50_levels_tells_what_it_knows_and_no_more() -> None:
    draw = np.random.default_rng(5)
    table, _ = customers(6000)
    rate = pd.Series(draw.random(50), index=LEVELS)
    known = table["city"].map(rate).fillna(0.5).to_numpy(np.float64)
    churned = (draw.random(6000) < known).astype(np.int8)
    data = split(table, churned)
    best = float(roc_auc_score(data.val_labels, known[4000:]))
    assert best - 0.03 < auc(data) <= best + 0.01
    shuffled = split(table, draw.permutation(churned))
    assert abs(auc(shuffled) - 0.5) < 0.06


def test_a_rare_category_does_not_tell_its_own_label_in_training() -> None:
    """With its own label in its rate a street of two customers would be the best column."""
    draw = np.random.default_rng(6)
    levels = tuple(f"street {number:03d}" for number in range(600))
    table = pd.DataFrame({"street": draw.choice(levels, 1200), "signal": draw.normal(size=1200)})
    columns = (Column("street", "category", nullable=False, levels=levels), COLUMNS[1])
    churned = np.array(table["signal"] + draw.normal(0, 1, 1200) > 0.5, dtype=np.int8)
    data = split(table, churned, columns)
    assert forest.importance(fit(data), data.encoder)["feature"].iloc[0] == "signal"


def test_an_empty_cell_that_carries_signal_is_found_in_numbers_and_in_categories() -> None:
    draw = np.random.default_rng(8)
    table, _ = customers(3000)
    for name in ("noise", "city"):
        churned = (draw.random(3000) < np.where(table[name].isna(), 0.9, 0.1)).astype(np.int8)
        data = split(table, churned)
        assert auc(data) > 0.7
        assert forest.importance(fit(data), data.encoder)["feature"].iloc[0] == name


def test_one_positive_in_a_hundred_is_ranked_and_stays_calibrated() -> None:
    draw = np.random.default_rng(9)
    matrix = draw.normal(size=(12_000, 3))
    rate = 1 / (1 + np.exp(-(2 * matrix[:, 0] - 6.2)))
    data = numbers(matrix, draw.random(12_000) < rate)
    assert 0.005 < data.train_labels.mean() < 0.02
    probabilities = fit(data).predictor.probabilities(data.val)
    assert roc_auc_score(data.val_labels, probabilities) > 0.8
    assert probabilities.mean() == pytest.approx(data.train_labels.mean(), rel=0.2)


def test_an_unseen_level_is_scored_as_an_empty_cell() -> None:
    row = {"noise": 0.1, "signal": 0.2, "flag": True}
    told = Scorer(fitted().predictor, "forest", planted().encoder, 0.5)
    with pytest.warns(scorer.ScoredAsMissing):
        unseen = told.predict([{**row, "city": "Atlantis"}])
    empty = told.predict([{**row, "city": None}, {**row, "city": LEVELS[0]}]).iloc[:1]
    assert unseen["churn_probability"].tolist() == empty["churn_probability"].tolist()


def test_a_level_and_an_emptiness_that_training_never_saw_have_the_rate_of_all() -> None:
    table, churned = customers(900)
    table["city"] = LEVELS[1]
    data = split(table, churned)
    rates = forest.Predictor(fit(data).content, data.encoder).rates[0]
    assert rates[[0, -1]] == pytest.approx(data.train_labels.mean())


def test_a_column_without_gaps_in_training_may_have_one_in_scoring() -> None:
    rows = planted().val[:5].copy()
    rows[:, 1] = np.nan
    found = fitted().predictor.probabilities(rows)
    assert ((found >= 0) & (found <= 1)).all()


def test_D11_one_and_two_threads_give_the_same_bytes_and_predictions() -> None:
    assert fitted(threads=2).content == fitted().content == fit(planted()).content
    one, two = (fitted(threads).predictor.probabilities(planted().val).tolist() for threads in (1, 2))
    assert one == two


def test_another_seed_or_order_of_rows_gives_another_forest() -> None:
    assert fit(planted(), random_state=8).content != fitted().content


def test_D10_every_process_gives_the_same_bytes() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from churnlib.results import sha256\n"
        "from tests.unit.test_family_forest import fitted\n"
        "print(sha256(fitted().content))\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parents[2])]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=120)[0].strip() for process in processes}
    assert printed == {sha256(fitted().content)}


def test_whole_shares_mean_all_and_not_one() -> None:
    assert fit(planted(), max_features=1, max_samples=1).content == (
        fit(planted(), max_features=1.0, max_samples=1.0).content
    )


def test_a_row_alone_has_the_same_bits_as_among_others() -> None:
    rows, predictor = planted().val, fitted().predictor
    together = predictor.probabilities(rows)
    assert [predictor.probabilities(rows[at : at + 1])[0] for at in range(50)] == together[:50].tolist()
    effects = predictor.contributions(rows[:10])
    alone = [predictor.contributions(rows[at : at + 1])[0].tolist() for at in range(10)]
    assert alone == effects.tolist()


def test_the_probability_is_that_of_scikit_learns_own_forest() -> None:
    from sklearn.ensemble import RandomForestClassifier

    data = numbers(np.random.default_rng(2).normal(size=(900, 3)), np.arange(900) % 3 == 0)
    own = RandomForestClassifier(**SETTINGS).fit(data.train, data.train_labels)
    ours = fit(data).predictor.probabilities(data.val)
    assert np.abs(ours - own.predict_proba(data.val)[:, 1]).max() < 1e-15
    ranked = forest.importance(fit(data), data.encoder).set_index("feature")["importance"]
    assert ranked[["a", "b", "c"]].to_numpy() == pytest.approx(own.feature_importances_)


def test_contributions_add_up_to_the_probability_and_empty_cells_have_their_own() -> None:
    rows = planted().val[:100]
    assert np.isnan(rows).any(axis=0).tolist() == [True, False, True, True]
    effects = fitted().predictor.contributions(rows)
    assert effects.shape == (100, len(COLUMNS) + 1)
    assert np.abs(effects.sum(axis=1) - fitted().predictor.probabilities(rows)).max() < 1e-12
    assert np.ptp(effects[:, -1]) == 0
    assert np.abs(effects[:, :-1]).mean(axis=0).argmax() == 1  # signal


def test_what_was_fitted_is_told_and_nothing_about_the_machine() -> None:
    found = fitted()
    assert found.parameters.items() >= SETTINGS.items()
    assert found.parameters["category_folds"] == 5
    assert not {"n_jobs", "verbose"} & set(found.parameters)
    assert (found.best_iteration, len(found.curves)) == (None, 0)
    assert list(found.curves) == ["iteration", "train_log_loss", "val_log_loss"]
    assert found.size == sum(
        tree.n_leaves for tree in forest.Predictor(found.content, planted().encoder).trees
    )


def test_equal_bytes_are_promised_wherever_there_is_a_seed() -> None:
    assert forest.promise(fitted().parameters).same_bytes
    assert not forest.promise({}).same_bytes


def test_the_training_rows_are_not_changed_by_a_fit() -> None:
    before = planted().train.copy()
    fit(planted())
    assert np.array_equal(before, planted().train, equal_nan=True)


def test_a_file_for_other_columns_is_not_taken() -> None:
    for columns in (COLUMNS[:3], (*COLUMNS[:2], COLUMNS[3], COLUMNS[3])):
        with pytest.raises(ValueError, match="not the encoder's"):
            forest.Predictor(fitted().content, Encoder(columns))


def test_a_fresh_process_needs_only_the_scorer_and_the_predictor_and_gives_the_same_bits(
    tmp_path: Path,
) -> None:
    rows = planted().val[:30]
    source = f"{inspect.getsource(scorer)}\n\n{inspect.getsource(forest.Predictor)}\n"
    source += (
        "from pathlib import Path\n"
        "told = Scorer.from_parts(Path('said.json').read_text(), Path('model').read_bytes(), Predictor)\n"
        "found = told.probabilities(np.load('rows.npy'))\n"
        "effects = told.predictor.contributions(np.load('rows.npy'))\n"
        "import sys\n"
        "assert not [name for name in sys.modules if name.startswith('churnlib')]\n"
        "print(*[value.hex() for value in found.tolist()], abs(effects.sum(axis=1) - found).max() < 1e-12)\n"
    )
    (tmp_path / "script.py").write_text(source, encoding="utf-8")
    (tmp_path / "model").write_bytes(fitted().content)
    (tmp_path / "said.json").write_text(Description("forest", planted().encoder, 0.5).to_json())
    np.save(tmp_path / "rows.npy", rows)
    command = [sys.executable, "-I", "-W", "error", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    ours = fitted().predictor.probabilities(rows)
    assert done.stdout.split() == [*(value.hex() for value in ours.tolist()), "True"]
