from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import ChurnError, Findings, ParameterError
from churnlib.execute.checks import cell_parameters
from churnlib.params import NOTEBOOKS, PHASES, DataParams, LineageParams, SearchParams
from churnlib.phaseparams import PhaseParams
from tests.unit.planted import ROOT, study

WRONG: list[tuple[str, str, object]] = [
    ("data", "n_rows", "007"),
    ("data", "n_rows", "5000"),
    ("data", "n_rows", 5000.0),
    ("data", "n_rows", 0),
    ("data", "n_rows", True),
    ("data", "n_rows", None),
    ("data", "seed", -1),
    ("data", "seed", 2**32),
    ("data", "positive_label", 1),
    ("data", "positive_label", ""),
    ("data", "target", 7),
    ("data", "separator", ""),
    ("data", "separator", ";;"),
    ("data", "drop_columns", "churned"),
    ("data", "drop_columns", [1]),
    ("data", "max_categories", 1),
    ("data", "split_method", "Random"),
    ("data", "split_test_size", 0.0),
    ("data", "split_test_size", 1.0),
    ("data", "split_test_size", "0.15"),
    ("data", "split_val_size", float("nan")),
    ("data", "memory_budget_mb", 0),
    ("data", "source", ""),
    ("data", "source", "customers\0.csv"),
    ("search", "n_estimators", 0),
    ("search", "winner_rule", "auc"),
    ("search", "method", "random"),
    ("search", "families", []),
    ("search", "cv_folds", 51),
    ("search", "trials", 0),
    ("search", "time_budget_minutes", -1.0),
    ("search", "decision_threshold", 1.5),
    ("search", "parallel", -1),
    ("search", "data_result", "build/streamflow/data"),
    ("search", "data_result", "run:123"),
    ("search", "grids", []),
    ("search", "grids", {"xgboost": [{"max_depth": "3"}]}),
    ("search", "grids", {"xgboost": [{"max_depth": 3.5}]}),
    ("search", "grids", {"xgboost": [{"max_depth": True}]}),
    ("search", "grids", {"xgboost": [{"learning_rate": float("inf")}]}),
    ("search", "grids", {"xgboost": [{"learning_rate": -0.1}]}),
    ("search", "grids", {"xgboost": [{"subsample": 1.1}]}),
    ("finalize", "threshold_objective", "accuracy"),
    ("finalize", "offer_cost", -1.0),
    ("finalize", "sample_rows", 0),
    ("registry", "description", None),
]
NASTY = [
    "../x",
    "/abs",
    "a/../b",
    "a\0b",
    "%2e%2e",
    "%2e%2e/x",
    "x" * 300,
    "a\nb",
    "a\n",
    "-rf",
    ".hidden",
    "..",
    ".",
    "",
    " ",
    "a b",
    "a;b",
    "$(id)",
    "<b>",
    "a\\b",
    "~",
    "C:\\x",
    "naïve",
    "a..b",
    "\u202egnp",
]
NAMES = [("data", "study"), ("data", "experiment"), ("search", "search_name"), ("registry", "model_name")]
ALIASES = [("registry", "alias"), ("lineage", "alias"), ("data", "reference_alias")]


def checked(phase: str, **changes: Any) -> PhaseParams:
    return NOTEBOOKS[phase].check({**study(phase), **changes}, where="params.yml")


def refusal(phase: str, **changes: Any) -> ChurnError:
    with pytest.raises(ChurnError) as caught:
        checked(phase, **changes)
    return caught.value


def competitors(grid: list[dict[str, Any]]) -> dict[str, Any]:
    """The default study's grids, with another one for XGBoost."""
    grids: dict[str, Any] = study("search")["grids"]
    return {**grids, "xgboost": grid}


@pytest.mark.parametrize("phase", NOTEBOOKS)
def test_the_default_study_passes_and_keeps_every_value(phase: str) -> None:
    assert checked(phase).model_dump() == study(phase)


@pytest.mark.parametrize("phase", NOTEBOOKS)
def test_yaml_notebook_and_model_state_the_same_names_in_the_same_order(phase: str) -> None:
    cell = cell_parameters(ROOT / "notebooks" / NOTEBOOKS[phase].notebook)
    assert list(study(phase)) == list(cell)
    assert set(cell) == set(NOTEBOOKS[phase].model_fields)


def test_the_search_states_the_twelve_configurations_of_the_case_study() -> None:
    twelve = (
        ".1,4,.8,.8,0,1 .1,6,.8,.8,0,1 .1,8,.8,.8,0,1 .05,5,.8,.8,.1,1 .05,6,.8,.8,.1,1 .05,7,.85,.7,.1,1.5 "
        ".03,5,.8,.8,.05,1.2 .03,6,.85,.75,.05,1.2 .03,7,.8,.8,.05,1.2 .05,6,.75,.7,.5,3 .03,6,.8,.8,.3,2 "
        ".03,8,.9,.8,.1,1.5"
    )
    order = ("learning_rate", "max_depth", "subsample", "colsample_bytree", "reg_alpha", "reg_lambda")
    found = [[float(item[name]) for name in order] for item in study("search")["grids"]["xgboost"]]
    assert found == [[float(value) for value in item.split(",")] for item in twelve.split()]


def test_F1_unknown_parameter_names_the_nearest_known_one() -> None:
    error = refusal("data", n_rowz=5)
    assert str(error) == "CHURN-E202: unknown 'n_rowz' in params.yml; did you mean 'n_rows'?"
    assert error.exit_status == 2
    error = refusal("search", grids=competitors([{"max_dept": 3}]))
    assert error.code == "E202"
    assert "did you mean 'max_depth'?" in error.message


@pytest.mark.parametrize(("phase", "name", "value"), WRONG)
def test_F2_wrong_type_range_or_choice_is_refused_by_name(phase: str, name: str, value: object) -> None:
    error = refusal(phase, **{name: value})
    assert isinstance(error, ParameterError)
    assert error.code == "E208"
    assert error.message.startswith(name)


def test_F2_text_that_looks_like_a_number_stays_text() -> None:
    params = checked("data", positive_label="007", data_version="1.0", date_column="2024")
    assert isinstance(params, DataParams)
    assert (params.positive_label, params.data_version, params.date_column) == ("007", "1.0", "2024")


@pytest.mark.parametrize("phase", NOTEBOOKS)
def test_each_missing_parameter_is_named(phase: str) -> None:
    for name in study(phase):
        rest = {key: value for key, value in study(phase).items() if key != name}
        with pytest.raises(ParameterError, match=f"CHURN-E206: missing '{name}' in params.yml"):
            NOTEBOOKS[phase].check(rest, where="params.yml")


def test_all_errors_are_reported_at_once() -> None:
    error = refusal("data", n_rows="x", seed=-1, n_rowz=1, api_token="t0psecret")  # noqa: S106
    assert isinstance(error, Findings)
    assert sorted(item.code for item in error.errors) == ["E202", "E208", "E208", "E209"]
    assert error.exit_status == 2


@pytest.mark.parametrize(("phase", "name"), NAMES + ALIASES)
def test_F5_nasty_name_is_refused(phase: str, name: str) -> None:
    for value in NASTY:
        assert refusal(phase, **{name: value}).message.startswith(name), value


def test_F5_output_stays_below_build() -> None:
    for value in [*NASTY, *(f"build/{name}" for name in NASTY), "build/", "build/a/"]:
        assert refusal("data", output_dir=value).message.startswith("output_dir"), value
        assert refusal("search", data_result=f"{value}/result.json").message.startswith("data_result"), value


def test_F5_nothing_is_written_for_a_refused_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in NASTY:
        refusal("data", study=value, output_dir=f"build/{value}/data")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["latest", "v1", "V12", "a.b"])
def test_alias_that_mlflow_would_refuse_later_is_refused_now(value: str) -> None:
    assert "expected an alias such as champion" in refusal("registry", alias=value).message


@pytest.mark.parametrize("key", ["password", "db_password", "API_KEY", "aws_secret", "token", "private_key"])
def test_F6_secret_key_is_refused_and_its_value_is_not_shown(key: str) -> None:
    error = refusal("data", **{key: "hunter2"})
    assert error.code == "E209"
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("phase", NOTEBOOKS)
def test_F6_password_in_any_value_is_refused_and_not_shown(phase: str) -> None:
    for name in study(phase):
        for value in ("https://user:hunter2@host", ["https://user:hunter2@host"], {"a": "x://:hunter2@host"}):
            error = refusal(phase, **{name: value})
            assert (error.code, "hunter2" in str(error)) == ("E209", False), name


def test_time_split_needs_a_date_column() -> None:
    assert "split_method 'time' needs date_column" in refusal("data", split_method="time").message
    assert checked("data", split_method="time", date_column="joined")


def test_configurations_must_be_alike_and_different() -> None:
    unlike: list[dict[str, Any]] = [{"max_depth": 3}, {"learning_rate": 0.1}]
    found = refusal("search", grids=competitors(unlike)).message
    assert "xgboost, configuration 2 names other parameters" in found
    twice = [{"max_depth": 3, "learning_rate": 0.1}, {"learning_rate": 0.1, "max_depth": 3}]
    assert "xgboost has the same configuration twice" in refusal("search", grids=competitors(twice)).message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"families": ["xgboos"]}, "no family 'xgboos'; known: forest, lightgbm, logistic, xgboost"),
        ({"families": ["xgboost", "xgboost"]}, "family 'xgboost' is named twice"),
        ({"grids": {"xgboost": [{"max_depth": 3}]}}, "method grid needs grids.logistic"),
        ({"method": "bayes", "spaces": {}}, "method bayes needs spaces.xgboost"),
        ({"cv_folds": 1}, "cv_folds is 1, expected at least 2, or 0 for none"),
        ({"method": "bayes", "trials": 3}, "trials is 3, expected at least one for each of 4 families"),
        ({"min_finished": 20}, "min_finished is 20, expected at most 19"),
        ({"spaces": {"xgboos": {}}}, "no family 'xgboos'"),
        ({"spaces": {"xgboost": {"max_dept": {"low": 1, "high": 2}}}}, "did you mean 'max_depth'?"),
        ({"spaces": {"xgboost": {"max_depth": {"low": 5, "high": 2}}}}, "low 5 is not below high 2"),
    ],
)
def test_a_search_in_which_somebody_cannot_compete_is_refused(changes: dict[str, Any], told: str) -> None:
    error = refusal("search", **changes)
    assert error.code == "E208"
    assert told in error.message


def test_what_does_not_compete_may_stand_in_the_file() -> None:
    few = checked("search", families=["logistic"], min_finished=1)
    assert isinstance(few, SearchParams) and few.total == len(few.grids["logistic"])


def test_an_error_about_several_parameters_does_not_print_them_all() -> None:
    assert "found" not in refusal("data", split_method="time").message


def test_notebook_with_an_injected_unknown_name_is_refused() -> None:
    namespace = {**study("lineage"), "_": 1, "In": [], "Out": {}, "pytest": pytest}
    assert LineageParams.from_notebook(namespace).alias == "champion"
    with pytest.raises(ParameterError, match=r"unknown 'aliass' in notebooks/5_lineage\.ipynb"):
        LineageParams.from_notebook({**namespace, "aliass": "x"})


def test_setup_cell_may_run_again_beside_the_notebooks_own_variables() -> None:
    again = {
        **study("lineage"),
        "alias": "challenger",
        "params": checked("lineage"),
        "warned": 3,
        "kinds": {},
    }
    assert LineageParams.from_notebook(again).alias == "challenger"


def test_parameters_cannot_be_changed_after_the_check() -> None:
    with pytest.raises(ValueError, match="frozen"):
        checked("data").study = "other"


def test_every_yaml_parameter_is_explained_or_speaks_for_itself() -> None:
    obvious = {"study", "experiment", "output_dir", "target", "min_rows", "min_positives"}
    obvious |= {"random_state", "split_random_state", "model_name", "alias", "reference_alias", "description"}
    obvious |= {"search_name", "grids", "spaces"}
    for phase in NOTEBOOKS:
        lines = (ROOT / f"params/streamflow/{phase}.yml").read_text("utf-8").splitlines()
        kind = "Phase" if phase in PHASES else "Question"
        assert lines[0].startswith(f"# {kind} {phase}: ")
        bare = {line.split(":")[0] for line in lines if line[:1].isalpha() and " # " not in line}
        assert bare <= obvious, phase
