from __future__ import annotations

import numpy as np

from churnlib.models.features import encoder_for, labels_of
from tests.unit.planted import planted_encoded, planted_schema, planted_table


def test_features_and_labels_follow_the_schema() -> None:
    encoder = encoder_for(planted_schema())
    assert [column.name for column in encoder.columns] == planted_schema().features
    assert encoder.feature_types == ["q", "q", "q", "c", "q"]
    assert encoder.columns[3].levels == ("basic", "family", "solo")
    table = planted_table()
    assert labels_of(table, planted_schema()).tolist() == table["churned"].tolist()
    assert planted_encoded().train.shape == (400, 5)
    assert np.isnan(planted_encoded().train[0, 2])  # an empty flag
