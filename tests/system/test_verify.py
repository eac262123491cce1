"""`verify` on a whole project: run for real once, then held against copies that were tampered with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from churnlib.errors import ParameterError
from churnlib.params import PHASES
from churnlib.pipeline import verify
from churnlib.pipeline.plan import Plan
from churnlib.pipeline.publish import RESULT
from churnlib.results import RESULTS
from churnlib.verify.outputs import parts_of
from churnlib.verify.records import Verification
from churnlib.verify.tags import declarations
from churnlib.warm import client
from tests.conftest import QUICK, Project


def edit(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def cell_of(node: Any, name: str) -> Any:
    return next(cell for cell in node["cells"] if cell.get("id") == name)


def result_of(project: Project) -> Verification:
    text = (project.root / "build" / "streamflow" / "verify" / RESULT).read_text(encoding="utf-8")
    return Verification.model_validate_json(text)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> Project:
    """A quick project that was run and verified by real kernels; the tests take copies."""
    project = new_project(tmp_path_factory.mktemp("verified") / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)
    project.git("commit", "--quiet", "--all", "--message", "Quick")
    assert project.main("run").returncode == 0
    return project


@pytest.fixture
def again(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it, whose second execution gives what the first one gave, in no time."""
    project = Project(tmp_path / "project")
    shutil.copytree(made.root, project.root, symlinks=True, ignore=shutil.ignore_patterns("mlartifacts"))

    def give_the_same(_session: object, plan: Plan, **_options: object) -> None:
        shutil.copytree(made.root / plan.params.output_dir, plan.output, dirs_exist_ok=True)

    monkeypatch.setattr(verify, "run_phase", give_the_same)
    monkeypatch.setattr(verify, "open_session", lambda root: SimpleNamespace(root=root))
    return project


def test_every_output_of_a_fresh_study_comes_out_equal_and_the_real_store_is_left_alone(
    made: Project,
) -> None:
    store = (made.root / "mlflow.db").read_bytes()
    done = made.main("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    found = result_of(made)
    assert [score.notebook for score in found.notebooks] == [kind.notebook for kind in PHASES.values()]
    assert all(score.outputs_equal == score.outputs > 3 for score in found.notebooks)
    assert all(score.values_equal == score.values > 100 for score in found.notebooks)
    assert (found.changed, found.differing, found.left_out(comparable=False)) == ([], [], [])
    assert "came out equal" in done.stdout
    assert (made.root / "mlflow.db").read_bytes() == store
    assert not (made.root / "build" / "scratch" / "verify" / "streamflow").exists()
    assert (made.root / "build" / "streamflow" / "verify" / "verify.html").is_file()


def test_every_output_comes_out_equal_where_each_kernel_imports_for_itself(
    made: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published came from forked kernels, unless all tests run without them."""
    monkeypatch.setenv(client.WARM_VARIABLE, "0")
    done = made.churnlib("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    found = result_of(made)
    assert all(score.outputs_equal == score.outputs > 3 for score in found.notebooks)
    assert (found.changed, found.differing) == ([], [])


def test_one_number_that_was_edited_in_a_published_notebook_is_named(again: Project) -> None:
    def change(node: Any) -> None:
        data = cell_of(node, "search-10")["outputs"][0]["data"]
        table = data["application/vnd.churn.table+json"]
        values = table["values"][table["columns"].index("val_auc")]
        values[0] = round(values[0] + 1e-4, 4)

    edit(again.root / "build" / "streamflow" / "search" / "2_search.ipynb", change)
    done = again.main("verify")
    assert done.returncode == 4
    assert "CHURN-E429" in done.stderr
    assert "2_search.ipynb, code cell 6 (search-10): table: val_auc, row 1" in done.stderr
    assert "2_search.ipynb of phase search is not the file that was published" in done.stdout
    (where,) = result_of(again).differing
    assert where[1].relative == pytest.approx(1e-4, rel=1)


def test_one_number_that_was_edited_in_a_result_is_named(again: Project) -> None:
    file = again.root / "build" / "streamflow" / "finalize" / RESULT
    edit(file, lambda record: record["test_metrics"].update(test_auc=0.9))
    done = again.main("verify", "--json")
    assert done.returncode == 4
    assert [item.where for _, item in result_of(again).differing] == [
        "result.json: result: test_metrics.test_auc"
    ]
    assert Verification.model_validate_json(done.stdout) == result_of(again)


def test_code_that_changed_since_is_told_and_what_tells_of_it_is_not_compared(again: Project) -> None:
    lock = again.root / "requirements.lock"
    lock.write_text(lock.read_text(encoding="utf-8") + "# another\n", encoding="utf-8")
    again.git("commit", "--quiet", "--all", "--message", "Another lock")
    done = again.main("verify")
    assert done.returncode == 0
    told = [line.partition(" (")[0] for line in result_of(again).changed]
    assert told == ["the commit", "requirements.lock"]
    assert {item.cell_id for _, item in result_of(again).left_out(comparable=False)} >= {"lineage-14"}


def test_a_study_that_is_not_the_model_s_first_is_compared_but_for_its_history(again: Project) -> None:
    folder = again.root / "build" / "streamflow" / "registry"
    edit(folder / RESULT, lambda record: record.update(version=2, champion=2, ledger_event=12))
    done = again.main("verify")
    assert done.returncode == 0, done.stdout
    left = {item.cell_id for _, item in result_of(again).left_out(comparable=False)}
    assert {"finalize-16", "registry-08", "registry-16", "registry-18"} <= left
    assert "could not be compared here" in done.stdout


def test_parameters_that_changed_since_are_told_and_the_published_ones_used(again: Project) -> None:
    again.edit("streamflow", "search", random_state=7)
    again.main("verify")
    assert any(line.startswith("search.yml has another random_state") for line in result_of(again).changed)


def test_a_notebook_that_fails_now_is_said_to_and_those_after_it_are_not_run(
    again: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_session: object, plan: Plan, **_options: object) -> None:
        raise ParameterError("E203", f"{plan.phase} cannot be run")

    monkeypatch.setattr(verify, "run_phase", fail)
    done = again.main("verify")
    assert done.returncode == 4
    assert "1_data.ipynb did not run to its end" in done.stderr
    faults = [score.fault for score in result_of(again).notebooks]
    assert faults == ["data cannot be run", *["it reads what 1_data.ipynb did not give"] * 4]
    assert all(score.values_equal == 0 for score in result_of(again).notebooks)


def test_what_is_not_published_is_asked_for(again: Project) -> None:
    (again.root / "build" / "streamflow" / "search" / "2_search.ipynb").unlink()
    done = again.main("verify")
    assert done.returncode == 2
    assert "CHURN-E232" in done.stderr
    assert "make run" in done.stderr
    assert again.main("verify", "--study", "nobody").returncode == 2


def test_a_mistyped_tag_is_refused_before_anything_runs(
    again: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tag(node: Any) -> None:
        cell_of(node, "data-06")["metadata"]["tags"] = ["varies:tabel=id"]

    edit(again.root / "notebooks" / "1_data.ipynb", tag)
    monkeypatch.setattr(verify, "scratch_project", None)
    done = again.main("verify")
    assert done.returncode == 2
    assert "CHURN-E230: tag 'varies:tabel=id' on cell data-06 of 1_data.ipynb" in done.stderr


@pytest.mark.parametrize("phase", PHASES)
def test_every_declaration_of_a_notebook_leaves_something_out(made: Project, phase: str) -> None:
    """One that no longer covers anything must go: it would cover what comes there later."""
    file = made.root / "build" / "streamflow" / phase / PHASES[phase].notebook
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = "".join(output["text"])
            for mime, content in output.get("data", {}).items():
                output["data"][mime] = "".join(content) if isinstance(content, list) else content
    for name, declared in declarations(cells, file.name).items():
        for item in declared:
            parts = parts_of(cell_of({"cells": cells}, name), [item], RESULTS[phase])
            assert any(value.marks for part in parts if part.name == item.part for value in part.items), (
                item.tag
            )
