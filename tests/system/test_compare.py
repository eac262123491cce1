"""Comparing two models of one store: by every way to name them, and with parts of the record gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from churnlib.compare.answer import CompareResult
from churnlib.errors import IntegrityError, ParameterError
from churnlib.narrate_compare import plain
from churnlib.results import read_result
from churnlib.tracking.connection import connect
from tests.conftest import Project
from tests.in_process import run_phase
from tests.system.compare_world import LIBRARY, World, make_world


@pytest.fixture(scope="module")
def made(new_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world; who changes it uses `world`."""
    return make_world(new_project, tmp_path_factory.mktemp("compare"))


@pytest.fixture
def world(made: World, tmp_path: Path) -> Iterator[World]:
    """The world, put back afterwards: the store's addresses are absolute."""
    kept = tmp_path / "kept"
    shutil.copytree(made.root, kept, symlinks=True)
    yield made
    for name in ("mlartifacts", "build"):
        shutil.rmtree(made.root / name)
        shutil.copytree(kept / name, made.root / name)


def test_the_better_candidate_of_the_same_rows_is_better_than_the_champion_90_days_ago(made: World) -> None:
    pair, result = made.asked(a="90d", b="champion")
    assert (result.a.version, result.b.version) == (1, 2)
    assert (result.outcome, result.basis, result.comparable) == ("better", "same rows", True)
    assert result.scores is not None and result.scores.metrics[0].difference is not None
    difference = result.scores.metrics[0].difference
    recorded = [side.finalize.test_metrics["test_auc"] for side in (pair.a, pair.b)]
    assert difference.value == pytest.approx(recorded[1] - recorded[0], abs=1e-12)
    assert 0 < difference.low < difference.value < difference.high
    assert f"its AUC is {difference.value:.4f} higher" in plain(result)
    assert {row["what"] for row in result.hyperparameters} >= {"max_depth", "learning_rate", "n_estimators"}
    assert result.gaps == []


def test_the_code_between_them_is_told_by_commits_library_and_cells(made: World) -> None:
    pair, result = made.asked(a="1", b="2")
    code = result.code
    assert [item.subject for item in code.commits] == ["Say more", "Limit *what* <is> done"]
    assert [(item.path, item.added, item.removed) for item in code.files] == [(LIBRARY, 1, 0)]
    assert [(item.path, item.cells) for item in code.notebooks] == [("notebooks/3_finalize.ipynb", 1)]
    assert "Setting all up" in code.notebooks[0].text
    assert (code.uncommitted_a, code.uncommitted_b) == (0, 1)
    for part in ("+LIMIT = 1", "+LIMIT = 2", "Setting all up", "Limit *what* <is> done"):
        assert part in pair.whole_diff
    backwards = made.asked(a="2", b="1")[1].code
    assert (backwards.commits, backwards.only_a) == ([], 2)


@pytest.mark.parametrize(
    ("text", "version"), [("champion", 2), ("previous", 1), ("v3", 3), ("12w", 1), ("1h", 2)]
)
def test_each_way_to_name_a_model_finds_it(text: str, version: int, made: World) -> None:
    assert made.asked(a=text, b="2")[1].a.version == version


def test_a_day_and_a_run_name_a_model_too(made: World) -> None:
    _, result = made.asked(a="100d", b="2")
    day = (result.a.since or "")[:10]
    assert made.asked(a=day, b=result.a.run_id)[1].b.version == 1
    assert made.asked(a=day, b="2")[1].a.version == 1


def test_the_same_champion_then_and_now_means_that_nothing_changed(made: World) -> None:
    _, result = made.asked(a="10d", b="champion")
    assert result.outcome == "unchanged"
    assert plain(result).startswith(
        "Nothing changed: version 2, xgb-final-best-lr0.1-d3, has been champion for 20 days"
    )
    assert {area.differs for area in result.areas} == {0}


def test_other_data_are_not_comparable_and_the_drift_is_measured(made: World) -> None:
    pair, result = made.asked(a="1", b="3")
    assert (result.outcome, result.comparable) == ("other rows", False)
    assert result.scores is not None and result.scores.metrics[0].difference is None
    assert result.scores.a.lead is not None and result.scores.b.lead is not None
    assert pair.drift is not None and len(pair.drift) == 20
    assert {row["what"] for row in result.data} >= {"n_rows", "seed", "train rows"}
    assert len({point.test for point in pair.reigned}) == 1


def test_a_champion_that_was_scored_on_the_others_rows_is_compared_there(made: World) -> None:
    _, result = made.asked(a="2", b="3")
    assert (result.basis, result.comparable) == ("rows of B", True)
    assert result.scores is not None and result.scores.decisions is not None
    assert result.scores.decisions.rows == result.b.test_rows == 360


def test_all_reigns_are_on_the_chart_with_their_intervals(made: World) -> None:
    points = made.asked(a="1", b="2")[0].reigned
    assert [point.version for point in points] == [1, 2]
    assert points[0].until == points[1].since and points[1].until is None
    assert all(point.low < point.auc < point.high for point in points)


def test_a_run_that_is_no_final_run_is_refused_with_what_it_is(made: World) -> None:
    finalize = made.finalized(1)
    for run, words in (
        (finalize.data.run_id, "a run of phase data, not a final run; name a version"),
        (finalize.search_run_id, "a run of phase search"),
        (finalize.best_child_run_id, "one configuration of a search"),
        ("0" * 32, "not in the tracking store"),
    ):
        with pytest.raises(ParameterError, match=f"E228: run {run}.*{words}"):
            made.asked(a=run, b="2")
    client, registry = MlflowClient(f"sqlite:///{made.root / 'mlflow.db'}"), "registry"
    runs = client.search_runs(["1"], f"tags.phase = '{registry}' and tags.model_version = '2'")
    with pytest.raises(
        ParameterError, match=r"E228.*a run of phase registry.*it is about version 2: name that"
    ):
        made.asked(a=runs[0].info.run_id, b="2")


def test_before_the_first_champion_the_answer_names_it(made: World) -> None:
    with pytest.raises(ParameterError, match=r"E225: nobody was champion on .*version 1"):
        made.asked(a="365d", b="champion")


def test_the_run_of_the_comparison_has_tags_metrics_and_diffs(made: World) -> None:
    _, result = made.asked(a="1", b="2")
    client = connect(made.root)
    run = client.get_run(result.run_id)
    assert run.data.tags.items() >= {"version_a": "1", "version_b": "2", "outcome": "better"}.items()
    assert run.data.metrics["differing_hyperparameters"] == len(result.hyperparameters)
    assert run.data.metrics["difference_auc"] > 0
    assert {"drift.csv", "code.diff"} <= {item.path for item in client.list_artifacts(result.run_id)}


def test_a_final_run_that_was_never_registered_can_be_compared(world: World) -> None:
    finalize = run_phase(world.root, "finalize", output_dir="build/streamflow/again")
    pair, result = world.asked(a=finalize.run_id, b="3")
    assert (result.a.version, result.a.role) == (None, "a final run that is not registered")
    assert pair.a.parameters == pair.b.parameters
    assert result.outcome == "equal" and result.gaps == []


def test_what_is_gone_is_a_gap_and_the_rest_is_answered(world: World) -> None:
    finalize = world.finalized(1)
    [environment] = world.root.rglob(f"{finalize.run_id}/artifacts/environment.json")
    environment.unlink()
    [predictions] = world.root.rglob(f"{finalize.run_id}/artifacts/test_predictions.csv")
    predictions.write_bytes(predictions.read_bytes() + b"0,0,0.5\n")
    _, result = world.asked(a="1", b="2")
    assert result.outcome == "unmeasured"
    assert len(result.gaps) == 3
    assert result.gaps[0].startswith("A: environment: not on record any more: artifact environment.json")
    assert "test_predictions.csv" in result.gaps[1] and "found" in result.gaps[1]
    assert len(result.hyperparameters) > 0 and len(result.code.commits) == 2


def test_an_altered_environment_is_not_believed(world: World) -> None:
    finalize = world.finalized(1)
    [environment] = world.root.rglob(f"{finalize.run_id}/artifacts/environment.json")
    environment.write_text(json.dumps({"packages": {"xgboost": "0.1"}}), encoding="utf-8")
    _, result = world.asked(a="1", b="2")
    assert "was changed since it was registered" in result.gaps[0]
    assert result.packages == []


def test_training_rows_that_are_gone_leave_the_drift_unknown(world: World) -> None:
    split = world.finalized(3).data.splits["train"].fingerprint
    for path in world.root.rglob(f"{split}.parquet"):
        path.unlink()
    pair, result = world.asked(a="1", b="3")
    assert pair.drift is None and result.drift == []
    assert [gap for gap in result.gaps if gap.startswith("training rows: ")]


def test_a_registered_result_that_is_gone_stops_the_comparison(world: World) -> None:
    for path in (world.root / "mlartifacts").rglob("objects/*.json"):
        path.unlink()
    with pytest.raises(IntegrityError, match="E411"):
        world.asked(a="1", b="2")


def test_a_commit_that_is_not_in_this_clone_is_said_to_be_missing(
    made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = made.root / ".git"
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(made.root.parent))
    aside = git.rename(made.root / ".gone")
    try:
        _, result = made.asked(a="1", b="2")
    finally:
        aside.rename(git)
    missing = [gap for gap in result.gaps if "is not in this clone; fetch it" in gap]
    assert len(missing) == 2 and result.code.commits == []
    assert result.outcome == "better"


def test_the_notebook_run_by_the_command_line_gives_the_report_the_screen_and_the_json(made: World) -> None:
    done = made.project.main("compare", "--since", "90d", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    folder = made.root / "build/streamflow/compare/90d-and-champion"
    assert answer == json.loads((folder / "result.json").read_text("utf-8"))
    result = read_result(folder / "result.json", CompareResult)
    page = (folder / "compare.html").read_text("utf-8")
    assert f"{result.scores.metrics[0].difference.low:+.4f}" in page  # type: ignore[union-attr]
    assert "Limit *what* &lt;is&gt; done" in page
    artifacts = {item.path for item in connect(made.root).list_artifacts(result.run_id, "plots")}
    assert artifacts == {f"plots/{name}.png" for name in ("champions", "differences", "drift")}


def test_a_typing_error_is_refused_before_a_kernel_starts(made: World) -> None:
    done = made.project.main("compare", "--a", "champoin")
    assert done.returncode == 2
    assert "CHURN-E227: 'champoin' names no model to compare" in done.stderr
