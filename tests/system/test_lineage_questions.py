"""The first question about any version and any past moment, in a project that has had two champions.

Version 1 was champion on August 1st, version 2 followed on August 11th, version 3 was rejected on the 21st.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow.store.model_registry import sqlalchemy_store
from threadpoolctl import threadpool_limits

from churnlib import commands
from churnlib.errors import ParameterError
from churnlib.params import LineageParams
from churnlib.pipeline.plan import read_params
from churnlib.results import FinalizeResult, Lineage, LineageResult, read_result
from churnlib.summary import LINES, WIDTH, lineage_screen
from churnlib.tracking import promotion
from churnlib.tracking.aliases import View
from churnlib.tracking.connection import connect
from churnlib.tracking.trace import trace
from tests.conftest import QUICK, Project
from tests.in_process import run_phase
from tests.system.kill_world import ONE
from tests.system.ledger_world import put

MODEL, EXPERIMENT = "streamflow-churn-predictor", "streamflow-churn-xgb-v3"
STEP = 60_000  # ms between two events on the server's clock
PROVED = {"mode": "fresh", "certificate": "c" * 64, "first": ""}


@dataclass(frozen=True)
class World:
    """The project, and the final results of its versions."""

    project: Project
    versions: dict[int, FinalizeResult]

    def view(self) -> View:
        root = self.project.root
        return commands.ledger_view(root, commands.registry_params(root, "streamflow"))

    def trace(self, **asked: Any) -> Lineage:
        root = self.project.root
        usual = read_params(root, "streamflow", "lineage").model_dump()
        return trace(connect(root), root, LineageParams.check({**usual, **asked}, where="the question"))

    def differing(self, **asked: Any) -> dict[str, str]:
        return {link.name: link.detail for link in self.trace(**asked).links if link.status == "differs"}

    def path(self, *parts: str) -> Path:
        return self.project.root.joinpath("mlartifacts", EXPERIMENT, *parts)

    def booster(self, version: int) -> Path:
        return self.path("models", self.versions[version].model_id, "artifacts", "artifacts", "model.ubj")

    def result(self, folder: str) -> LineageResult:
        return read_result(
            self.project.root / f"build/streamflow/lineage/{folder}/result.json", LineageResult
        )


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> Iterator[World]:
    """The project; the tracking server's clock stands in August 2025 for all that is registered there."""
    project = new_project(tmp_path_factory.mktemp("lineage") / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **(changes | ONE if phase == "search" else changes))
    project.git("commit", "--quiet", "--all", "--message", "Quick")
    made = World(project, {})
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        for phase in ("data", "search"):
            run_phase(project.root, phase)
        for version, day in ((1, 1), (2, 11), (3, 21)):
            clock = iter(range(int(datetime(2025, 8, day, 10, tzinfo=UTC).timestamp()) * 1000, 2**62, STEP))
            patch.setattr(sqlalchemy_store, "get_current_time_millis", clock.__next__)
            made.versions[version] = run_phase(project.root, "finalize")
            by_hand = {"approval": "manual"} if version == 3 else {}
            assert run_phase(project.root, "registry", **by_hand).version == version
        promotion.reject(made.view(), 3, who="anna", why="we wait for spring")
        yield made


@contextlib.contextmanager
def altered(path: Path) -> Iterator[None]:
    """The file with another last byte."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        yield
    finally:
        path.write_bytes(content)


def alias_of(told: Lineage) -> tuple[str, str]:
    (link,) = (link for link in told.links if link.name == "alias")
    return link.status, link.detail


def test_the_champion_now_is_told_with_every_link_recomputed_but_the_executed_notebook(world: World) -> None:
    told = world.trace()
    assert (told.asked, told.version, told.champion, told.moment) == ("champion", 2, 2, None)
    assert told.finalize == world.versions[2]
    assert told.role.startswith("champion since 2025-08-11 10:")
    assert [link.name for link in told.links if link.status != "equal"] == ["notebook"]
    low, high = told.test_auc_interval or (1, 0)
    assert low < told.finalize.test_metrics["test_auc"] < high


@pytest.mark.parametrize(
    ("as_of", "version"),
    [("2025-08-01", 1), ("2025-08-10", 1), ("2025-08-11T09:59", 1), ("2025-08-11", 2), ("2025-10-01", 2)],
)
def test_the_champion_of_a_past_moment_is_traced(world: World, as_of: str, version: int) -> None:
    told = world.trace(as_of=as_of)
    assert (told.asked, told.version, told.champion) == ("moment", version, 2)
    assert told.finalize == world.versions[version]
    assert (told.moment or "").startswith(as_of)
    status, detail = alias_of(told)
    assert status == "recorded"
    assert detail.endswith(
        f"{MODEL}@champion names version 2 now, what it named then is only known from the ledger"
    )
    assert {link.name for link in told.links if link.status != "equal"} == {"alias", "notebook"}


def test_a_moment_that_lies_ahead_is_answered_with_the_present(world: World) -> None:
    told = world.trace(as_of="2999-01-01")
    assert (told.asked, told.moment, alias_of(told)[0]) == ("champion", None, "equal")


def test_a_moment_before_the_first_champion_is_an_answer(world: World) -> None:
    with pytest.raises(
        ParameterError, match=r"E225: nobody was champion on 2025-07-31 23:59 UTC; the first .* 1$"
    ):
        world.trace(as_of="2025-07-31")


def test_a_version_that_nobody_registered_is_refused_before_a_kernel_starts(world: World) -> None:
    folders = world.project.root / "build/streamflow/lineage"
    done = world.project.main("lineage", "--version", "9")
    assert done.returncode == 2
    assert done.stderr == "CHURN-E221: version 9 is not on the ledger; known: 1, 2, 3 (`make history`)\n"
    done = world.project.main("lineage", "--as-of", "2020-01-01")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "CHURN-E225: nobody was champion on 2020-01-01 23:59 UTC; the first became champion on" in done.stderr
    )
    done = world.project.main("lineage", "--as-of", "last week")
    assert done.returncode == 2 and "CHURN-E224" in done.stderr
    assert not folders.exists()


def test_a_former_champion_is_told_with_its_time_and_what_took_its_place(world: World) -> None:
    told = world.trace(version=1)
    assert told.role.startswith("was champion from 2025-08-01 10:")
    assert told.role.endswith("UTC") and " to 2025-08-11 10:" in told.role
    assert alias_of(told)[1].startswith(f"version 1 {told.role}; {MODEL}@champion names version 2 now")
    assert [event.what for event in told.events] == [
        *(f"test opened: {told.finalize.name}", f"test judged: {told.finalize.name}"),
        *("registered", "validated: passed", "approved", "promoted", "promoted"),
    ]
    assert [event.version for event in told.events[2:]] == ["1", "1", "1", "1", "2"]
    assert told.approved_by == "approval: automatic"


def test_a_rejected_version_was_never_champion_and_is_recomputed_all_the_same(world: World) -> None:
    told = world.trace(version=3)
    assert (told.role, told.reigns) == ("was never champion: it was rejected", [])
    assert alias_of(told) == (
        "recorded",
        f"version 3 was never champion: it was rejected; {MODEL}@champion names version 2 now, "
        "by the ledger it never named this one",
    )
    assert [event.what for event in told.events[2:]] == ["registered", "validated: passed", "rejected"]
    assert told.events[-1].why == "we wait for spring"
    assert {link.name for link in told.links if link.status == "recorded"} == {"alias", "notebook"}
    assert world.differing(version=3) == {}


def test_the_champion_asked_for_by_its_number_is_the_champion(world: World) -> None:
    told = world.trace(version=2)
    assert (told.asked, alias_of(told)[0]) == ("version", "equal")
    assert told.model_copy(update={"asked": "champion"}) == world.trace()


def test_an_old_versions_altered_file_reddens_its_lineage_and_no_other(world: World) -> None:
    with altered(world.booster(1)):
        broken = world.differing(version=1)
        assert set(broken) == {"evidence", "model"}
        assert "artifacts/model.ubj" in broken["model"]
        assert set(world.differing(as_of="2025-08-05")) == {"evidence", "model"}
        assert world.differing() == {}
        assert world.differing(version=3) == {}


def test_the_terminal_names_each_broken_link_with_its_reason_and_json_stays_empty(world: World) -> None:
    with altered(world.booster(1)):
        done = world.project.main("lineage", "--version", "1", "--json")
    assert (done.returncode, done.stdout) == (4, "")
    lines = done.stderr.splitlines()
    place = next(i for i, line in enumerate(lines) if "CHURN-E410" in line)
    assert lines[place].endswith(
        f"2 broken links in the lineage of version 1 of {MODEL}: evidence, model; do not deploy version 1"
    )
    assert lines[place + 1].startswith("  evidence: model: artifacts/model.ubj")
    assert lines[place + 2].startswith("  model: artifacts/model.ubj")
    assert len(lines) <= LINES
    assert not (world.project.root / "build/streamflow/lineage/version-1/result.json").exists()
    assert list(world.project.root.glob("build/streamflow/lineage/version-1/failed/*/5_lineage.html"))


def test_an_alias_that_was_moved_by_hand_is_red_whatever_is_asked(world: World) -> None:
    client = connect(world.project.root)
    client.set_registered_model_alias(MODEL, "champion", "1")
    try:
        line = "the alias champion names version 1, the ledger says version 2: moved by hand"
        assert world.differing() == world.differing(version=1) == world.differing(as_of="2025-08-05")
        assert world.differing() == {"alias": line}
    finally:
        client.set_registered_model_alias(MODEL, "champion", "2")


def test_the_registered_result_is_found_in_its_run_when_the_kept_one_is_gone(world: World) -> None:
    digest = world.view().book.read().state.versions[1].evidence["result"]
    kept = world.path("objects", f"{digest}.json")
    with altered(kept):
        broken = world.differing(version=1)
    assert set(broken) == {"evidence"} and f"objects/{digest}.json" in broken["evidence"]


def test_artifacts_of_an_old_version_that_are_gone_are_named_beside_every_other_link(world: World) -> None:
    run, aside = world.path(world.versions[1].run_id), world.path("aside")
    run.rename(aside)
    try:
        told = world.trace(version=1)
    finally:
        aside.rename(run)
    status = {link.name: link.status for link in told.links}
    assert {name for name in status if status[name] == "differs"} == {"evidence", "metrics"}
    assert told.test_auc_interval is None
    assert len(status) == 15


def test_one_version_is_told_on_a_screen_as_json_and_in_a_report_from_one_result(world: World) -> None:
    ledger = put(world.view(), "reproduced", 1, outcome="passed", evidence=PROVED)
    done = world.project.main("lineage", "--version", "1", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    folder = world.project.root / "build/streamflow/lineage/version-1"
    assert done.stdout == (folder / "result.json").read_text("utf-8")
    assert json.loads(done.stdout)["proofs"][0]["event"] == ledger.entries[-1].number
    result = world.result("version-1")
    assert (result.version, result.asked, result.parameters["version"]) == (1, "version", 1)
    page = (folder / "5_lineage.html").read_text("utf-8")
    assert "Version 1 of streamflow-churn-predictor" in page and result.role in page
    text = lineage_screen(result)
    assert "proof       reproduced fresh on 2025-08-2" in text
    assert len(text.splitlines()) <= LINES and max(map(len, text.splitlines())) <= WIDTH


def test_a_past_moment_is_answered_on_the_terminal_beside_the_usual_answer(world: World) -> None:
    done = world.project.main("lineage", "--as-of", "2025-08-05T12:00")
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"model       {MODEL} version 1, {world.versions[1].name}" in done.stdout
    assert "asked       the champion on 2025-08-05 12:00 UTC" in done.stdout
    assert "  – Alias: version 1 was champion from 2025-08-01" in done.stdout
    assert "build/streamflow/lineage/as-of-2025-08-05T12-00/5_lineage.html" in done.stdout
    assert world.result("as-of-2025-08-05T12-00").asked == "moment"
