"""Whether a churn probability of 0.3 means that three in ten leave: the expected calibration error."""

from __future__ import annotations

import numpy as np

from churnlib.models.metrics import Labels, Probabilities, require_measurable


def calibration_error(labels: Labels, probabilities: Probabilities, *, bins: int = 10) -> float:
    """The mean gap between predicted and observed churn rate over bins of equally many rows; 0 is perfect.

    Rows of equal probability share a bin, in whatever order they come, so bins of a score with many
    ties are uneven, and may be fewer. Each bin counts by its rows. Chance alone gives a perfectly
    calibrated model more than 0: with 7,500 rows and ten bins about 0.011. Raises DataError E322.
    """
    from scipy import stats  # only where it is needed: it takes a while

    require_measurable(labels, probabilities)
    places = (stats.rankdata(probabilities) - 0.5) * bins / len(probabilities)
    bin_of = np.minimum(places.astype(np.int64), bins - 1)
    gaps = np.bincount(bin_of, weights=probabilities - labels)
    return float(np.abs(gaps).sum() / len(labels))
