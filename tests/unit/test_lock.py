from __future__ import annotations

from pathlib import Path

import pytest

from churnlib.errors import InfrastructureError
from churnlib.lock import pins
from tests.unit.planted import ROOT


def test_pins_are_read_past_comments_hashes_markers_and_continued_lines(tmp_path: Path) -> None:
    text = (
        "# compiled; do not edit: numpy==0\n"
        "numpy==2.5.5 \\\n    --hash=sha256:abc==1\n"
        "    # via pandas==9\n"
        "pywin32==311 ; sys_platform == 'win32'\n"
        "xgboost==3.4.1\n"
    )
    (tmp_path / "requirements.lock").write_text(text, encoding="utf-8")
    assert pins(tmp_path) == {"numpy": "2.5.5", "pywin32": "311", "xgboost": "3.4.1"}


def test_the_projects_own_lock_pins_what_a_saved_model_needs() -> None:
    assert {"numpy", "pandas", "xgboost", "mlflow"} <= set(pins(ROOT))


def test_missing_lock_says_how_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(
        InfrastructureError, match=r"E506: .*requirements\.lock is missing;.* restore it from git"
    ):
        pins(tmp_path)
