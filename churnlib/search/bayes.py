"""Which configurations to try next: a seeded Bayesian search in generations, the same however many train.

A generation's trials are all drawn before any is trained, and the sampler hears of their outcomes in the
order in which they were drawn. So the trials follow from seed, spaces, defaults and batch alone, not from
the number of workers nor from who finishes first. The sampler's state is never stored: the same draws,
told the same outcomes, ask the same again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from churnlib.models.family import Watch
from churnlib.search.pruning import PaceWatch, hopeless_from
from churnlib.search.space import Choice, Range, Space, is_whole, suggest

if TYPE_CHECKING:
    from optuna import Study, Trial

RANDOM_FIRST = 5  # scored trials before the sampler models anything; Optuna's 10 would use up a small budget


@dataclass(frozen=True)
class Drawn:
    """One trial: `number` counts within its family, from 1.

    `same_as` is the number of an earlier trial with the same settings: it is not to be trained, its
    outcome is that trial's.
    """

    family: str
    number: int
    settings: dict[str, Any]
    same_as: int | None = None


@dataclass(frozen=True)
class Scored:
    """A finished trial: its score (more is better), and its validation log loss if it learned by steps."""

    score: float
    loss: float | None = None


@dataclass(frozen=True)
class Ended:
    """A trial whose watch ended it: at which iteration (from 0), with which lowest log loss."""

    iteration: int
    loss: float


Outcome = Scored | Ended | Literal["failed"]


class Draws:
    """The trials of a search over several families, a generation at a time.

    Every family has a sampler of its own, seeded by `seed` and its name: leaving a family out changes no
    other's trials, and a larger budget begins with the trials of a smaller one. `trials` are shared evenly;
    the first families get what is left over. A family's first trial is its default.
    """

    def __init__(
        self,
        spaces: Mapping[str, Space],
        defaults: Mapping[str, Mapping[str, Any]],
        *,
        trials: int,
        batch: int,
        seed: int,
        iterations: int,
    ) -> None:
        """A search of `batch` trials per family and generation; no training makes more than `iterations`."""
        each, over = divmod(trials, len(spaces))
        self._batch = batch
        self._iterations = iterations
        self._searches = {
            name: _Search(name, space, defaults[name], each + (place < over), seed)
            for place, (name, space) in enumerate(spaces.items())
        }

    def generation(self) -> list[Drawn]:
        """The next trials, family by family; none once the budget is used up.

        Raises ValueError while the outcome of a trial of the generation before is not told.
        """
        for search in self._searches.values():
            search.settle()
        return [drawn for search in self._searches.values() for drawn in search.ask(self._batch)]

    def tell(self, drawn: Drawn, outcome: Outcome) -> None:
        """Take the outcome of a trained trial; in any order, before the next generation is drawn."""
        self._searches[drawn.family].outcomes[drawn.number] = outcome

    def watch_for(self, drawn: Drawn) -> Watch | None:
        """What ends this trial's training if it is hopeless; None while there is nothing to compare with.

        It compares with the family's own trials of finished generations, so that no timing enters. Log
        losses must be comparable: do not watch in a space that weights the classes.
        """
        bar = self._searches[drawn.family].bar
        return None if bar is None else PaceWatch(bar, self._iterations)


@dataclass
class _Search:
    """One family's study, and what has been asked of it."""

    name: str
    space: Space
    default: Mapping[str, Any]
    budget: int
    seed: int
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    bar: float | None = None
    asked: list[Drawn] = field(default_factory=list)
    open: list[tuple[Drawn, Trial]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)  # settings as JSON -> the first trial with them

    def __post_init__(self) -> None:
        self.study = _study(int.from_bytes(hashlib.sha256(f"{self.seed}:{self.name}".encode()).digest()[:4]))
        self.study.enqueue_trial(_within(self.default, self.space))

    def ask(self, count: int) -> list[Drawn]:
        for _ in range(min(count, self.budget - len(self.asked))):
            trial = self.study.ask()
            drawn = self._drawn(len(self.asked) + 1, {**self.default, **suggest(trial, self.space)})
            self.asked.append(drawn)
            self.open.append((drawn, trial))
        return [drawn for drawn, _ in self.open]

    def settle(self) -> None:
        """Tell the study of every open trial's outcome, in their order."""
        missing = [drawn.number for drawn, _ in self.open if self._source(drawn) not in self.outcomes]
        if missing:
            raise ValueError(f"{self.name}: trials {missing} have no outcome yet")
        for drawn, trial in self.open:
            _tell(self.study, trial, self.outcomes[self._source(drawn)])
        self.open.clear()
        ends = [self.outcomes[drawn.number] for drawn in self.asked if drawn.same_as is None]
        losses = [end.loss for end in ends if isinstance(end, Scored) and end.loss is not None]
        self.bar = hopeless_from(losses)

    def _drawn(self, number: int, settings: dict[str, Any]) -> Drawn:
        first = self.seen.setdefault(json.dumps(settings, sort_keys=True), number)
        return Drawn(self.name, number, settings, None if first == number else first)

    @staticmethod
    def _source(drawn: Drawn) -> int:
        return drawn.same_as or drawn.number


def _study(seed: int) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would report every study that it makes
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM_FIRST)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _tell(study: Study, trial: Trial, outcome: Outcome) -> None:
    from optuna.trial import TrialState

    if isinstance(outcome, Scored):
        study.tell(trial, outcome.score)
    elif isinstance(outcome, Ended):
        trial.report(-outcome.loss, outcome.iteration)
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, state=TrialState.FAIL)


def _within(default: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """The default, its numbers moved into the space; the sampler draws what is left out."""
    named = ((name, dimension, default[name]) for name, dimension in space.items() if name in default)
    return {name: _nearest(value, dimension) for name, dimension, value in named if _fits(value, dimension)}


def _fits(value: Any, dimension: Range | Choice) -> bool:
    if "choices" in dimension:
        return any(value == choice and type(value) is type(choice) for choice in dimension["choices"])
    return isinstance(value, int | float) and not isinstance(value, bool)


def _nearest(value: Any, dimension: Range | Choice) -> Any:
    if "choices" in dimension:
        return value
    inside = min(max(value, dimension["low"]), dimension["high"])
    return round(inside) if is_whole(dimension) else float(inside)
