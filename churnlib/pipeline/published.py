"""What a study has published: each phase's executed notebook, its result, and what made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from churnlib import notebookfile
from churnlib.errors import ParameterError
from churnlib.params import PHASES
from churnlib.phaseparams import PhaseParams
from churnlib.pipeline.plan import read_params
from churnlib.pipeline.publish import MANIFEST, RESULT, Manifest
from churnlib.results import (
    RESULTS,
    DataResult,
    FinalizeResult,
    LineageResult,
    RegistryResult,
    Result,
    SearchResult,
    read_result,
)
from churnlib.verify.compare import Execution
from churnlib.verify.conditions import Published


@dataclass(frozen=True)
class PublishedPhase:
    """A published phase: what was run, what came of it, and what it was made from, where that was kept."""

    kind: type[PhaseParams]
    folder: Path
    result: Result
    execution: Execution
    manifest: Manifest | None

    @property
    def notebook(self) -> str:
        """The notebook's file name."""
        return self.kind.notebook


def published_phases(root: Path, study: str) -> dict[str, PublishedPhase]:
    """Every phase that a study has published, in order; ParameterError E232 where one is missing.

    Lineage may be: where nobody is champion there is nothing to trace.
    """
    found = {name: phase for name in PHASES if (phase := _published(root, study, name))}
    registry = cast(RegistryResult, found[RegistryResult.phase].result)
    if LineageResult.phase not in found and registry.champion is not None:
        raise _missing(root, study, LineageResult.phase)
    return found


def results_of(phases: dict[str, PublishedPhase]) -> Published:
    """The results of these phases, each under its own name."""
    found = {name: phase.result for name, phase in phases.items()}
    return Published(
        data=cast(DataResult, found["data"]),
        search=cast(SearchResult, found["search"]),
        finalize=cast(FinalizeResult, found["finalize"]),
        registry=cast(RegistryResult, found["registry"]),
        lineage=cast(LineageResult | None, found.get("lineage")),
    )


def _published(root: Path, study: str, name: str) -> PublishedPhase | None:
    """The phase as it was published; None for a lineage that is not there."""
    params = read_params(root, study, name)
    folder = root / params.output_dir
    notebook = folder / params.notebook
    if not (notebook.is_file() and (folder / RESULT).is_file()):
        if name == LineageResult.phase:
            return None
        raise _missing(root, study, name)
    node = notebookfile.read(notebook, code="E232")
    result = read_result(folder / RESULT, RESULTS[name])
    execution = Execution(node.cells, result.model_dump(mode="json"))
    return PublishedPhase(type(params), folder, result, execution, _manifest(folder))


def _missing(root: Path, study: str, phase: str) -> ParameterError:
    return ParameterError(
        "E232", f"no published notebook of phase {phase} below {root / 'build' / study}; `make run` first"
    )


def _manifest(folder: Path) -> Manifest | None:
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None
