from __future__ import annotations

import pytest

from churnlib.errors import ParameterError
from churnlib.families import family, names
from churnlib.params import SearchParams
from tests.unit.planted import study


def refusal(name: str, **configuration: object) -> str:
    values = {**study("search"), "families": [name], "grids": {name: [configuration]}}
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
    message = refusal("xgboost", max_depth=3, **{name: value})
    assert message.startswith(f"unknown 'grids.xgboost.0.{name}' in search.yml; {reason}")


@pytest.mark.parametrize(
    ("name", "setting"), [(name, item) for name in names() for item in family(name).REFUSED]
)
def test_D13_no_reason_is_given_against_what_may_be_set(name: str, setting: str) -> None:
    kind = family(name)
    assert setting not in kind.Settings.__annotations__
    assert kind.REFUSED[setting] in refusal(name, **{setting: "1"})


def test_a_mistyped_name_is_still_answered_with_the_nearest_one() -> None:
    assert refusal("xgboost", max_dept=3).endswith("did you mean 'max_depth'?")


def test_an_unknown_familys_grid_is_answered_with_the_nearest_one() -> None:
    assert refusal("xgboos", max_depth=3).endswith("did you mean 'xgboost'?")
