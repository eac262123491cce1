from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any, Literal, TypedDict, cast

import optuna
import pytest
from pydantic import Field, TypeAdapter, ValidationError, with_config

from churnlib.models.family import Family
from churnlib.phaseparams import STRICT, Rate
from churnlib.search.space import Dimension, Space, check_space, suggest


@with_config(STRICT)
class Settings(TypedDict, total=False):
    learning_rate: Rate
    max_depth: Annotated[int, Field(ge=1, le=64)]
    kind: Literal["gini", "entropy"] | None


FAMILY = cast(Family, SimpleNamespace(Settings=Settings, REFUSED={"seed": "random_state holds for all"}))
SOUND: Space = {
    "max_depth": {"low": 3, "high": 10},
    "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
    "kind": {"choices": ["gini", None]},
}


def parsed(value: object) -> Any:
    return TypeAdapter(Dimension).validate_python(value, strict=True)


def fault(name: str, **dimension: Any) -> str:
    (found,) = check_space(FAMILY, {name: cast(Any, dimension)})
    return found


def test_a_sound_space_has_no_faults() -> None:
    assert check_space(FAMILY, SOUND) == []


def test_a_parameter_file_is_read_as_it_is_written() -> None:
    for dimension in SOUND.values():
        assert parsed(dict(dimension)) == dimension
    assert [type(parsed({"low": 1, "high": 2.0})[end]) for end in ("low", "high")] == [int, float]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"low": 1}, "high"),
        ({"low": "1", "high": 2}, "low"),
        ({"low": True, "high": 2}, "low"),
        ({"low": 0, "high": float("inf")}, "high"),
        ({"low": 1, "high": 2, "step": 1}, "step"),
        ({"choices": []}, "choices"),
        ({"choices": [[1]]}, "choices"),
        ({"choices": ["a"], "low": 1}, "low"),
        ([1, 2], "range"),
    ],
)
def test_what_is_neither_a_range_nor_a_choice_is_refused(value: object, where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parsed(value)
    assert where in {part for item in caught.value.errors() for part in item["loc"]}


def test_an_unknown_setting_is_named_with_the_nearest_one() -> None:
    assert fault("max_dept", low=1, high=2) == "unknown 'max_dept'; did you mean 'max_depth'?"


def test_a_refused_setting_says_why() -> None:
    assert fault("seed", low=1, high=2) == "unknown 'seed'; random_state holds for all"


def test_ends_in_the_wrong_order_are_named() -> None:
    assert fault("max_depth", low=5, high=5) == "max_depth: low 5 is not below high 5"


def test_a_logarithmic_range_must_begin_above_zero() -> None:
    assert fault("learning_rate", low=0.0, high=1.0, log=True).endswith("log needs a low above 0, found 0.0")


def test_ends_and_choices_must_be_valid_settings() -> None:
    assert "low 0: Input should be greater than or equal to 1" in fault("max_depth", low=0, high=5)
    assert "high 2.0: Input should be less than or equal to 1" in fault("learning_rate", low=0.1, high=2)
    assert "choice 'ginni'" in fault("kind", choices=["gini", "ginni"])


def test_fractions_for_a_whole_setting_are_refused() -> None:
    faults = check_space(FAMILY, {"max_depth": {"low": 3, "high": 10.0}})
    assert [text.split(":")[1] for text in faults] == [" low 3.0", " high 10.0"]


def test_a_choice_that_stands_twice_is_named() -> None:
    assert fault("kind", choices=["gini", "gini"]) == "kind: a choice stands there twice"


def test_every_fault_is_found_at_once() -> None:
    assert len(check_space(FAMILY, {"a": {"low": 1, "high": 2}, "max_depth": {"low": 2, "high": 1}})) == 2


def test_the_same_seed_draws_the_same_whatever_the_order_of_the_space() -> None:
    """A record may be written in another order than the file that it was made from."""
    turned = dict(reversed(list(SOUND.items())))
    studies = [optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1)) for _ in range(2)]
    first, second = (
        [suggest(study.ask(), space) for _ in range(5)]
        for study, space in zip(studies, (SOUND, turned), strict=True)
    )
    assert first == second and list(turned) != list(SOUND)


def test_draws_lie_in_the_space_and_whole_numbers_stay_whole() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    drawn = [suggest(study.ask(), SOUND) for _ in range(200)]
    assert {tuple(settings) for settings in drawn} == {tuple(sorted(SOUND))}
    assert {settings["max_depth"] for settings in drawn} == set(range(3, 11))
    assert all(type(settings["max_depth"]) is int for settings in drawn)
    assert {settings["kind"] for settings in drawn} == {"gini", None}
    rates = [settings["learning_rate"] for settings in drawn]
    assert 0.01 <= min(rates) <= max(rates) <= 0.3
    # Drawn by factors: half of them lie below the geometric middle, 0.055, where a sixth would lie else.
    assert 0.4 < sum(rate < 0.055 for rate in rates) / 200 < 0.6


def test_whole_numbers_are_drawn_by_factors_too() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    space: Space = {"max_depth": {"low": 1, "high": 64, "log": True}}
    drawn = [suggest(study.ask(), space)["max_depth"] for _ in range(200)]
    assert 0.4 < sum(depth < 8 for depth in drawn) / 200 < 0.6
