from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from churnlib import errors
from churnlib.errors import (
    GATE_CODES,
    ChurnError,
    DataError,
    Findings,
    GateRefused,
    ParameterError,
    exit_status_of,
    raise_all,
)
from tests.unit.planted import ROOT

KINDS = (cls for cls in ChurnError.__subclasses__() if cls.__module__ == errors.__name__)
STATUS = {cls.__name__: cls.exit_status for cls in KINDS if cls is not Findings}


def raised_in_the_library() -> Iterator[tuple[str, str]]:
    """Class and code of every error that churnlib makes, as its source says."""
    for path in (ROOT / "churnlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if (
                    name in STATUS
                ):
                    yield name, code


def test_message_reads_as_one_line_with_its_code() -> None:
    error = DataError("E301", "label 'churned' has 1 empty value (row 5); drop it")
    assert str(error) == "CHURN-E301: label 'churned' has 1 empty value (row 5); drop it"
    assert (error.code, error.exit_status) == ("E301", 3)


def test_exit_statuses_are_the_contract() -> None:
    assert STATUS == {
        "ParameterError": 2,
        "DataError": 3,
        "IntegrityError": 4,
        "InfrastructureError": 5,
        "GateRefused": 6,
        "Conflict": 7,
    }


def test_every_code_has_the_digit_of_its_exit_status() -> None:
    made = set(raised_in_the_library())
    assert len(made) > 30
    assert {item for item in made if not re.fullmatch(r"E[2-7]\d\d", item[1])} == set()
    odd = {code for name, code in made if int(code[1]) != STATUS[name]}
    assert odd == GATE_CODES


def test_no_error_one_error_and_several_errors_are_raised_as_such() -> None:
    raise_all([])
    one, other = ParameterError("E202", "unknown"), DataError("E301", "empty")
    with pytest.raises(ParameterError) as alone:
        raise_all([one])
    assert alone.value is one
    with pytest.raises(Findings) as both:
        raise_all([one, other])
    assert both.value.errors == (one, other)
    assert (both.value.code, both.value.exit_status) == ("E202", 2)
    assert str(both.value) == "CHURN-E202: unknown\nCHURN-E301: empty"


def test_findings_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Findings([])


@pytest.mark.parametrize("name", STATUS)
def test_exit_status_is_the_same_seen_from_outside_the_kernel(name: str) -> None:
    error: ChurnError = getattr(errors, name)(f"E{STATUS[name]}01", "x")
    assert exit_status_of(name, str(error)) == error.exit_status
    several = Findings([error, DataError("E301", "x")])
    assert exit_status_of("Findings", str(several)) == several.exit_status


def test_two_leaks_are_a_refusal_of_the_gate_seen_from_outside_too() -> None:
    leaks = Findings(
        [GateRefused("E313", "a alone has AUC 1.00"), GateRefused("E313", "b alone has AUC 1.00")]
    )
    assert leaks.exit_status == exit_status_of("Findings", str(leaks)) == 6


def test_unknown_class_or_text_gives_one() -> None:
    assert exit_status_of("ValueError", "CHURN-E301: x") == 1
    for text in ("", "CHURN-E", "no code"):
        assert exit_status_of("Findings", text) == 1
