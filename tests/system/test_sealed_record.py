"""What the final run records of a verdict, and the champion that was scored on the same rows."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churnlib import store
from churnlib.errors import IntegrityError
from churnlib.gate.segments import segment_labels
from churnlib.models import baseline
from churnlib.models.candidate import Candidate
from churnlib.models.features import labels_of
from churnlib.models.metrics import evaluate
from churnlib.models.sealed_rows import SealedRows
from churnlib.results import sha256
from churnlib.tracking import sealed
from tests.conftest import Project
from tests.system.sealed_world import ALL_ROWS, SEGMENTS, Case, World, crown, finalized, plain, world_in
from tests.unit.planted import planted_encoded, planted_schema


@pytest.fixture
def world(tmp_path: Path, new_project: Callable[[Path], Project]) -> Iterator[World]:
    made = world_in(tmp_path / "project", new_project)
    with contextlib.chdir(made.root):
        yield made


def table(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), keep_default_na=False)


def test_champion_is_scored_on_the_same_rows_and_everything_is_on_record(world: World) -> None:
    first = world.judge(Case())
    champion, files = finalized(world, Case(), first)
    assert (champion.incumbent, "incumbent_predictions.csv" in files) == (None, False)
    crown(world, champion)
    case = Case(depth=2, search_name="b-search")
    verdict = world.judge(case)
    result, files = finalized(world, case, verdict)

    assert verdict.rows.champion is not None
    assert verdict.rows.champion.tobytes() == first.judged.probabilities.tobytes()
    assert {name: sha256(content) for name, content in files.items()} == result.comparison_files
    assert files["test_predictions.csv"].splitlines()[0] == b"y_true,y_pred,y_proba"
    assert result.test_predictions_sha256 == result.comparison_files["test_predictions.csv"]
    incumbents = table(files["incumbent_predictions.csv"])["y_proba"]
    assert incumbents.tolist() == first.judged.probabilities.tolist()
    of_baseline = table(files["baseline_predictions.csv"])
    assert of_baseline.groupby("split").size().to_dict() == {"test": 300, "val": 200}
    assert of_baseline.query("split == 'test'")["y_proba"].tolist() == verdict.rows.baseline.tolist()
    assert table(files["test_segments.csv"])["plan"].tolist() == ALL_ROWS["plan"].tolist()
    of_val = table(files["val_predictions.csv"])
    assert of_val["y_true"].tolist() == planted_encoded().val_labels.tolist()
    assert of_val["y_proba"].tolist() == case.candidate.val_probabilities.tolist()

    assert (result.incumbent, result.openings) == (1, [Case().name, case.name])
    assert (result.candidate, champion.openings) == (verdict.key, [Case().name])
    run = world.client.get_run(result.run_id).data
    assert run.tags["candidate"] == verdict.key
    assert (run.tags["test_openings"], run.tags["incumbent_version"]) == ("2", "1")
    assert {name: run.metrics[name] for name in result.baseline_metrics} == result.baseline_metrics
    assert result.baseline_metrics["baseline_test_auc"] == pytest.approx(
        evaluate(verdict.judged.labels, verdict.rows.baseline, 0.5)["auc"]
    )


def test_champion_with_other_columns_is_absent_and_the_reason_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crown(world, finalized(world, Case(), world.judge(Case()))[0])
    read = store.open_test

    def without_noise(*given: Any) -> pd.DataFrame:
        found = read(*given)
        return found.rename(columns={"noise": "loudness"})

    case = Case(depth=2, search_name="b-search")
    monkeypatch.setattr(store, "open_test", without_noise)
    monkeypatch.setattr(sealed._Case, "rows", lambda self, _: rows_of(self.candidate))
    verdict = world.judge(case)
    assert verdict.rows.champion is None and verdict.incumbent is None
    assert "version 1 cannot score these rows: missing columns: 'noise'" in verdict.incumbent_missing
    assert finalized(world, case, verdict)[0].incumbent is None


def rows_of(candidate: Candidate) -> SealedRows:
    features = ALL_ROWS[planted_schema().features]
    return SealedRows(
        labels_of(ALL_ROWS, planted_schema()),
        candidate.scorer.predict(features)["churn_probability"].to_numpy(),
        baseline.score(plain(), candidate.scorer.encoder, features),
        None,
        segment_labels(ALL_ROWS, SEGMENTS),
    )


def test_D1_broken_champion_stops_the_opening_before_it_is_written(world: World) -> None:
    champion = finalized(world, Case(), world.judge(Case()))[0]
    crown(world, champion)
    events = world.events
    (path,) = (world.root / "mlartifacts").rglob(f"{champion.model_id}/artifacts/artifacts/model.ubj")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"E413: .*model\.ubj"):
        world.judge(Case(depth=2, search_name="b-search"))
    assert world.events == events


def test_verdict_without_segments_leaves_their_file_out(world: World) -> None:
    case = Case()
    verdict = world.judge(case)
    bare = replace(verdict, rows=replace(verdict.rows, segments=verdict.rows.segments[[]]))
    assert "test_segments.csv" not in finalized(world, case, bare)[0].comparison_files
