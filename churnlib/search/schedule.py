"""Who trains next: every configuration of a grid at once, or trials drawn generation by generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from churnlib.families import family
from churnlib.params import SearchParams
from churnlib.search.bayes import Drawn, Draws, Ended, Scored
from churnlib.search.bayes import Outcome as Told
from churnlib.search.contest import Cut, Entrant, Outcome, Trained, entrant

SHARED = ("n_estimators", "early_stopping_rounds", "random_state")


class Schedule(Protocol):
    """Gives a generation, is told how all of it ended, gives the next; an empty one is the end."""

    def generation(self) -> list[Entrant]:
        """The next entrants, in their order."""
        ...

    def told(self, outcomes: Mapping[str, Outcome]) -> None:
        """How each entrant of the last generation ended, by its name."""
        ...


class GridSchedule:
    """Every configuration of the competing families' grids, in one generation."""

    def __init__(self, params: SearchParams) -> None:
        shared = shared_settings(params)
        self._waiting = [
            entrant(name, index, configuration, shared)
            for name in params.families
            for index, configuration in enumerate(params.grids[name], start=1)
        ]

    def generation(self) -> list[Entrant]:
        """All of them, then none."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def told(self, outcomes: Mapping[str, Outcome]) -> None:
        """Nothing depends on the outcomes."""


class BayesSchedule:
    """Trials drawn from each family's space, given how the earlier ones ended."""

    def __init__(self, params: SearchParams, *, watched: bool) -> None:
        """`watched` trainings are ended where their learning curves are hopeless."""
        self._watched, self._shared = watched, shared_settings(params)
        self._draws = Draws(
            {name: params.spaces[name] for name in params.families},
            {name: family(name).DEFAULT for name in params.families},
            trials=params.trials,
            batch=params.batch,
            seed=params.random_state,
            iterations=params.n_estimators,
        )
        self._open: dict[str, Drawn] = {}

    def generation(self) -> list[Entrant]:
        """The next trials, without those that were drawn before: nothing is trained twice."""
        while drawn := self._draws.generation():
            new = [self._entrant(item) for item in drawn if item.same_as is None]
            if new:
                return new
        return []

    def told(self, outcomes: Mapping[str, Outcome]) -> None:
        """The sampler learns how each trial ended."""
        for name, drawn in self._open.items():
            self._draws.tell(drawn, _told(outcomes[name]))
        self._open.clear()

    def _entrant(self, drawn: Drawn) -> Entrant:
        watch = self._draws.watch_for(drawn) if self._watched else None
        made = entrant(drawn.family, drawn.number, drawn.settings, self._shared, watch)
        self._open[made.name] = drawn
        return made


def _told(outcome: Outcome) -> Told:
    if isinstance(outcome, Trained):
        curve = outcome.fitted.curves["val_log_loss"]
        return Scored(outcome.score, float(curve.min()) if len(curve) else None)
    if isinstance(outcome, Cut):
        return Ended(int(outcome.curve["iteration"].iloc[-1]), float(outcome.curve["val_log_loss"].min()))
    return "failed"


def schedule_of(params: SearchParams, *, watched: bool) -> Schedule:
    """The schedule that the parameters ask for."""
    return GridSchedule(params) if params.method == "grid" else BayesSchedule(params, watched=watched)


def shared_settings(params: SearchParams) -> dict[str, Any]:
    """The settings that the whole search shares; each family takes those that it knows."""
    return {name: getattr(params, name) for name in SHARED}


def in_order(families: Sequence[str], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes in the order of the families, within one by the entrant's number."""
    return sorted(outcomes, key=lambda item: (families.index(item.entrant.family), item.entrant.index))
