from __future__ import annotations

import numpy as np

from churnlib.figures.registry import reload_agreement


def test_the_largest_difference_stands_below_the_title() -> None:
    recorded = np.array([0.1, 0.2, 0.3])
    figure = reload_agreement(recorded, np.array([0.1, 0.25, 0.29]))
    assert "3 subscribers; the largest absolute difference is 0.05." in figure.texts[1].get_text()


def test_equal_probabilities_are_said_to_differ_by_zero() -> None:
    recorded = np.array([0.1, 0.2])
    figure = reload_agreement(recorded, recorded.copy())
    assert "the largest absolute difference is 0." in figure.texts[1].get_text()


def test_every_subscriber_is_a_point() -> None:
    recorded, reloaded = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.25, 0.29])
    figure = reload_agreement(recorded, reloaded)
    (points,) = (line for line in figure.axes[0].get_lines() if line.get_marker() == "o")
    assert np.asarray(points.get_xdata()).tolist() == recorded.tolist()
    assert np.asarray(points.get_ydata()).tolist() == reloaded.tolist()
