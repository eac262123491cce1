"""The file of a linear model: JSON that a person can read, with what each column adds to the log-odds."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field, TypeAdapter, ValidationError, with_config

from churnlib.models.scorer import Values
from churnlib.models.terms import Part, digits
from churnlib.phaseparams import STRICT

FORMAT = "churn-linear/1"
FORMULA = (
    "log-odds = intercept + the effect of every column. Effect of a number: coefficient * (value - mean) "
    "/ scale, an empty one being the median, + missing.coefficient * ((1 if empty, else 0) - missing.share). "
    "Effect of a category: coefficient of its level, less the sum of share * coefficient over all levels "
    "and missing."
)
LARGEST = 64 * 2**20  # bytes; 10,000 levels take one
BIG = 1e60  # more than float32 columns ever need, and far from overflow
SMALLEST = 1e-12  # of a coefficient; below lies what rounding left of a zero
NAMED = 5  # faults

Finite = Annotated[float, Field(ge=-BIG, le=BIG)]
Importance = Annotated[float, Field(ge=0, le=BIG)]


@with_config(STRICT)
class Term(TypedDict):
    """A level, or a missing value: its share of the training rows, and its coefficient."""

    share: Annotated[float, Field(ge=0, le=1)]
    coefficient: Finite


@with_config(STRICT)
class Number(TypedDict):
    """A column of numbers or booleans."""

    name: str
    kind: Literal["number", "integer", "boolean"]
    median: Finite
    mean: Finite
    scale: Annotated[float, Field(ge=1 / BIG, le=BIG)]
    coefficient: Finite
    missing: Term
    importance: Importance


@with_config(STRICT)
class Category(TypedDict):
    """A column of categories, its levels by name."""

    name: str
    kind: Literal["category"]
    levels: dict[str, Term]
    missing: Term
    importance: Importance


@with_config(STRICT)
class LinearModel(TypedDict):
    """The whole file; `intercept` is the log-odds of a row that is average in every column."""

    format: str
    formula: str
    intercept: Finite
    columns: list[Annotated[Number | Category, Field(discriminator="kind")]]


def linear_model(parts: tuple[Part, ...], coefficients: Values, intercept: float) -> dict[str, Any]:
    """A fitted model as its file says it, from one coefficient per term and the intercept of the terms."""
    columns, begin = [], 0
    for part in parts:
        own = coefficients[begin : begin + part.width]
        begin += len(own)
        intercept += part.centre(own)
        # Levels and intercept can trade any constant; the penalty makes the levels' sum 0, up to rounding.
        columns.append(_entry(part, own if part.quantity else own - own.mean()))
    return {"format": FORMAT, "formula": FORMULA, "intercept": digits(intercept), "columns": columns}


def size(model: dict[str, Any]) -> int:
    """How many coefficients are not zero, the intercept among them."""
    terms = [
        term
        for entry in model["columns"]
        for term in (entry, entry["missing"], *entry.get("levels", {}).values())
    ]
    return 1 + sum(bool(term.get("coefficient")) for term in terms)


def to_bytes(model: Any) -> bytes:
    """The file's bytes; the same model gives the same ones."""
    return (json.dumps(model, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8")


def faults(content: bytes) -> list[str]:
    """What is wrong with bytes that claim to be such a file, else nothing; the first few are named."""
    if len(content) > LARGEST:
        return [f"{len(content)} bytes, expected at most {LARGEST}"]
    try:
        model = TypeAdapter(LinearModel).validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [f"{'.'.join(map(str, item['loc']))[:80]!r}: {item['msg'][:200]}" for item in found[:NAMED]]
    if (model["format"], model["formula"]) != (FORMAT, FORMULA):
        return [f"its format or its formula is not that of {FORMAT}"]
    if to_bytes(model) != content:
        return ["not as this project writes it: doubled keys, another order, other spaces or digits"]
    return []


def _entry(part: Part, coefficients: Values) -> dict[str, Any]:
    added = part.of_marks(coefficients)
    terms = {
        mark.level: {"share": digits(mark.share), "coefficient": _coefficient(added[mark.level])}
        for mark in part.marks
    }
    missing = terms.pop(None, {"share": 0.0, "coefficient": 0.0})
    own = (
        {**part.quantity, "coefficient": _coefficient(coefficients[0])}
        if part.quantity
        else {"levels": terms}
    )
    said = {"name": part.column.name, "kind": part.column.kind, **own, "missing": missing}
    return {**said, "importance": digits(float(abs(part.effects(coefficients)).mean()))}


def _coefficient(value: float) -> float:
    return digits(value) if abs(value) >= SMALLEST else 0.0
