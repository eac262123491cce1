"""From a schema and a split to what a model family is fitted on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnlib.data.labels import encode_target
from churnlib.data.schema import Schema
from churnlib.models.family import Encoded
from churnlib.models.scorer import Column, Encoder


def encoder_for(schema: Schema) -> Encoder:
    """The encoder of the schema's feature columns, in table order."""
    return Encoder(
        [
            Column(column.name, column.kind, column.nullable, tuple(column.levels or ()))
            for column in schema.columns
            if column.role == "feature"
        ]
    )


def labels_of(table: pd.DataFrame, schema: Schema) -> npt.NDArray[np.int8]:
    """1 for the positive class and 0 for the other, shape (n_rows,)."""
    return encode_target(table, schema.target, schema.positive_label)


def encode_splits(
    train: pd.DataFrame, val: pd.DataFrame, schema: Schema, scratch: Path | None = None
) -> Encoded:
    """Training and validation rows as a family takes them; `scratch` as in `Encoded`."""
    encoder = encoder_for(schema)
    train_matrix, _ = encoder.encode(train[schema.features])
    val_matrix, _ = encoder.encode(val[schema.features])
    labels = labels_of(train, schema), labels_of(val, schema)
    return Encoded(train_matrix, labels[0], val_matrix, labels[1], encoder, scratch)
