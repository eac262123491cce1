"""What a trial leaves out has its family's default, and the record has that, too."""

from __future__ import annotations

import ast

import pytest

from churnlib.families import family, names
from tests.unit.arena_cases import SHARED
from tests.unit.planted import fit_of, planted_encoded, study


@pytest.mark.parametrize("name", names())
def test_a_trials_settings_can_be_read_back_from_its_recorded_parameters(name: str) -> None:
    kind, space = family(name), study("search")["spaces"][name]
    trial = {**kind.DEFAULT, **{setting: dimension["low"] for setting, dimension in space.items()}}
    shared = {setting: SHARED[setting] for setting in kind.SHARED}
    fitted = fit_of(name, planted_encoded(), {**trial, **shared})
    recorded = {key: str(value) for key, value in fitted.parameters.items()}
    assert {item: ast.literal_eval(recorded[item]) for item in trial} == trial
