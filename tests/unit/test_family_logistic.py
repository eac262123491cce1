from __future__ import annotations

import functools
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from churnlib import families, yamlfile
from churnlib.data.generate import streamflow
from churnlib.data.prepare import prepare
from churnlib.errors import DataError
from churnlib.families import logistic
from churnlib.models import scorer
from churnlib.models.family import Encoded, Fitted
from churnlib.models.features import encode_splits
from churnlib.models.metrics import evaluate
from churnlib.models.scorer import Column, Description, Encoder, Matrix, Values
from churnlib.params import DataParams

ROOT = Path(__file__).parents[2]
CITIES = tuple(f"city {number:02}" for number in range(50))
COLUMNS = (
    Column("hours", "number", True),
    Column("months", "integer", False),
    Column("promo", "boolean", True),
    Column("plan", "category", False, ("basic", "family", "premium")),
    Column("city", "category", True, CITIES),
    Column("fee", "number", False),
    Column("notes", "number", True),
    Column("region", "category", False, ("one",)),
)


@functools.cache
def world(rows: int = 4000) -> Encoded:
    """Of all kinds of column; who has no `hours` leaves, `fee` and `region` are constant, `notes` is empty.

    No training row lives in the last city: its first row is a validation row.
    """
    random = np.random.default_rng(11)
    city = random.integers(0, 49, size=rows)
    table = pd.DataFrame(
        {
            "hours": random.exponential(18, size=rows),
            "months": random.integers(1, 60, size=rows),
            "promo": pd.array(random.random(rows) < 0.3, dtype="boolean"),
            "plan": random.choice(["basic", "family", "premium"], size=rows),
            "city": pd.Series([CITIES[code] for code in city], dtype=object),
            "fee": 0.1,
            "notes": np.nan,
            "region": "one",
        }
    )
    score = -0.04 * table["months"] + 0.8 * (table["plan"] == "basic") + random.normal(size=49)[city] * 0.5
    gap = random.random(rows) < 0.1
    labels = np.asarray(random.random(rows) < 1 / (1 + np.exp(-score - 1.5 * gap)), dtype=np.int8)
    table.loc[gap, "hours"] = np.nan
    table.loc[random.random(rows) < 0.2, "promo"] = pd.NA
    table.loc[random.random(rows) < 0.05, "city"] = None
    table.loc[rows - 1, "city"] = CITIES[-1]
    encoder = Encoder(COLUMNS)
    matrix, _ = encoder.encode(table)
    cut = rows * 3 // 4
    return Encoded(matrix[:cut], labels[:cut], matrix[cut:], labels[cut:], encoder)


def fit(data: Encoded, **settings: Any) -> Fitted:
    return logistic.fit(logistic.prepare(data), {"C": 1.0, **settings}, threads=1)


@functools.cache
def fitted() -> Fitted:
    return fit(world())


def entry(name: str, made: Fitted | None = None) -> dict[str, Any]:
    columns = json.loads((made or fitted()).content)["columns"]
    found: dict[str, Any] = next(column for column in columns if column["name"] == name)
    return found


def numbers(matrix: Values, labels: npt.NDArray[np.bool_]) -> Encoded:
    """All rows for training, columns a, b, c, …"""
    columns = [Column(chr(ord("a") + place), "number", True) for place in range(matrix.shape[1])]
    cells, truth = matrix.astype(np.float32), labels.astype(np.int8)
    return Encoded(cells, truth, cells, truth, Encoder(columns))


def pipeline(columns: Sequence[Column], **settings: Any) -> Pipeline:
    """The same model in scikit-learn alone."""
    categories = [place for place, column in enumerate(columns) if column.kind == "category"]
    others = [place for place in range(len(columns)) if place not in categories]
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    parts = [
        ("numbers", make_pipeline(filled, StandardScaler()), others),
        ("levels", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
    ]
    return make_pipeline(
        ColumnTransformer(parts), LogisticRegression(solver="newton-cholesky", tol=1e-12, **settings)
    )


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_probabilities_are_those_of_the_same_model_in_scikit_learn(C: float) -> None:
    data = world()
    expected = pipeline(COLUMNS, C=C).fit(data.train.astype(np.float64), data.train_labels)
    found = fit(data, C=C).predictor
    for matrix in (data.train, data.val):
        theirs = expected.predict_proba(matrix.astype(np.float64))[:, 1]
        assert found.probabilities(matrix) == pytest.approx(theirs, abs=1e-7, rel=0)


def test_planted_coefficients_are_found() -> None:
    random = np.random.default_rng(2)
    matrix = random.normal([5, -3, 0], [2, 10, 1], size=(60_000, 3))
    score = -2 + 0.6 * (matrix[:, 0] - 5) / 2 - 0.3 * (matrix[:, 1] + 3) / 10
    made = fit(numbers(matrix, random.random(60_000) < 1 / (1 + np.exp(-score))), C=1e4)
    assert [entry(name, made)["coefficient"] for name in "abc"] == pytest.approx([0.6, -0.3, 0], abs=0.03)
    assert json.loads(made.content)["intercept"] == pytest.approx(-2, abs=0.03)
    assert entry("b", made)["mean"] == pytest.approx(-3, abs=0.2)
    assert entry("b", made)["scale"] == pytest.approx(10, abs=0.2)


def test_gaps_that_carry_signal_are_used_and_others_are_not() -> None:
    assert entry("hours")["missing"]["coefficient"] == pytest.approx(1.5, abs=0.3)
    assert abs(entry("promo")["missing"]["coefficient"]) < 0.3
    assert entry("months")["missing"] == {"share": 0.0, "coefficient": 0.0}


@pytest.mark.parametrize("name", ["fee", "notes"])
def test_a_column_that_is_constant_or_empty_in_training_counts_for_nothing(name: str) -> None:
    assert (entry(name)["coefficient"], entry(name)["missing"]["coefficient"]) == (0, 0)
    assert entry(name)["importance"] == 0
    assert entry("region")["levels"]["one"]["coefficient"] == 0


def test_a_level_that_training_never_had_counts_for_nothing() -> None:
    data = world()
    last = data.val[-1:].copy()
    assert last[0, 4] == 49 and CITIES[-1] not in entry("city")["levels"]
    effect = fitted().predictor.contributions(last)[0, 4]
    known = entry("city")
    mean = sum(one["share"] * one["coefficient"] for one in (*known["levels"].values(), known["missing"]))
    assert effect == pytest.approx(-mean, abs=1e-12)


def test_a_row_alone_has_the_bits_that_it_has_among_others() -> None:
    data, predictor = world(), fitted().predictor
    together, effects = predictor.probabilities(data.val), predictor.contributions(data.val)
    for row in range(0, 1000, 7):
        one = data.val[row : row + 1]
        assert predictor.probabilities(one).tobytes() == together[row : row + 1].tobytes()
        assert predictor.contributions(one).tobytes() == effects[row : row + 1].tobytes()
    backwards = predictor.probabilities(np.asfortranarray(data.val[::-1]))
    assert backwards[::-1].tobytes() == together.tobytes()


def test_contributions_sum_to_the_log_odds_and_average_zero_over_training_rows() -> None:
    data, predictor = world(), fitted().predictor
    for matrix in (data.train, data.val):
        probability = predictor.probabilities(matrix)
        log_odds = np.log(probability / (1 - probability))
        assert predictor.contributions(matrix).sum(axis=1) == pytest.approx(log_odds, abs=1e-9, rel=0)
    assert predictor.contributions(data.train)[:, :-1].mean(axis=0) == pytest.approx(0, abs=1e-8)


def test_importance_is_the_mean_absolute_contribution_in_training() -> None:
    table = logistic.importance(fitted(), world().encoder)
    effects = np.abs(fitted().predictor.contributions(world().train)[:, :-1]).mean(axis=0)
    by_name = dict(zip((column.name for column in COLUMNS), effects, strict=True))
    assert list(table.columns) == ["feature", "importance"] and table["importance"].is_monotonic_decreasing
    assert table["importance"].tolist() == pytest.approx(
        [by_name[name] for name in table["feature"]], rel=1e-7
    )
    assert set(table["feature"].head(3)) == {"months", "plan", "city"}


def test_parameters_are_read_back_and_hold_nothing_of_the_machine() -> None:
    assert fitted().parameters == {
        "C": 1.0,
        "dual": False,
        "fit_intercept": True,
        "intercept_scaling": 1,
        "l1_ratio": 0.0,
        "max_iter": logistic.ITERATIONS,
        "solver": "newton-cholesky",
        "tol": logistic.TOLERANCE,
    }
    assert fit(world(), C=0.5).parameters["C"] == 0.5


def test_size_is_the_coefficients_that_are_not_zero_and_the_intercept() -> None:
    # hours and its gaps, months, promo and its gaps, 3 plans, 49 cities and none given
    assert fitted().size == 2 + 1 + 2 + 3 + 50 + 1
    assert (fitted().best_iteration, len(fitted().curves)) == (None, 0)
    assert list(fitted().curves) == ["iteration", "train_log_loss", "val_log_loss"]


@pytest.mark.parametrize("threads", [1, 2])
def test_D11_number_of_threads_changes_no_byte(threads: int) -> None:
    with threadpool_limits(threads, user_api="blas"):
        assert fit(world()).content == fitted().content
    assert logistic.promise(fitted().parameters).same_bytes


@pytest.mark.parametrize("C", [0.01, 1.0, 1000.0])
def test_last_bits_of_sums_do_not_reach_the_file(C: float) -> None:
    """Rows in another order are added in another order, as another processor would."""
    data, order = world(), np.random.default_rng(4).permutation(len(world().train))
    shuffled = Encoded(data.train[order], data.train_labels[order], data.val, data.val_labels, data.encoder)
    assert fit(shuffled, C=C).content == fit(data, C=C).content


def test_fits_at_once_give_the_bytes_of_one_after_another_and_leave_threads_as_they_were() -> None:
    prepared, strengths = logistic.prepare(world()), [0.01, 0.1, 1.0, 10.0] * 3
    before = [pool["num_threads"] for pool in threadpool_info()]
    one = [logistic.fit(prepared, {"C": C}, threads=1).content for C in strengths]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda C: logistic.fit(prepared, {"C": C}, threads=2).content, strengths))
    assert found == one and len(set(one)) == 4
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_validation_rows_have_no_say() -> None:
    data = world()
    other = Encoded(data.train, data.train_labels, data.val[:1], data.val_labels[:1], data.encoder)
    assert fit(other).content == fitted().content


def test_very_many_levels_take_another_way_to_the_same_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "WIDE", 10)
    found = fit(world())
    assert found.parameters["solver"] == "newton-cg"
    expected = fitted().predictor.probabilities(world().val)
    assert found.predictor.probabilities(world().val) == pytest.approx(expected, abs=1e-7, rel=0)


def test_sparse_and_dense_rows_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churnlib.models.terms.DENSE", 100)
    prepared = logistic.prepare(world())
    assert isinstance(prepared.matrix, np.ndarray)
    assert logistic.fit(prepared, {"C": 1.0}, threads=1).content == fitted().content


def test_a_fit_that_ends_too_early_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "ITERATIONS", 2)
    with pytest.raises(DataError, match=r"E326: logistic regression with C 1 did not converge on 3000 rows"):
        fit(world())


@pytest.mark.parametrize("wide", [10, 2000])
def test_what_scikit_learn_warns_of_is_no_news_where_the_slope_is_flat(
    wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic, "WIDE", wide)
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-30)  # more than numbers can give
    found = fit(world()).predictor.probabilities(world().val)
    assert found == pytest.approx(fitted().predictor.probabilities(world().val), abs=1e-7, rel=0)


def test_classes_that_one_column_separates_are_learned_with_hardly_any_penalty() -> None:
    values = np.column_stack([np.linspace(-1, 1, 200)] * 12)
    made = fit(numbers(values, values[:, 0] > 0), C=1e6)
    assert ((probabilities(made, values) > 0.5) == (values[:, 0] > 0)).all()


def probabilities(made: Fitted, values: Values) -> Values:
    return made.predictor.probabilities(values.astype(np.float32))


def test_the_largest_and_smallest_numbers_overflow_nowhere() -> None:
    random = np.random.default_rng(6)
    matrix = np.column_stack([random.normal(size=500) * size for size in (1e38, 1e-30, 1.0)])
    made = fit(numbers(matrix, matrix[:, 2] > 0))
    assert logistic.faults(made.content) == []
    extreme: Matrix = np.array([[3e38, 3e38, -3e38], [-3e38, -3e38, 3e38]], dtype=np.float32)
    assert np.isin(made.predictor.probabilities(extreme), [0, 1]).all()
    assert np.isfinite(made.predictor.contributions(extreme)).all()


def test_one_percent_of_leavers_is_learned_and_stays_calibrated() -> None:
    random = np.random.default_rng(8)
    matrix = random.normal(size=(20_000, 3))
    leave = random.random(20_000) < 1 / (1 + np.exp(5.5 - 1.5 * matrix[:, 0]))
    found = probabilities(fit(numbers(matrix, leave)), matrix)
    assert 0.005 < leave.mean() < 0.02
    assert found.mean() == pytest.approx(leave.mean(), rel=1e-6)
    assert evaluate(leave.astype(np.int8), found, 0.5)["auc"] > 0.8


def test_a_fresh_process_scores_the_same_bits_with_the_travelling_source_alone(tmp_path: Path) -> None:
    data, made = world(), fitted()
    source = Path(inspect.getfile(scorer)).read_text("utf-8")
    entry_point = (
        "import pathlib, sys\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "model = Scorer.from_parts((here / 'd').read_text('utf-8'), (here / 'm').read_bytes(), Predictor)\n"
        "matrix = np.load(here / 'rows.npy')\n"
        "np.save(here / 'p.npy', model.probabilities(matrix))\n"
        "np.save(here / 'c.npy', model.predictor.contributions(matrix))\n"
        "print(*sorted(name for name in sys.modules if name in ('sklearn', 'scipy', 'pydantic')))\n"
    )
    # As if none of them were installed.
    blocked = "import sys\nfor name in ('churnlib', 'sklearn', 'scipy'):\n    sys.modules[name] = None\n"
    script = f"{source}\n\n{inspect.getsource(logistic.Predictor)}\n\n{entry_point}"
    (tmp_path / "script.py").write_text(script, "utf-8")
    (tmp_path / "d").write_text(Description("logistic", data.encoder, 0.5).to_json(), "utf-8")
    (tmp_path / "m").write_bytes(made.content)
    np.save(tmp_path / "rows.npy", data.val)
    begin = f"{blocked}import runpy\nrunpy.run_path(sys.argv[1] + '/script.py')"
    done = subprocess.run(
        [sys.executable, "-I", "-c", begin, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "p.npy").tobytes() == made.predictor.probabilities(data.val).tobytes()
    assert np.load(tmp_path / "c.npy").tobytes() == made.predictor.contributions(data.val).tobytes()


def test_default_study_reaches_the_known_auc() -> None:
    params = DataParams.check(yamlfile.load(ROOT / "params/streamflow/data.yml"), where="data.yml")
    ready = prepare(streamflow(params.n_rows, params.seed).table, params, expected=None, reference=None)
    data = encode_splits(ready.part("train"), ready.part("val"), ready.schema)
    found = fit(data).predictor.probabilities(data.val)
    assert evaluate(data.val_labels, found, 0.5)["auc"] == pytest.approx(0.6872, abs=5e-5)


def test_the_family_is_found_and_its_settings_are_checked() -> None:
    assert families.family("logistic").TITLE == "logistic regression"
    settings = TypeAdapter(logistic.Settings)
    assert settings.validate_python({"C": 0.5}) == {"C": 0.5}
    for wrong in ({"C": 0.0}, {"C": -1.0}, {"C": "1"}, {"C": float("nan")}, {"penalty": "l1"}):
        with pytest.raises(ValidationError):
            settings.validate_python(wrong)
    assert not set(logistic.REFUSED) & set(logistic.Settings.__annotations__)
    assert set(LogisticRegression().get_params()) == {*logistic.REFUSED, *logistic.Settings.__annotations__}


def test_naming_the_family_imports_no_heavy_library() -> None:
    code = "import sys; import churnlib.families.logistic; print({'sklearn', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "set()"


def changed(path: Sequence[Any], value: Any) -> bytes:
    """The planted model's file with one place changed; a value of ``...`` takes it out."""
    model = json.loads(fitted().content)
    place = model
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return (json.dumps(model, indent=1) + "\n").encode()


def test_a_model_file_is_without_fault_and_can_be_read_by_a_person() -> None:
    assert logistic.faults(fitted().content) == []
    assert entry("fee")["median"] == 0.1  # not 0.10000000149
    assert list(entry("plan")["levels"]) == ["basic", "family", "premium"]


def text() -> str:
    return fitted().content.decode()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no JSON": lambda: b"\x80\x04\x95not json",
    "no UTF-8": lambda: b'{"format": "\xff"}',
    "cut off": lambda: text()[:-40].encode(),
    "a list": lambda: b"[]",
    "nested deep": lambda: b"[" * 200_000,
    "nested deep inside": lambda: text().replace('"levels": {', '"levels": ' + '{"a":' * 50_000, 1).encode(),
    "too large": lambda: b" " * (64 * 2**20 + 1),
    "a key too many": lambda: changed(["extra"], 1.0),
    "a key too few": lambda: changed(["intercept"], ...),
    "a key of a column too few": lambda: changed(["columns", 0, "median"], ...),
    "another format": lambda: changed(["format"], "churn-linear/9"),
    "another formula": lambda: changed(["formula"], "log-odds = 0"),
    "another kind": lambda: changed(["columns", 0, "kind"], "text"),
    "a number where a level should be": lambda: changed(["columns", 3, "levels", "basic"], 1.0),
    "text for a number": lambda: changed(["columns", 0, "mean"], "1.0"),
    "true for a number": lambda: changed(["columns", 0, "mean"], True),
    "null for a number": lambda: changed(["columns", 0, "mean"], None),
    "NaN": lambda: changed(["columns", 0, "coefficient"], float("nan")),
    "infinite": lambda: changed(["columns", 0, "coefficient"], float("inf")),
    "1e999": lambda: re.sub('"intercept": [^,]+', '"intercept": 1e999', text()).encode(),
    "too large a number": lambda: changed(["columns", 0, "coefficient"], 1e300),
    "digits without end": lambda: re.sub('"intercept": ', '"intercept": ' + "9" * 50_000, text()).encode(),
    "scale zero": lambda: changed(["columns", 0, "scale"], 0.0),
    "a share above one": lambda: changed(["columns", 0, "missing", "share"], 1.5),
    "a key twice": lambda: text().replace('"intercept"', '"intercept": 9.0,\n "intercept"', 1).encode(),
    "other spaces": lambda: text().replace("\n ", "\n  ").encode(),
    "something behind it": lambda: text().encode() + b"\n{}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_this_project_does_not_write_is_refused_in_a_few_words(name: str) -> None:
    found = logistic.faults(HOSTILE[name]())
    assert 1 <= len(found) <= 5
    assert all(len(fault) < 400 and fault.isprintable() for fault in found)


def test_a_file_of_other_columns_or_levels_than_the_description_says_is_not_loaded() -> None:
    with pytest.raises(ValueError, match="other columns"):
        logistic.Predictor(fitted().content, Encoder(COLUMNS[:-1]))
    fewer = Column("plan", "category", False, ("basic", "family"))
    with pytest.raises(ValueError, match="'plan': 1 levels"):
        logistic.Predictor(fitted().content, Encoder([fewer if c.name == "plan" else c for c in COLUMNS]))
