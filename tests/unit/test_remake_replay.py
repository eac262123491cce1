"""The order in which a model is made again, and where it ends: the notebooks here are stand-ins."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from churnlib.proof.items import Outputs
from churnlib.proof.recipe import Machine, Origin, Phase, Recipe
from churnlib.remake import replay
from churnlib.remake.environment import Environment
from churnlib.remake.trail import Halt
from tests.unit.planted import data_result
from tests.unit.test_remake_clone import committed, git, notebook, origin_of

PHASES: tuple[Phase, ...] = ("data", "search", "finalize")
METRICS = {"val_auc": 0.7, "test_auc": 0.6, "baseline_test_auc": 0.65}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    project = committed(tmp_path / "project")
    for phase in PHASES:
        (project / "notebooks" / f"{phase}.ipynb").write_text(notebook(phase))
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "notebooks")
    return project


def origin(root: Path, phase: Phase) -> Origin:
    """What a run of the phase would record now."""
    parameters = {"output_dir": f"build/{phase}", "source": "generate:planted"}
    path = root / "notebooks" / f"{phase}.ipynb"
    return dataclasses.replace(origin_of(root, path), phase=phase, parameters=parameters)


def recipe(*origins: Origin, exact: bool = True) -> Recipe:
    data = data_result()
    splits = {name: split.fingerprint for name, split in data.splits.items()}
    return Recipe(
        model="predictor",
        version=1,
        study="planted",
        name="final",
        run_id="3" * 32,
        origins=origins,
        environment=Machine("", {}, "", "", 0),
        data=data,
        family="xgboost",
        settings={},
        candidate="",
        exact=exact,
        contest="",
        expected=Outputs(splits, {"xgb-01": "a" * 64}, "xgb-01", "a" * 64, 0.5, METRICS),
        files={},
    )


class Notebooks:
    """Stand-ins that leave what the notebooks would; `seen` has what each of them met."""

    def __init__(self, **changes: Any) -> None:
        self.seen: list[tuple[str, str, dict[str, object]]] = []
        self.changes = changes

    def __call__(
        self,
        python: Path,
        notebook: Path,
        parameters: dict[str, object],
        executed: Path,
        *,
        cwd: Path,
        environment: dict[str, str],
        on_text: Callable[[str], None],
    ) -> str:
        phase = notebook.stem
        self.seen.append((phase, (cwd / "churnlib" / "code.py").read_text(), parameters))
        executed.parent.mkdir(exist_ok=True)
        executed.write_text("{}")
        folder = cwd / str(parameters["output_dir"])
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(self.results()[phase]))
        return ""

    def results(self) -> dict[str, dict[str, Any]]:
        children = [
            {"name": "xgb-01", "booster_sha256": "a" * 64},
            {"name": "xgb-02", "booster_sha256": "b" * 64},
        ]
        made: dict[str, dict[str, Any]] = {
            "data": json.loads(data_result().model_dump_json()),
            "search": {"children": children, "best_name": "xgb-01", "best_val_auc": 0.7},
            "finalize": {
                "run_id": "9" * 32,
                "booster_sha256": "a" * 64,
                "threshold": 0.5,
                "val_metrics": {"val_auc": 0.7},
                "test_metrics": {"test_auc": 0.6},
                "baseline_metrics": {"baseline_test_auc": 0.65},
            },
        }
        for phase, change in self.changes.items():
            made[phase] |= change
        return made


def replayed(
    root: Path, folder: Path, asked: Recipe, notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch
) -> tuple[replay.Replay, str]:
    """The replay after its run, and why it ended early."""
    monkeypatch.setattr(replay, "run_elsewhere", notebooks)
    nobody: Any = None
    folder.mkdir()
    made = replay.Replay(
        root,
        asked,
        folder,
        client=nobody,
        say=lambda _: None,
        make_environment=lambda *_: Environment(Path(sys.executable)),
    )
    try:
        made.run()
    except Halt as halt:
        return made, halt.reason
    return made, ""


def test_each_phase_gets_the_results_that_were_made_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebooks, asked = Notebooks(), recipe(*(origin(root, phase) for phase in PHASES))
    made, stopped = replayed(root, tmp_path / "here", asked, notebooks, monkeypatch)
    assert stopped == "" and made.outputs is not None
    assert made.outputs.metrics == METRICS and made.outputs.booster_sha256 == "a" * 64
    recorded = [asked.origin(phase).parameters for phase in PHASES]
    assert [given for _, _, given in notebooks.seen] == [
        recorded[0],
        {**recorded[1], "data_result": "build/data/result.json"},
        {**recorded[2], "search_result": "build/search/result.json"},
    ]
    assert [item.name for item in made.inputs].count("commit") == 1


def test_phases_of_different_commits_run_their_own_code_and_are_named_apart(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = origin(root, "data")
    (root / "churnlib" / "code.py").write_text("one = 2\n")
    git(root, "commit", "--quiet", "--all", "--message", "second")
    (root / "churnlib" / "code.py").write_text("one = 3\n")
    search, finalize = origin(root, "search"), origin(root, "finalize")
    git(root, "checkout", "--quiet", ".")
    notebooks = Notebooks()
    made, stopped = replayed(root, tmp_path / "here", recipe(data, search, finalize), notebooks, monkeypatch)
    assert stopped == ""
    assert [code for _, code, _ in notebooks.seen] == ["one = 1\n", "one = 3\n", "one = 3\n"]
    commits = [item.name for item in made.inputs if item.name.startswith("commit")]
    assert commits == ["commit of data", "commit of search"]
    assert [item for item in made.inputs if item.cause == "code" and item.status != "equal"] == []


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        ({"best_name": "xgb-02"}, "xgb-02 won the search, not xgb-01: the test rows stay closed for it"),
        (
            {"children": [{"name": "xgb-01", "booster_sha256": "f" * 64}]},
            "xgb-01 came out with other bytes: the test rows stay closed for another model",
        ),
    ],
)
def test_another_winner_or_other_bytes_never_meet_the_test_rows(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    search: dict[str, Any],
    reason: str,
) -> None:
    notebooks = Notebooks(search=search)
    asked = recipe(*(origin(root, phase) for phase in PHASES))
    made, stopped = replayed(root, tmp_path / "here", asked, notebooks, monkeypatch)
    assert stopped == reason
    assert [phase for phase, _, _ in notebooks.seen] == ["data", "search"]
    assert made.outputs is not None and math.isnan(made.outputs.threshold)


def test_other_bytes_are_no_reason_to_stop_where_the_record_promises_none(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebooks = Notebooks(search={"children": [{"name": "xgb-01", "booster_sha256": "f" * 64}]})
    asked = recipe(*(origin(root, phase) for phase in PHASES), exact=False)
    _, stopped = replayed(root, tmp_path / "here", asked, notebooks, monkeypatch)
    assert stopped == "" and len(notebooks.seen) == 3
