"""The data on record: splits stored under their fingerprints, schema and summary on the run."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from churnlib.data.fingerprint import fingerprint
from churnlib.data.prepare import Prepared
from churnlib.figures.style import HouseFigure
from churnlib.params import DataParams
from churnlib.results import SPLITS, DataResult
from churnlib.store import Opened, project_root, put_split
from churnlib.tracking import objects
from churnlib.tracking.phase import Recorder


def record_data(
    recorder: Recorder,
    params: DataParams,
    opened: Opened,
    prepared: Prepared,
    ceilings: Mapping[str, float | None],
    figures: Mapping[str, HouseFigure],
) -> DataResult:
    """The result of the phase, when the splits are stored and all of it is on record."""
    root = project_root()
    splits = {
        name: put_split(root, prepared.table, prepared.labels_of(name), prepared.rows(name))
        for name in SPLITS
    }
    whole = fingerprint(opened.table)
    content = {
        "fingerprint": whole,
        "splits": {name: split.fingerprint for name, split in splits.items()},
        "schema": json.loads(prepared.schema.to_json()),
    }
    result = DataResult(
        **recorder.origin(params),
        source=opened.source,
        data_version=params.data_version,
        fingerprint=whole,
        splits=splits,
        data_schema=json.dumps(content, indent=1, ensure_ascii=False),
        feature_count=len(prepared.schema.features),
        ceiling_val_auc=ceilings["val"],
        ceiling_test_auc=ceilings["test"],
    )
    objects.share(recorder.client, recorder.experiment, root, result)
    recorder.data(result)
    recorder.figures(figures)
    recorder.text(findings_table(prepared).to_csv(index=False), "findings.csv")
    rates = {f"target_rate_{name}": split.target_rate for name, split in splits.items()}
    known = {f"ceiling_{name}_auc": value for name, value in ceilings.items() if value is not None}
    recorder.batch(metrics={"target_rate": float(prepared.labels.mean()), **rates, **known})
    return result


def findings_table(prepared: Prepared) -> pd.DataFrame:
    """Columns severity, column, kind, message: warnings first."""
    rows = [(item.severity, item.column, item.kind, item.message) for item in prepared.findings]
    table = pd.DataFrame(rows, columns=["severity", "column", "kind", "message"])
    return table.sort_values("severity", ascending=False, kind="stable", ignore_index=True)
