"""The folder in which a model is made again: apart, and gone afterwards, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from churnlib.errors import InfrastructureError
from churnlib.proof.items import Remade, same
from churnlib.proof.recipe import Origin
from churnlib.remake import fresh, replay
from churnlib.remake.trail import Halt

Run = Callable[[Path], None]
ORIGIN = Origin(
    phase="data",
    run_id="0" * 32,
    commit="1" * 40,
    branch="main",
    diff="",
    diff_sha256="",
    notebook="notebooks/1_data.ipynb",
    notebook_sha256="",
    library_sha256="",
    lock_sha256="",
    parameters={"output_dir": "build/data"},
)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "build" / "scratch" / "reproduce"


def remade(scratch: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Remade:
    """What comes of a replay that does `run` in its folder."""

    class Planted:
        def __init__(self, root: Path, recipe: object, folder: Path, **_: object) -> None:
            self.folder, self.inputs = folder, [same("code", "commit", "1")]
            self.outputs, self.notebooks = None, {"1_data.ipynb": b"{}"}

        def run(self) -> None:
            (self.folder / "clone").mkdir()
            run(self.folder)

    monkeypatch.setattr(fresh, "Replay", Planted)
    nothing: Any = None
    return fresh.remake(scratch, nothing, scratch=scratch, client=nothing, say=print)


def test_what_was_found_before_the_way_ended_is_told(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def halt(_: Path) -> None:
        raise Halt("the data are gone", same("data", "table", "2"))

    made = remade(scratch, monkeypatch, halt)
    assert made.stopped == "the data are gone"
    assert [item.name for item in made.inputs] == ["commit", "table"]
    assert list(made.notebooks) == ["1_data.ipynb"]


@pytest.mark.parametrize("error", [None, InfrastructureError("E513", "no network"), KeyboardInterrupt()])
def test_nothing_is_left_however_it_ends(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    def end(_: Path) -> None:
        if error:
            raise error

    if error:
        with pytest.raises(type(error)):
            remade(scratch, monkeypatch, end)
    else:
        assert remade(scratch, monkeypatch, end).stopped == ""
    assert list(scratch.iterdir()) == []


def test_what_a_killed_one_left_is_removed_and_a_living_one_is_not_touched(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dead", "living"):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "file").write_text("kept")
        (scratch / f"{name}.lock").touch()
    seen: list[set[str]] = []
    with FileLock(scratch / "living.lock"):
        remade(scratch, monkeypatch, lambda folder: seen.append({path.name for path in scratch.iterdir()}))
    assert "dead" not in seen[0] and "dead.lock" not in seen[0]
    assert sorted(path.name for path in scratch.iterdir()) == ["living", "living.lock"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("InfrastructureError: CHURN-E501: no space on x", "E501"),
        ("Findings: CHURN-E509: the tracking store is locked", "E509"),
        ("papermill ended with status 1\nnbclient.exceptions.DeadKernelError: Kernel died", "E513"),
    ],
)
def test_a_notebook_that_met_a_passing_fault_proves_nothing(error: str, code: str) -> None:
    with pytest.raises(InfrastructureError) as raised:
        replay.give_up(ORIGIN, error)
    assert raised.value.code == code


def test_a_notebook_that_failed_otherwise_ends_the_way_with_its_error() -> None:
    with pytest.raises(Halt, match=r"notebooks/1_data\.ipynb failed .* DataError: CHURN-E306"):
        replay.give_up(ORIGIN, "DataError: CHURN-E306: the table is empty")
