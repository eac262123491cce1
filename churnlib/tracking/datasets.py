"""Which data a run used, said the way MLflow shows it: tags and dataset inputs."""

from __future__ import annotations

import json

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException

from churnlib.results import SPLITS, DataResult, SplitRecord

DIGEST_LENGTH = 36  # MLflow refuses a longer digest
_CONTEXTS = {"train": "training", "val": "validation", "test": "testing"}
_TYPES = {"number": "double", "integer": "long", "boolean": "boolean", "date": "datetime"}


def data_tags(data: DataResult) -> dict[str, object]:
    """The tags that every run carries about its data."""
    parameters = data.parameters
    return {
        "data_hash": data.data_hash,
        "data_version": data.data_version,
        "data_run_id": data.run_id,
        "feature_count": data.feature_count,
        **{f"{name}_rows": data.splits[name].rows for name in SPLITS},
        **{f"target_rate_{name}": data.splits[name].target_rate for name in SPLITS},
        **{
            name: parameters[name]
            for name in ("split_method", "split_random_state", "split_test_size", "split_val_size")
        },
    }


def dataset_inputs(data: DataResult) -> list[DatasetInput]:
    """One MLflow dataset per split; the digest is the fingerprint's beginning."""
    columns = json.loads(data.data_schema)["schema"]["columns"]
    schema = json.dumps(
        {
            "mlflow_colspec": [
                {"name": column["name"], "type": _TYPES.get(column["kind"], "string"), "required": True}
                for column in columns
            ]
        }
    )
    return [_dataset_input(data, name, data.splits[name], schema) for name in SPLITS]


def log_datasets(client: MlflowClient, run_id: str, inputs: list[DatasetInput]) -> None:
    """Log a run's datasets; again where another run recorded the same between MLflow's look and its write.

    MLflow then refuses this run's whole request, though the rows that it wanted are there by now.
    """
    try:
        client.log_inputs(run_id, inputs)
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":
            raise
        client.log_inputs(run_id, inputs)


def _dataset_input(data: DataResult, name: str, split: SplitRecord, schema: str) -> DatasetInput:
    dataset = Dataset(
        name=f"{data.study}-{name}",
        digest=split.fingerprint[:DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": data.source.location}),
        schema=schema,
        profile=json.dumps({"num_rows": split.rows, "target_rate": split.target_rate}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", _CONTEXTS[name])])
