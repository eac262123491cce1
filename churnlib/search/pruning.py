"""When a training is hopeless, by its learning curve: the one rule, the same however fast a machine is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from churnlib.models.family import Pruned

FEWEST = 5  # finished trials of the family before anything is called hopeless
WORST = 0.25  # of the finished trials: who cannot even leave this share is hopeless
FIRST_LOOK = 100  # iterations made before the first judgement
EVERY = 50  # iterations between two judgements


class Hopeless(Pruned):
    """The training was ended after `iteration` (from 0), `loss` being the lowest so far."""

    def __init__(self, iteration: int, loss: float, bar: float) -> None:
        super().__init__(
            f"iteration {iteration + 1}: log loss {loss:.4f}, and at its pace it would stay above {bar:.4f}"
        )
        self.iteration = iteration
        self.loss = loss


def hopeless_from(losses: Sequence[float]) -> float | None:
    """The log loss above which the worst quarter of the finished trials lies; None for fewer than five."""
    return float(np.quantile(losses, 1 - WORST)) if len(losses) >= FEWEST else None


class PaceWatch:
    """A `Watch` that raises `Hopeless` where a training cannot reach `bar` even if it keeps its pace.

    Its pace is what the lowest loss so far gained per iteration over the last quarter of the iterations
    made; kept up to the last one that it may make (`iterations`), it must bring the loss to `bar`. A curve
    that slows down, as boosting's do, does worse than that, so none that would get there is ended:
    a small learning rate is no reason, as it would be if losses were compared at the same iteration.
    It watches one training.
    """

    def __init__(self, bar: float, iterations: int) -> None:
        self._bar = bar
        self._iterations = iterations
        self._lowest: list[float] = []

    def __call__(self, iteration: int, loss: float) -> None:
        """Take the validation log loss (nats per row) of the next iteration; raises `Hopeless`."""
        self._lowest.append(min(self._lowest[-1], loss) if self._lowest else loss)
        made = len(self._lowest)
        if made < FIRST_LOOK or (made - FIRST_LOOK) % EVERY:
            return
        quarter = made // 4
        pace = (self._lowest[-1 - quarter] - self._lowest[-1]) / quarter
        if self._lowest[-1] - pace * (self._iterations - made) > self._bar:
            raise Hopeless(iteration, self._lowest[-1], self._bar)
