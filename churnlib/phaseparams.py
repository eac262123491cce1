"""What every phase's parameters share: types, strictness, and errors that name every fault at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from churnlib.errors import ParameterError, raise_all
from churnlib.safenames import (
    check_alias,
    check_name,
    check_path,
    check_readable,
    check_upstream,
    holds_credentials,
    looks_secret,
)

Name = Annotated[str, AfterValidator(check_name)]
Alias = Annotated[str, AfterValidator(check_alias)]
OutputDir = Annotated[str, AfterValidator(check_path)]
Upstream = Annotated[str, AfterValidator(check_upstream)]
Readable = Annotated[str, AfterValidator(check_readable)]
Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Margin = Annotated[float, Field(ge=0, le=1)]  # of AUC
Names = list[str]
STRICT = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class PhaseParams(BaseModel):
    """What every phase states: the study it belongs to and where its result goes."""

    model_config = STRICT
    phase: ClassVar[str] = ""
    notebook: ClassVar[str] = ""

    study: Name
    experiment: Name
    output_dir: OutputDir

    @field_validator("*", mode="before")
    @classmethod
    def _no_password(cls, value: object) -> object:
        if holds_credentials(str(value)):
            raise PydanticCustomError("secret", "holds a password")
        return value

    @classmethod
    def check(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """The checked parameters; `where` (a file or a notebook) stands in every error."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise_all([_explain(cls, item, where) for item in error.errors()])
            raise AssertionError("unreachable") from error  # pragma: no cover

    @classmethod
    def known_at(cls, place: Sequence[int | str]) -> tuple[Sequence[str], Mapping[str, str]]:
        """The names that may stand at a place in the parameters, and why certain others may not."""
        return list(cls.model_fields) if len(place) == 1 else [], {}

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> Self:
        """The checked parameters of a running notebook, taken from `globals()`.

        Plain values that no phase parameter names were injected by mistake and are refused; not so
        where the cell is run again, since the notebook's own variables then stand beside the parameters.
        """
        again = any(isinstance(value, PhaseParams) for value in namespace.values())
        plain = () if again else (bool, int, float, str, list, dict, type(None))
        values = {
            name: value
            for name, value in namespace.items()
            if not name.startswith("_")
            and name not in ("In", "Out")
            and (name in cls.model_fields or isinstance(value, plain))
        }
        return cls.check(values, where=f"notebooks/{cls.notebook}")


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint such as ``did you mean 'n_rows'?`` or the known names when nothing is near."""
    match = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {match[0]!r}?" if match else f"known: {', '.join(sorted(known))}"


def _explain(cls: type[PhaseParams], item: Mapping[str, Any], where: str) -> ParameterError:
    name = ".".join(str(part) for part in item["loc"]) or cls.phase
    kind, found = item["type"], item.get("input")
    if kind == "secret" or (kind == "extra_forbidden" and looks_secret(name)):
        return ParameterError(
            "E209",
            f"{name!r} in {where} looks like a secret; parameters are recorded in clear, so set "
            "it in the environment instead",
        )
    if kind == "extra_forbidden":
        known, reasons = cls.known_at(item["loc"])
        last = str(item["loc"][-1])
        return ParameterError(
            "E202", f"unknown {name!r} in {where}; {reasons.get(last) or nearest(last, known)}"
        )
    if kind == "missing":
        return ParameterError("E206", f"missing {name!r} in {where}; state every parameter")
    expected = re.sub(r"^Value error, ", "", item["msg"])
    shown = "" if not item["loc"] or looks_secret(str(found)) else f", found {_shorten(found)}"
    return ParameterError("E208", f"{name} in {where}: {expected}{shown}; correct it")


def _shorten(value: object) -> str:
    text = f"{value!r} ({type(value).__name__})"
    return text if len(text) <= 80 else f"{text[:60]}… ({type(value).__name__})"
