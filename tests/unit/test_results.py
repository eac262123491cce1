from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import IntegrityError, ParameterError
from churnlib.results import (
    RESULTS,
    SCHEMA_VERSION,
    DataResult,
    Result,
    SearchResult,
    from_text,
    read_result,
    sha256,
    to_text,
)
from tests.unit.planted import data_result, finalize_result, lineage_result, registry_result, search_result

LINKS = lineage_result()
ALL: list[Result] = [data_result(), search_result(), finalize_result(), registry_result(), LINKS]


def edited(result: Result, **changes: Any) -> str:
    return json.dumps({**json.loads(to_text(result)), **changes})


@pytest.mark.parametrize("result", ALL, ids=lambda result: result.phase)
def test_result_survives_the_way_through_text(result: Result) -> None:
    again = from_text(to_text(result), type(result), where="result.json")
    assert again == result
    assert to_text(again) == to_text(result)
    assert json.loads(to_text(result))["schema_version"] == SCHEMA_VERSION


def test_every_phase_has_its_result() -> None:
    assert [type(result) for result in ALL] == list(RESULTS.values())
    assert list(RESULTS) == ["data", "search", "finalize", "registry", "lineage"]


@pytest.mark.parametrize("result", ALL, ids=lambda result: result.phase)
def test_half_a_file_is_refused(result: Result) -> None:
    text = to_text(result)
    for length in (0, 1, len(text) // 2, len(text) - 3):
        with pytest.raises(IntegrityError, match=f"E404: r.json is not a whole {result.phase} result"):
            from_text(text[:length], type(result), where="r.json")


def test_another_schema_version_is_refused_even_if_its_fields_are_others() -> None:
    found = SCHEMA_VERSION + 1
    said = f"E405: r.json has schema version {found}, expected {SCHEMA_VERSION}; run `make data`"
    for text in (
        edited(data_result(), schema_version=found),
        json.dumps({"schema_version": found, "unheard_of": 1}),
    ):
        with pytest.raises(IntegrityError, match=said):
            from_text(text, DataResult, where="r.json")


def test_missing_and_unknown_fields_are_named() -> None:
    fields = json.loads(to_text(data_result()))
    del fields["splits"]
    with pytest.raises(IntegrityError, match=r"E404: .*: splits: Field required; run `make data` again"):
        from_text(json.dumps(fields), DataResult, where="r.json")
    with pytest.raises(IntegrityError, match=r"E404: .*: colour: Extra inputs are not permitted"):
        from_text(edited(data_result(), colour="red"), DataResult, where="r.json")
    del fields["schema_version"]
    with pytest.raises(IntegrityError, match=r"E404: .*: schema_version: Field required"):
        from_text(json.dumps(fields), DataResult, where="r.json")


def test_result_of_another_phase_is_refused() -> None:
    with pytest.raises(IntegrityError, match="not a whole data result"):
        from_text(to_text(search_result()), DataResult, where="r.json")


def test_missing_file_says_which_phase_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"E210: .*result\.json is missing; .* run `make search`"):
        read_result(tmp_path / "result.json", SearchResult)


def test_file_is_read_back_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(to_text(data_result(data_version="größe")), encoding="utf-8")
    assert read_result(path, DataResult).data_version == "größe"
    path.write_bytes(b"\xff\xfe" + path.read_bytes())
    with pytest.raises(IntegrityError, match=r"E404"):
        read_result(path, DataResult)


def test_nan_does_not_pass_as_a_metric() -> None:
    text = to_text(finalize_result(threshold=float("nan")))
    with pytest.raises(IntegrityError, match=r"E404: .*: threshold:"):
        from_text(text, type(finalize_result()), where="r.json")


def test_data_hash_is_the_first_sixteen_digits() -> None:
    assert data_result().data_hash == "0123456789abcdef"


def test_a_result_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        data_result().run_id = "x"


def test_sha256_is_the_standards() -> None:
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
