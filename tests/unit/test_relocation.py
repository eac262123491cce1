"""Places of a moved record: those in an experiment's folder move with it, names stay, others are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import ParameterError
from churnlib.tracking.relocation import Folder, local_folder, relocated

HERE = "/project/mlartifacts/study"
FOLDER = Folder(1, HERE, 7)


def moved(table: str, **row: Any) -> dict[str, Any]:
    return relocated({table: [row]}, [FOLDER])[table][0]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (HERE, "mlflow-artifacts:/7"),
        (f"{HERE}/0a/artifacts", "mlflow-artifacts:/7/0a/artifacts"),
        (f"{HERE}/models/m-1/artifacts", "mlflow-artifacts:/7/models/m-1/artifacts"),
    ],
)
def test_a_place_in_the_folder_moves_with_it(place: str, expected: str) -> None:
    assert moved("runs", artifact_uri=place, experiment_id=1) == {
        "artifact_uri": expected,
        "experiment_id": 7,
    }


@pytest.mark.parametrize("source", ["models:/m-1", "churn-event:/sha256/ab", "runs:/0a/model", None, ""])
def test_what_names_no_place_stays(source: str | None) -> None:
    assert moved("model_versions", source=source, storage_location=source) == {
        "source": source,
        "storage_location": source,
    }


@pytest.mark.parametrize("place", [f"{HERE}-2/0a", "/elsewhere/0a", "s3://bucket/0a", f"{HERE}/../0a/.."])
def test_a_place_elsewhere_is_refused(place: str) -> None:
    with pytest.raises(ParameterError) as refused:
        moved("logged_models", artifact_location=place)
    assert refused.value.code == "E238"


def test_text_that_is_no_place_is_not_touched_though_it_names_one() -> None:
    assert moved("tags", key="note", value=f"{HERE}/x")["value"] == f"{HERE}/x"


def test_an_experiments_folder_lies_on_this_machine() -> None:
    assert local_folder(HERE) == Path(HERE)
    assert local_folder("file:///a%20b/c") == Path("/a b/c")
    with pytest.raises(ParameterError):
        local_folder("s3://bucket/study")
