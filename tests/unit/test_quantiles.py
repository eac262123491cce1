"""However rows reach XGBoost, whole, in batches or from files, the model has the same bytes."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from churnlib.families import xgboost as family
from churnlib.models import quantiles
from churnlib.models.family import Encoded, Fitted
from churnlib.search.folds import Fold, fold_data
from tests.unit.boosted_worlds import WORLDS, data, fitted, settings


def in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds are large ones, of many batches."""
    monkeypatch.setattr(quantiles, "LARGE", 10)
    monkeypatch.setattr(quantiles, "BATCH", 400)


def fit(rows: Encoded) -> Fitted:
    return family.fit(family.prepare(rows), settings(family), threads=1)


@pytest.mark.parametrize("name", WORLDS)
def test_batches_give_the_same_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted(family, name)
    in_batches(monkeypatch)
    made = fit(data(name))
    assert made.content == whole.content
    assert made.parameters == whole.parameters


@pytest.mark.parametrize("name", WORLDS)
def test_files_give_the_same_bytes_and_are_gone_afterwards(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(family, name)
    in_batches(monkeypatch)
    monkeypatch.setattr(quantiles, "EXTERNAL", 100)
    prepared = family.prepare(replace(data(name), scratch=tmp_path / "memory"))
    assert prepared.rows.is_external
    assert [path.name for path in (tmp_path / "memory").glob("*/*.page")]
    made = family.fit(prepared, settings(family), threads=1)
    assert made.content == whole.content
    assert made.parameters == whole.parameters
    del prepared
    gc.collect()
    assert list((tmp_path / "memory").iterdir()) == []


def test_fits_that_share_files_take_turns_and_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(family)
    in_batches(monkeypatch)
    monkeypatch.setattr(quantiles, "EXTERNAL", 100)
    prepared = family.prepare(replace(data(), scratch=tmp_path))
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: family.fit(prepared, settings(family), threads=1).content, range(8)))
    assert set(made) == {whole.content}


def test_without_a_folder_all_is_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "EXTERNAL", 100)
    assert not family.prepare(data()).rows.is_external


def test_a_fold_knows_the_folder(tmp_path: Path) -> None:
    rows = replace(data(), scratch=tmp_path)
    half = len(rows.train) // 2
    fold = Fold(np.arange(half), np.arange(half, len(rows.train)))
    assert fold_data(rows, fold).scratch == tmp_path
