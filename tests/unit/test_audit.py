from __future__ import annotations

import json

import pytest

from churnlib.commands_audit import audit_record, audit_text, sentence
from churnlib.errors import IntegrityError
from churnlib.tracking.audit import Audit, Item

OK = Item(status="ok", item="ledger", detail="7 events, every hash recomputed")
LAGS = Item(status="lags", item="aliases", detail="not yet")
FOUND = Item(status="found", item="version 2, model", detail="MLmodel is \x1b[31mmissing")
AGAIN = Item(status="found", item="version 2, model", detail="model.ubj is missing")


def audit(*items: Item, archived: tuple[int, ...] = ()) -> Audit:
    return Audit("predictor", list(items), list(archived))


def test_every_item_has_a_line_that_no_terminal_obeys() -> None:
    lines = audit_text(audit(OK, LAGS, FOUND)).splitlines()
    assert lines[:3] == [
        "ok     ledger            7 events, every hash recomputed",
        "lags   aliases           not yet",
        r"FOUND  version 2, model  MLmodel is \x1b[31mmissing",
    ]
    assert lines[3] == sentence(audit(OK, LAGS, FOUND))


@pytest.mark.parametrize(
    ("audited", "said"),
    [
        (audit(OK), "looked at 1 thing; nothing was found."),
        (
            audit(OK, LAGS),
            "looked at 2 things; nothing was found; 1 lagging, which the next command puts right.",
        ),
        (audit(OK, FOUND, AGAIN), "looked at 2 things; 2 found."),
        (audit(OK, archived=(1,)), "looked at 1 thing; nothing was found; 1 archived version was left out."),
        (
            audit(FOUND, archived=(1, 4)),
            "looked at 1 thing; 1 found; 2 archived versions were left out.",
        ),
    ],
)
def test_the_sentence_counts_what_was_looked_at_found_and_left_out(audited: Audit, said: str) -> None:
    assert sentence(audited) == f"predictor: {said}"


def test_another_program_gets_every_item_and_the_count() -> None:
    record = json.loads(json.dumps(audit_record(audit(OK, LAGS, FOUND, archived=(4,)))))
    assert (record["model"], record["findings"], record["archived_left_out"]) == ("predictor", 1, [4])
    assert record["items"][1] == {"status": "lags", "item": "aliases", "detail": "not yet"}


def test_only_findings_are_an_error_and_they_are_counted() -> None:
    audit(OK, LAGS).require_clean()
    with pytest.raises(IntegrityError, match="E426: audit of predictor: 2 findings; ") as refused:
        audit(OK, FOUND, AGAIN).require_clean()
    assert refused.value.exit_status == 4
    with pytest.raises(IntegrityError, match="E426: audit of predictor: 1 finding; "):
        audit(LAGS, FOUND).require_clean()
