"""What tracking and the notebooks cost: whole programs side by side, each in a folder of its own."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.copies import end_all, workplace
from bench.parts import Parts
from bench.phases import phase_parts, read_executed, read_marks, runner_parts
from bench.pipeline_tables import AFTER, BEFORE, Measured, tables
from bench.report import Table
from bench.timing import peak_memory, timed
from bench.ways import BARE, LOOKED_INTO, STUDY, TOLD, WARM_TWELVE, WAYS, Way
from churnlib import yamlfile
from churnlib.params import PHASES
from churnlib.results import SearchResult, read_result, sha256

ROUNDS = 5
SLOW_ROUNDS = 3  # of those, in which the slow ways take part
LOOKS = 3  # of them, in which a further run is looked into
STOPWATCHES = Path(__file__).parent / "stopwatch"


def measure(rounds: int = ROUNDS, slow_rounds: int = SLOW_ROUNDS, looks: int = LOOKS) -> list[Table]:
    """Every way once for its memory, then all of them in turn, so many times: about half an hour."""
    with workplace() as place:
        return tables(_Course(place, rounds, min(slow_rounds, rounds), min(looks, rounds)).run())


class _Course:
    """The whole of the measuring, step by step."""

    def __init__(self, place: Path, rounds: int, slow_rounds: int, looks: int) -> None:
        self._place, self._rounds, self._slow_rounds, self._looks = place, rounds, slow_rounds, looks
        self._found = Measured()
        self._homes: dict[str, Path] = {}
        self._steps = 0

    def run(self) -> Measured:
        """What was measured."""
        for way in WAYS:
            if not way.cold:
                self._say(way, "memory")
                self._remember(way)
        for at in range(self._rounds):
            for way in WAYS:
                if way.often == "quick" or at < self._slow_rounds:
                    self._say(way, f"round {at + 1} of {self._rounds}")
                    self._time(way)
            for way in LOOKED_INTO if at < self._looks else ():
                self._say(way, "looked into")
                self._found.looks[way.name].append(self._look(way))
        return self._found

    def _remember(self, way: Way) -> None:
        """The first run of each way, which also warms what will be warm."""
        home = self._home(way)
        self._found.memory[way.name] = peak_memory(way.commands, home, way.environment)
        self._leave(way, home)

    def _time(self, way: Way) -> None:
        home = self._home(way)
        self._found.runs[way.name].append(timed(way.commands, home, way.environment))
        if way is BARE:
            self._found.training.append(_told(home)["training_seconds"])
        if way is WARM_TWELVE:
            self._found.searches.append(read_executed(_executed_paths(home)["search"]))
            self._found.equal.append(_equal_models(_told(self._homes[BARE.name])["booster_sha256"], home))
        self._leave(way, home)

    def _look(self, way: Way) -> dict[str, Parts]:
        """The parts of each phase, and of what the runner does before, between and after them."""
        home, marks_file = self._watched_home(way)
        marks_file.write_text("")  # not a new file: whoever has it open writes on
        run = timed(way.commands, home, _stopwatches(marks_file))
        marks = read_marks(marks_file)
        phases = {name: read_executed(path) for name, path in _executed_paths(home).items()}
        before, after = runner_parts(run.span, list(phases.values()), marks)
        inside = {name: phase_parts(phase, marks) for name, phase in phases.items()}
        return {BEFORE: before, **inside, AFTER: after}

    def _watched_home(self, way: Way) -> tuple[Path, Path]:
        """A folder in which the way has always run with stopwatches, and the file for what they see."""
        home = self._place / f"{_file_name(way)}-watched"
        marks_file = home.with_suffix(".jsonl")
        if not home.exists():
            watching = _stopwatches(marks_file)
            _prepare(way, home, watching)
            timed(way.commands, home, watching)  # the first run is not looked into
        return home, marks_file

    def _home(self, way: Way) -> Path:
        """The folder in which a quick way always runs, or a new one."""
        if way.name not in self._homes:
            self._homes[way.name] = _prepare(way, self._place / _file_name(way), way.environment)
        return self._homes[way.name]

    def _leave(self, way: Way, home: Path) -> None:
        if way.often == "slow":
            del self._homes[way.name]
            end_all(home)
            shutil.rmtree(home)

    def _say(self, way: Way, what: str) -> None:
        self._steps += 1
        quick = sum(way.often == "quick" for way in WAYS)
        slow = len(WAYS) - quick
        first = sum(not way.cold for way in WAYS)
        total = first + self._rounds * quick + self._slow_rounds * slow + self._looks * len(LOOKED_INTO)
        print(f"[{self._steps}/{total}] {way.name}: {what}", file=sys.stderr, flush=True)


def _file_name(way: Way) -> str:
    return way.name.replace(",", "").replace(" ", "-")


def _prepare(way: Way, folder: Path, environment: Mapping[str, str]) -> Path:
    way.prepare(folder)
    if way.first:
        timed([way.first], folder, environment)
    return folder


def _stopwatches(marks_file: Path) -> dict[str, str]:
    return {"BENCH_STOPWATCHES": str(marks_file), "PYTHONPATH": str(STOPWATCHES)}


def _executed_paths(home: Path) -> dict[str, Path]:
    """The executed notebooks that a copy of the project has published, by phase, in order."""
    return {name: home / "build" / STUDY / name / params.notebook for name, params in PHASES.items()}


def _told(home: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((home / TOLD).read_text(encoding="utf-8"))
    return said


def _equal_models(hashes: list[str], home: Path) -> int:
    """How many of the twelve have these bytes: by the search's result, and their run's file in the store."""
    result = read_result(home / "build" / STUDY / "search" / "result.json", SearchResult)
    stored = _stored_models(home / "mlartifacts")
    pairs = zip(hashes, result.children, strict=True)
    return sum(bare == child.booster_sha256 == stored.get(child.run_id) for bare, child in pairs)


def _stored_models(artifacts: Path) -> dict[str, str]:
    """Hashes of the booster files that MLflow has stored, by the run that each model says it is of."""
    found = {}
    for described in artifacts.rglob("MLmodel"):
        (booster,) = described.parent.rglob("model.ubj")
        found[str(yamlfile.load(described)["run_id"])] = sha256(booster.read_bytes())
    return found
