from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from churnlib.search.bayes import Drawn, Draws, Ended, Outcome, Scored
from churnlib.search.pruning import Hopeless
from churnlib.search.space import Space

TREES: Space = {
    "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
    "max_depth": {"low": 3, "high": 10},
    "growth": {"choices": ["depthwise", "lossguide"]},
}
LINEAR: Space = {"C": {"low": 0.001, "high": 100.0, "log": True}}
SPACES: dict[str, Space] = {"linear": LINEAR, "trees": TREES}
DEFAULTS: dict[str, dict[str, Any]] = {
    "linear": {"C": 1.0},
    "trees": {"max_depth": 6, "learning_rate": 0.1, "growth": "depthwise", "subsample": 0.8},
}
Order = Callable[[list[Drawn]], list[Drawn]]


def draws(trials: int = 24, *, spaces: Mapping[str, Space] = SPACES, seed: int = 7, batch: int = 4) -> Draws:
    return Draws(spaces, DEFAULTS, trials=trials, batch=batch, seed=seed, iterations=1000)


def peak(settings: Mapping[str, Any]) -> float:
    """Best at C 0.05, or at learning rate 0.03 and depth 4."""
    if "C" in settings:
        return -float(np.log(settings["C"] / 0.05) ** 2)
    return -float(np.log(settings["learning_rate"] / 0.03) ** 2 + (settings["max_depth"] - 4) ** 2)


def outcome(drawn: Drawn) -> Outcome:
    """Every fifth trial fails, every seventh is ended; all learn by steps."""
    if drawn.number % 5 == 0:
        return "failed"
    score = peak(drawn.settings)
    return Ended(99, -score) if drawn.number % 7 == 0 else Scored(score, loss=0.4 + 0.01 * abs(score))


def trained(
    search: Draws, *, order: Order = list, of: Callable[[Drawn], Outcome] = outcome, most: int = 10**6
) -> list[Drawn]:
    """All trials of a search that is told up to `most` outcomes."""
    found: list[Drawn] = []
    while generation := search.generation():
        found += generation
        for drawn in order([drawn for drawn in generation if drawn.same_as is None]):
            if not most:
                return found
            search.tell(drawn, of(drawn))
            most -= 1
    return found


def in_order_of(seed: int, listed: list[Drawn]) -> list[Drawn]:
    return [listed[at] for at in np.random.default_rng(seed).permutation(len(listed))]


def shuffled(listed: list[Drawn]) -> list[Drawn]:
    return in_order_of(len(listed), listed)


def of_family(found: list[Drawn], name: str) -> list[Drawn]:
    return [drawn for drawn in found if drawn.family == name]


def test_same_seed_draws_the_same_trials_and_another_seed_others() -> None:
    first = trained(draws())
    assert first == trained(draws())
    assert first[1:4] != trained(draws(seed=8))[1:4]


def test_who_finishes_first_does_not_matter() -> None:
    assert trained(draws(), order=shuffled) == trained(draws())
    assert trained(draws(), order=lambda listed: listed[::-1]) == trained(draws())


def test_no_outcome_counts_before_its_generation_is_over() -> None:
    """The second generation's trials differ by what the first scored, the first's own do not."""
    upside_down = trained(draws(), of=lambda drawn: Scored(-peak(drawn.settings)))
    upright = trained(draws(), of=lambda drawn: Scored(peak(drawn.settings)))
    assert upside_down[:8] == upright[:8] and upside_down != upright


def test_a_generation_cannot_be_drawn_before_the_last_one_is_told() -> None:
    search = draws()
    first = search.generation()
    for drawn in first[1:]:
        search.tell(drawn, "failed")
    with pytest.raises(ValueError, match=r"linear: trials \[1\] have no outcome yet"):
        search.generation()


@pytest.mark.parametrize("told", range(25))
def test_a_search_killed_after_any_trial_goes_on_as_if_it_had_not_been(told: int) -> None:
    """The record replays what was told; whatever was under way is asked for again."""
    whole = trained(draws())
    record: dict[tuple[str, int], Outcome] = {}

    def remember(drawn: Drawn) -> Outcome:
        record[drawn.family, drawn.number] = outcome(drawn)
        return outcome(drawn)

    trained(draws(), order=shuffled, of=remember, most=told)
    known, asked_again = set(record), []

    def recall(drawn: Drawn) -> Outcome:
        if (drawn.family, drawn.number) not in known:
            asked_again.append(drawn)
            return outcome(drawn)
        return record[drawn.family, drawn.number]

    assert trained(draws(), of=recall) == whole
    assert len(asked_again) == sum(drawn.same_as is None for drawn in whole) - len(known)


def test_trials_are_shared_evenly_and_the_first_families_get_the_rest() -> None:
    found = trained(draws(7, batch=2))
    assert [len(of_family(found, name)) for name in SPACES] == [4, 3]
    assert [drawn.number for drawn in of_family(found, "trees")] == [1, 2, 3]


def test_leaving_a_family_out_changes_no_trial_of_the_others() -> None:
    alone = trained(draws(12, spaces={"trees": TREES}))
    assert alone == of_family(trained(draws(24)), "trees")
    assert alone == of_family(trained(draws(24, spaces=dict(reversed(SPACES.items())))), "trees")


def test_a_larger_budget_begins_with_the_trials_of_a_smaller_one() -> None:
    small, large = trained(draws(18)), trained(draws(30))
    for name in SPACES:
        assert of_family(large, name)[:9] == of_family(small, name)


def test_the_first_trial_is_the_default_and_what_is_not_searched_stays_as_it_is() -> None:
    found = trained(draws())
    for name, default in DEFAULTS.items():
        assert of_family(found, name)[0].settings == default
    assert all(drawn.settings["subsample"] == 0.8 for drawn in of_family(found, "trees"))


@pytest.mark.parametrize(
    ("default", "settings"),
    [
        ({"max_depth": 20, "learning_rate": 1, "growth": "lossguide"}, (10, 0.3, "lossguide")),
        ({"max_depth": 5.0, "learning_rate": 0.001, "growth": "depthwise"}, (5, 0.01, "depthwise")),
    ],
)
def test_a_default_outside_the_space_is_moved_to_its_nearest_end(
    default: dict[str, Any], settings: tuple[Any, ...]
) -> None:
    search = Draws({"trees": TREES}, {"trees": default}, trials=1, batch=1, seed=1, iterations=100)
    (drawn,) = search.generation()
    found = tuple(drawn.settings[name] for name in ("max_depth", "learning_rate", "growth"))
    assert found == settings and [type(value) for value in found] == [int, float, str]


def test_a_default_that_is_no_number_or_not_on_offer_is_drawn() -> None:
    default = {"max_depth": None, "growth": "sideways"}
    search = Draws({"trees": TREES}, {"trees": default}, trials=1, batch=1, seed=1, iterations=100)
    (drawn,) = search.generation()
    assert 3 <= drawn.settings["max_depth"] <= 10
    assert drawn.settings["growth"] in ("depthwise", "lossguide")


def test_a_configuration_drawn_twice_is_not_trained_twice() -> None:
    few: Space = {"max_depth": {"low": 1, "high": 3}}
    search = Draws({"few": few}, {"few": {"max_depth": 2}}, trials=20, batch=4, seed=1, iterations=100)
    found = trained(search, of=lambda drawn: Scored(drawn.settings["max_depth"]))
    fresh = [drawn for drawn in found if drawn.same_as is None]
    assert len(found) == 20 and len(fresh) == 3
    first = {drawn.number: drawn.settings for drawn in fresh}
    assert all(first[drawn.same_as] == drawn.settings for drawn in found if drawn.same_as is not None)


def test_it_draws_better_than_chance_once_it_has_learned() -> None:
    found = [
        trained(draws(60, seed=seed), of=lambda drawn: Scored(peak(drawn.settings))) for seed in range(5)
    ]
    late = [peak(drawn.settings) for search in found for drawn in search if drawn.number > 20]
    early = [peak(drawn.settings) for search in found for drawn in search if 1 < drawn.number <= 5]
    assert np.median(late) > np.median(early) / 3


def test_nothing_is_watched_before_five_trials_of_finished_generations() -> None:
    search = draws(24, spaces={"trees": TREES})
    watched = []
    while generation := search.generation():
        watched += [search.watch_for(drawn) is not None for drawn in generation]
        for drawn in generation:
            if drawn.same_as is None:
                search.tell(drawn, Scored(peak(drawn.settings), loss=0.4))
            assert (search.watch_for(drawn) is not None) is watched[-1]
    assert watched == [False] * 8 + [True] * 16


def test_a_family_that_does_not_learn_by_steps_is_not_watched() -> None:
    search = draws(30)
    trained(search, of=lambda drawn: Scored(peak(drawn.settings)))
    assert search.watch_for(Drawn("linear", 1, {})) is None


def test_threads_in_any_order_end_the_same_trials_at_the_same_iteration() -> None:
    def learn(search: Draws, drawn: Drawn) -> Outcome:
        """A curve that levels off at its own height: the deeper, the higher."""
        watch, floor = search.watch_for(drawn), 0.4 + 0.02 * drawn.settings["max_depth"]
        try:
            for iteration in range(400):
                loss = floor + 0.2 * float(np.exp(-iteration * drawn.settings["learning_rate"] / 2))
                if watch is not None:
                    watch(iteration, loss)
        except Hopeless as ended:
            return Ended(ended.iteration, ended.loss)
        return Scored(peak(drawn.settings), loss)

    def run(seed: int) -> list[tuple[Drawn, Outcome | None]]:
        search = draws(28, spaces={"trees": TREES})
        told: dict[int, Outcome] = {}
        lock = threading.Lock()

        def work(drawn: Drawn) -> None:
            found = learn(search, drawn)
            with lock:
                told[drawn.number] = found
                search.tell(drawn, found)

        asked: list[Drawn] = []
        while generation := search.generation():
            asked += generation
            fresh = [drawn for drawn in generation if drawn.same_as is None]
            threads = [threading.Thread(target=work, args=(drawn,)) for drawn in in_order_of(seed, fresh)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return [(drawn, told.get(drawn.number)) for drawn in asked]

    first = run(1)
    assert any(isinstance(end, Ended) for _, end in first)
    assert all(run(seed) == first for seed in (2, 3))


def test_it_draws_without_a_word(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        trained(draws())
    assert capfd.readouterr() == ("", "") and not caplog.records
