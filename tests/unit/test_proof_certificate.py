"""The certificate: one document with one hash, told in one sentence, on a page that needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from churnlib.errors import IntegrityError
from churnlib.html.certificate import certificate_html
from churnlib.narrate_proof import compared_table, meaning, plain_verdict, recipe_table, screen, verdict
from churnlib.proof.answer import ReproduceResult, require_reproduced
from churnlib.proof.certificate import Asked, Certificate, certify, from_bytes
from churnlib.proof.items import Compared, Outputs, Remade, other, same
from churnlib.proof.recipe import Machine, Origin, Phase, Recipe
from churnlib.results import sha256
from tests.unit.planted import data_result
from tests.unit.test_proof_outputs import EXPECTED, FILES, with_rows

HOSTILE = "<script>alert(1)</script> | `x` **y**"
DATA = same("data", "train split", "1" * 64)


def asked(**changes: Any) -> Asked:
    values: dict[str, Any] = {
        "model": "predictor",
        "version": 3,
        "name": "xgb-final-best-lr0.1-d4",
        "run_id": "f" * 32,
        "mode": "here",
        "time": "2026-11-22T04:12:00+00:00",
        "who": "anna@host",
        "host": "host",
        "platform": "Linux",
        "ledger_event": 9,
        "ledger_sha256": "e" * 64,
        "repeat": "make reproduce STUDY=streamflow VERSION=3 HERE=1",
    }
    return Asked(**(values | changes))


def recipe(**changes: Any) -> Recipe:
    phases: tuple[Phase, ...] = ("data", "search", "finalize")
    origins = tuple(
        Origin(
            phase=phase,
            run_id="0" * 32,
            commit="c" * 40,
            branch="main",
            diff="",
            diff_sha256="",
            notebook=f"notebooks/{phase}.ipynb",
            notebook_sha256="d" * 64,
            library_sha256="e" * 64,
            lock_sha256="f" * 64,
            parameters={"output_dir": f"build/{phase}"},
        )
        for phase in phases
    )
    made = Recipe(
        model="predictor",
        version=3,
        study="streamflow",
        name="xgb-final-best-lr0.1-d4",
        run_id="f" * 32,
        origins=origins,
        environment=Machine("3.12.1", {"xgboost": "3.4.1"}, "Linux", "x86_64", 2),
        data=data_result(),
        family="xgboost",
        settings={"max_depth": 4},
        candidate="9" * 64,
        exact=True,
        contest="",
        expected=EXPECTED,
        files=FILES,
    )
    return replace(made, **changes)


def made(
    found: Outputs | None = EXPECTED, *inputs: Compared, stopped: str = "", **changes: Any
) -> Certificate:
    remade = Remade(list(inputs), found, stopped, {"1_data.ipynb": b"{}"})
    return certify(asked(**changes), [DATA], recipe(), remade)


PASSED = made()
FAILED = made(
    with_rows("y_proba", [0.1, 0.5, 0.3]), other("environment", "package xgboost", "3.4.1", "3.2.0")
)
STOPPED = made(None, other("code", "commit", "1", "", "1234567890 is not in this clone"), stopped="no commit")


def test_equal_certificates_have_equal_bytes_and_are_read_back() -> None:
    assert made().to_bytes() == PASSED.to_bytes()
    assert from_bytes(PASSED.to_bytes(), where="here") == PASSED
    assert PASSED.sha256 == sha256(PASSED.to_bytes()) != FAILED.sha256


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema_version": 2}'])
def test_another_document_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError, match="E405: certificate abc is no certificate"):
        from_bytes(content, where="certificate abc")


def test_a_pass_says_what_was_equal() -> None:
    assert plain_verdict(PASSED) == (
        "PASS: version 3 of predictor, xgb-final-best-lr0.1-d4, was made again in this environment on "
        "2026-11-22: model bytes equal, 3 of 3 test predictions equal, 3 of 3 validation predictions "
        "equal, 3 metrics equal."
    )
    assert "from the record alone" in plain_verdict(made(mode="fresh"))


def test_a_fail_names_the_first_difference_and_how_far_the_outputs_are_apart() -> None:
    assert plain_verdict(FAILED) == (
        "FAIL: version 3 of predictor, xgb-final-best-lr0.1-d4, could not be reproduced on 2026-11-22. First "
        "difference: environment: package xgboost: 3.4.1 recorded, 3.2.0 found; test predictions: 2 of 3 "
        "differ, by 0.2 at most and 0.067 on average; 0 decisions differ."
    )
    assert plain_verdict(STOPPED).endswith(
        "code: commit 1234567890 is not in this clone; no output was made."
    )


def test_a_damaged_record_that_still_gives_the_model_says_both() -> None:
    damaged = made(EXPECTED, other("record", "file artifacts/model.ubj of the model", "a", "b"))
    assert "what was made again is as recorded: model bytes equal" in plain_verdict(damaged)


def test_without_a_recipe_there_are_no_outputs() -> None:
    lost = certify(
        asked(), [other("record", "registered result", "a", "", "gone")], None, Remade([], None, "x")
    )
    assert (lost.outcome, lost.first, lost.outputs) == ("failed", "record: registered result, gone", [])
    assert list(recipe_table(None, "gone")["value"]) == ["none: gone"]


def test_every_mode_says_what_it_does_not_prove() -> None:
    assert "HERE=1" in meaning(PASSED) and "search would choose" in meaning(PASSED)
    assert "this is one machine" in meaning(made(mode="fresh"))
    assert "to 1e-6" in meaning(certify(asked(), [], recipe(exact=False), Remade([], EXPECTED)))


def test_tables_show_what_differs_first() -> None:
    table = compared_table([DATA, *FAILED.inputs])
    assert table["status"].iloc[0] == "differs"
    assert list(recipe_table(recipe(), "")["what"])[:2] == ["model", "data"]


def result(certificate: Certificate) -> ReproduceResult:
    return ReproduceResult(
        study="streamflow",
        experiment="e",
        run_id="a" * 32,
        parameters={},
        model_name="predictor",
        alias="champion",
        version=3,
        outcome=certificate.outcome,
        certificate=certificate,
        certificate_sha256=certificate.sha256,
        ledger_event=10,
    )


@pytest.mark.parametrize("certificate", [PASSED, FAILED, STOPPED])
def test_the_answer_fits_on_one_screen(certificate: Certificate) -> None:
    told = screen(result(certificate)).splitlines()
    assert len(told) <= 24
    assert told[0] == plain_verdict(certificate)


def test_a_fail_ends_the_command_and_a_pass_does_not() -> None:
    require_reproduced(result(PASSED))
    with pytest.raises(
        IntegrityError, match="E430: version 3 of predictor could not be reproduced: environment"
    ):
        require_reproduced(result(FAILED))


@pytest.mark.parametrize("certificate", [PASSED, FAILED, STOPPED, made(mode="fresh")])
def test_the_page_opens_with_the_verdict_and_needs_nothing_else(certificate: Certificate) -> None:
    page = certificate_html(certificate)
    text = re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", "", page, flags=re.DOTALL))
    assert plain_verdict(certificate) in text
    assert text.index(plain_verdict(certificate)) < text.index("What was asked")
    assert certificate.sha256 in text and asked().repeat in text
    assert not re.search(r'(src|href)="|url\(|@import|<script', page)


def test_no_text_of_a_record_can_act_on_page_or_report() -> None:
    hostile = made(EXPECTED, other("record", HOSTILE, HOSTILE, HOSTILE), name=HOSTILE)
    assert "<script" not in certificate_html(hostile)
    assert "<script" not in verdict(hostile) and "`x`" not in verdict(hostile)
