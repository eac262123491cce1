"""The certificate of a reproduction: what was asked, everything that was compared, what it came to."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import ValidationError

from churnlib.errors import IntegrityError
from churnlib.frozen import Frozen, first_fault
from churnlib.proof.items import Compared, Remade
from churnlib.proof.meaning import Mode
from churnlib.proof.outputs import Whys, compare_outputs, how_far
from churnlib.proof.recipe import Recipe
from churnlib.proof.verdict import judge
from churnlib.results import sha256


class Asked(Frozen):
    """Which version was to be made again, who asked, when, on which machine, and what the ledger said."""

    model: str
    version: int
    name: str  # the candidate's
    run_id: str  # the final run's
    mode: Mode
    time: str  # ISO form, UTC
    who: str
    host: str
    platform: str
    ledger_event: int
    ledger_sha256: str
    repeat: str  # the command


class Certificate(Frozen):
    """What a reproduction came to. `apart` says how far the outputs are apart, `first` what is to blame."""

    schema_version: Literal[1] = 1
    asked: Asked
    outcome: Literal["passed", "failed"]
    first: str
    apart: str
    stopped: str
    remarks: tuple[str, ...]
    exact: bool  # False: the record promises no equal bytes, so numbers were compared to 1e-6
    inputs: list[Compared]
    outputs: list[Compared]
    notebooks: dict[str, str]  # executed again: name -> SHA-256

    def to_bytes(self) -> bytes:
        """Canonical JSON: the same bytes for equal certificates."""
        return (json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1) + "\n").encode()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, as the ledger has it."""
        return sha256(self.to_bytes())


def certify(asked: Asked, record: list[Compared], recipe: Recipe | None, remade: Remade) -> Certificate:
    """The certificate of what was made again; `recipe` is None where the record gives none any more."""
    inputs = [*record, *remade.inputs]
    outputs: list[Compared] = []
    if recipe is not None:
        whys = Whys(
            any=f"not made: {remade.stopped}" if remade.stopped else "it was not made",
            search="the search is not run again in mode here" if asked.mode == "here" else "it was not made",
            test="the test rows stay closed for another model than the one that they were opened for",
            contest=recipe.contest,
        )
        outputs = compare_outputs(
            recipe.expected, remade.outputs, recipe.files, exact=recipe.exact, whys=whys
        )
    verdict = judge(inputs, outputs, remade.stopped)
    return Certificate(
        asked=asked,
        outcome=verdict.outcome,
        first=verdict.first,
        apart=how_far(outputs),
        stopped=remade.stopped,
        remarks=verdict.remarks,
        exact=recipe is None or recipe.exact,
        inputs=inputs,
        outputs=outputs,
        notebooks={name: sha256(content) for name, content in sorted(remade.notebooks.items())},
    )


def from_bytes(content: bytes, *, where: str) -> Certificate:
    """The certificate that a document holds; IntegrityError E405 if it is none that this version knows."""
    try:
        return Certificate.model_validate_json(content)
    except ValidationError as error:
        raise IntegrityError(
            "E405",
            f"{where} is no certificate that this version of the project can read: {first_fault(error)}; "
            "read it with the version that wrote it",
        ) from None
