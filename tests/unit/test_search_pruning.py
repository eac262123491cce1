from __future__ import annotations

import numpy as np
import pytest

from churnlib.models.family import Pruned
from churnlib.search.pruning import Hopeless, PaceWatch, hopeless_from

BAR = 0.46


def ended_at(floor: float, iterations: float, *, allowed: int = 3000, noise: float = 0.0) -> int | None:
    """Where a watch ends a curve from 0.69 down to `floor`, of which `iterations` take away all but 37 %."""
    random = np.random.default_rng(1)
    watch = PaceWatch(BAR, allowed)
    for iteration in range(allowed):
        loss = floor + (0.69 - floor) * np.exp(-iteration / iterations)
        try:
            watch(iteration, loss + noise * random.standard_normal())
        except Hopeless as ended:
            assert ended.iteration == iteration
            return iteration
    return None


def test_nothing_is_hopeless_before_five_trials_are_finished() -> None:
    assert hopeless_from([0.5, 0.6, 0.7, 0.8]) is None


def test_the_bar_is_what_the_worst_quarter_missed() -> None:
    assert hopeless_from([0.4, 0.5, 0.6, 0.7, 0.8]) == pytest.approx(0.7)


@pytest.mark.parametrize("noise", [0.0, 0.0005])
def test_a_curve_that_levels_off_above_the_bar_ends_early(noise: float) -> None:
    found = ended_at(0.60, 20, noise=noise)
    assert found is not None and found < 300


@pytest.mark.parametrize("iterations", [20, 100, 300, 800])
def test_a_slow_curve_that_gets_there_is_never_ended(iterations: float) -> None:
    assert ended_at(0.45, iterations) is None


def test_a_slow_learner_survives_where_comparing_at_the_same_iteration_would_end_it() -> None:
    """After 100 iterations it has come a tenth of its way; fast learners have arrived."""
    slow = 0.44 + (0.69 - 0.44) * np.exp(-100 / 1000)
    assert slow > BAR + 0.15
    assert ended_at(0.44, 1000) is None


def test_a_slow_curve_that_cannot_get_there_in_its_iterations_ends() -> None:
    assert ended_at(0.44, 1000, allowed=500) is not None


def test_a_curve_that_gets_worse_ends_at_the_first_look() -> None:
    watch = PaceWatch(BAR, 3000)
    with pytest.raises(Pruned):
        for iteration in range(200):
            watch(iteration, 0.5 + 0.001 * iteration)
    assert len(watch._lowest) == 100


def test_what_ended_it_is_said_with_the_lowest_loss_so_far() -> None:
    watch = PaceWatch(BAR, 3000)
    watch(0, 0.5)
    with pytest.raises(
        Hopeless, match=r"iteration 100: log loss 0.5000, and at its pace .* above 0.4600"
    ) as caught:
        for iteration in range(1, 200):
            watch(iteration, 0.6)
    assert (caught.value.iteration, caught.value.loss) == (99, 0.5)
