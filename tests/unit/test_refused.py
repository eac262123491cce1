from __future__ import annotations

import pytest

from churnlib.errors import ParameterError
from churnlib.params import Configuration, SearchParams
from churnlib.search.refused import REASONS
from tests.unit.planted import study


def refusal(**configuration: object) -> str:
    values = {**study("search"), "min_finished": 1, "configurations": [configuration]}
    with pytest.raises(ParameterError) as caught:
        SearchParams.check(values, where="search.yml")
    assert (caught.value.code, caught.value.exit_status) == ("E202", 2)
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("booster", "gblinear", "not reproducible: the linear booster gives another model each time"),
        ("updater", "shotgun", "not reproducible: the linear booster gives another model each time"),
        ("device", "cuda", "not reproducible on another machine: models are trained on the CPU"),
        ("random_state", None, "not reproducible if it were left open"),
        ("n_jobs", 4, "threads change no bit of a model"),
    ],
)
def test_D13_what_would_not_be_reproducible_is_refused_with_the_reason(
    name: str, value: object, reason: str
) -> None:
    message = refusal(max_depth=3, **{name: value})
    assert message.startswith(f"unknown 'configurations.0.{name}' in search.yml; {reason}")


@pytest.mark.parametrize("name", REASONS)
def test_D13_no_reason_is_given_against_what_may_be_set(name: str) -> None:
    assert name not in Configuration.__annotations__
    assert REASONS[name] in refusal(**{name: "1"})


def test_a_mistyped_name_is_still_answered_with_the_nearest_one() -> None:
    assert refusal(max_dept=3).endswith("did you mean 'max_depth'?")
