"""What a phase is about to do, known before a kernel starts: its parameters, inputs and key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from churnlib import yamlfile
from churnlib.errors import ParameterError
from churnlib.execute import check_names
from churnlib.params import NOTEBOOKS, DataParams
from churnlib.phaseparams import PhaseParams
from churnlib.provenance import lock_hash, notebook_hash
from churnlib.results import RESULTS, read_result, sha256
from churnlib.safenames import check_name
from churnlib.sources import library_hash
from churnlib.tracking.address import tracking_uri

ALWAYS_RUN = ("lineage",)  # it checks the present state of things that anybody may have changed


@dataclass(frozen=True)
class Plan:
    """One phase, checked and ready to run."""

    params: PhaseParams
    root: Path
    key: str  # SHA-256 over everything that the phase depends on

    @property
    def phase(self) -> str:
        """The phase's name."""
        return self.params.phase

    @property
    def notebook(self) -> Path:
        """The notebook's path."""
        return self.root / "notebooks" / self.params.notebook

    @property
    def output(self) -> Path:
        """The folder that its result is published in."""
        return self.root / self.params.output_dir

    @property
    def report(self) -> str:
        """The file name of its HTML report."""
        return Path(self.params.notebook).with_suffix(".html").name


def make_plan(root: Path, study: str, phase: str, asked: Mapping[str, object] = MappingProxyType({})) -> Plan:
    """The phase's plan; every fault in its parameters, all at once, before anything starts.

    What is `asked` holds in place of the YAML.
    """
    params = read_params(root, study, phase)
    if asked:
        params = type(params).check({**params.model_dump(), **asked}, where="the command")
    return plan_of(root, params)


def plan_of(root: Path, params: PhaseParams) -> Plan:
    """The plan of a phase with these parameters."""
    return Plan(params, root, _key(root, params, root / "notebooks" / params.notebook))


def read_params(root: Path, study: str, phase: str) -> PhaseParams:
    """The phase's parameters from its YAML, checked, by the notebook's own names too."""
    file = params_file(root, study, phase)
    kind = NOTEBOOKS[phase]
    values = yamlfile.load(file)
    shown = file.relative_to(root).as_posix()
    params = kind.check(values, where=shown)
    check_names(root / "notebooks" / kind.notebook, values, file=shown)
    if params.study != study:
        raise ParameterError(
            "E217", f"study in {shown} is {params.study!r}, expected {study!r}, its folder's name"
        )
    return params


def params_file(root: Path, study: str, phase: str) -> Path:
    """The YAML of a phase; ParameterError E218 names the studies there are if there is no such one."""
    try:
        check_name(study)
    except ValueError as error:
        raise ParameterError("E218", f"study {study!r}: {error}") from None
    file = root / "params" / study / f"{phase}.yml"
    if not file.is_file():
        known = sorted(path.parent.name for path in (root / "params").glob("*/data.yml"))
        raise ParameterError(
            "E218",
            f"no {file.relative_to(root)}; studies: {', '.join(known) or 'none'}; "
            "copy a folder of params/ to begin one",
        )
    return file


def _key(root: Path, params: PhaseParams, notebook: Path) -> str:
    inputs = {
        "parameters": params.model_dump(),
        "notebook": notebook_hash(notebook.read_text(encoding="utf-8")),
        "library": library_hash(),
        "lock": lock_hash(root),
        "tracking": sha256(tracking_uri(root).encode()),
        "upstream": _upstream(root, params),
    }
    return sha256(json.dumps(inputs, sort_keys=True).encode())


def _upstream(root: Path, params: PhaseParams) -> dict[str, str]:
    """Name to content hash of what the phase reads; a result that is missing is refused here."""
    found = {}
    for name, value in params.model_dump().items():
        if not name.endswith("_result"):
            continue
        if not value.startswith("run:"):
            read_result(root / value, RESULTS[name.removesuffix("_result")])
            value = sha256((root / value).read_bytes())
        found[name] = value
    if isinstance(params, DataParams):
        for path in (root / params.source, root / params.expected_schema):
            if path.is_file():
                found[path.name] = sha256(path.read_bytes())
    return found
