"""A model is registered only if every file of it is as recorded."""

from __future__ import annotations

import pytest

from churnlib.errors import IntegrityError
from churnlib.results import sha256
from churnlib.tracking import deployment
from tests.unit.planted import finalize_result

FILES = {"MLmodel": b"flavors", "artifacts/model.ubj": b"trees"}


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ({**FILES, "artifacts/model.ubj": b"treez"}, "artifacts/model.ubj: recorded"),
        ({"MLmodel": b"flavors"}, "artifacts/model.ubj is missing"),
        ({**FILES, "code/evil.py": b"pass"}, "code/evil.py was added"),
    ],
)
def test_a_changed_missing_or_added_file_is_refused_by_name(
    found: dict[str, bytes], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = {name: sha256(content) for name, content in FILES.items()}
    finalize = finalize_result().model_copy(update={"model_files": hashes})
    monkeypatch.setattr(deployment, "model_files", lambda _: FILES)
    deployment.require_model_files(finalize)
    monkeypatch.setattr(deployment, "model_files", lambda _: found)
    with pytest.raises(IntegrityError, match=f"CHURN-E413: model .*{named}"):
        deployment.require_model_files(finalize)
