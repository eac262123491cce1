"""A dump is read from PostgreSQL's COPY as it was meant; what came too late is told from what was lost."""

from __future__ import annotations

from pathlib import Path

from churnlib.server import dump

LEDGER, OTHER = "a" * 64, "b" * 64
COPY = {
    "model_versions": (
        "SET x;\n\nCOPY public.model_versions (name, version, source, workspace) FROM stdin;\n"
        f"m-ledger\t1\tchurn-event:/sha256/{LEDGER}\tdefault\n"
        "m\t1\tmodels:/m-1\tdefault\n"
        "\\.\n\n\nCOPY more\n"
    ),
    "logged_models": (
        "COPY public.logged_models (model_id, artifact_location, status, lifecycle_stage) FROM stdin;\n"
        "m-1\tmlflow-artifacts:/1/models/m-1/artifacts\t2\tactive\n"
        "m-2\tmlflow-artifacts:/1/models/m-2/artifacts\t1\tactive\n"
        "m-3\tmlflow-artifacts:/1/models/m-3/artifacts\t2\tdeleted\n"
        "\\.\n"
    ),
    "model_version_tags": "COPY public.model_version_tags (key, value, name) FROM stdin;\n\\.\n",
    "alembic_version": "COPY public.alembic_version (version_num) FROM stdin;\ndc11\n\\.\n",
}


def rows(_dump: Path, table: str) -> str:
    return COPY[table]


def mirrored(number: int, digest: str, model: str = "m") -> str:
    return f"7/ledger/{model}/{number:06d}-{digest}.json"


def test_escapes_and_nulls_of_a_copy_are_read() -> None:
    text = 'COPY public.t (a, "b") FROM stdin;\nx\\ty\\nz\\\\\t\\N\n\t2\n\\.\n'
    assert dump.rows_of(text) == [{"a": "x\ty\nz\\", "b": ""}, {"a": "", "b": "2"}]
    assert dump.rows_of("") == []


def test_the_revision_of_a_schema() -> None:
    assert dump.revision(rows, Path(), "alembic_version") == "dc11"


def test_only_copies_of_events_that_came_with_the_dump_are_too_late() -> None:
    known, lost, late = mirrored(1, LEDGER), mirrored(2, OTHER), mirrored(3, OTHER)
    other = {mirrored(1, OTHER), mirrored(1, LEDGER, "n")}
    now = {known, lost, late, "7/objects/x.json", "7/abc/artifacts/ledger.json", *other}
    assert dump.too_late(rows, Path(), {lost}, now) == {late, *other}


def test_a_model_that_is_ready_and_has_no_files_is_missing() -> None:
    assert dump.missing(rows, Path(), set()) == ["model m-1"]
    assert dump.missing(rows, Path(), {"1/models/m-1/artifacts/MLmodel"}) == []
