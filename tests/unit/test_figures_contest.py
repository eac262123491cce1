from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from churnlib import families
from churnlib.figures.contest import accuracy_against_time, by_family, differences
from churnlib.figures.entrants import look
from churnlib.search.rule import Versus
from tests.unit.test_figures_edges import NAMES, drawn

FOUR = {"logistic": [0.7, 0.69], "xgboost": [0.695, 0.68, 0.67], "lightgbm": [0.685], "forest": [0.66]}


def contest_table(scores: Mapping[str, list[float]], **columns: Any) -> pd.DataFrame:
    """The search's table of these validation AUCs by family; `columns` are added before it is sorted."""
    rows = [
        {
            "index": index,
            "name": f"{family}-{index}",
            "family": family,
            "run_id": f"run-{family}-{index}",
            "score": score,
            "val_auc": score,
            "val_auc_low": score - 0.02,
            "val_auc_high": score + 0.01,
            "model_size": 30 if family == "logistic" else 4000,
            "train_time_seconds": float(index),
        }
        for family, found in scores.items()
        for index, score in enumerate(found, start=1)
    ]
    table = pd.DataFrame(rows).assign(**columns)
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def folded(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a search in which folds decided, and the validation rows say something else."""
    seen = {name: table[name] - 0.1 for name in ("val_auc", "val_auc_low", "val_auc_high")}
    return table.assign(cv_auc=table["score"], cv_auc_se=0.003, **seen)


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def dots(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """The places of all dots by their colour."""
    found = [artist for artist in figure.axes[0].collections if isinstance(artist, PathCollection)]
    return {
        to_hex(np.asarray(points.get_facecolor())[0]).upper(): [
            tuple(place) for place in np.asarray(points.get_offsets())
        ]
        for points in found
    }


def ring_of(figure: Figure) -> tuple[float, float]:
    (ring,) = (line for line in figure.axes[0].get_lines() if line.get_markerfacecolor() == "none")
    return float(np.asarray(ring.get_xdata())[0]), float(np.asarray(ring.get_ydata())[0])


@pytest.fixture
def eight_families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A place of families where there are eight, with long titles."""
    for number, name in enumerate(NAMES[2:3] * 8):
        (tmp_path / f"kind{number}.py").write_text(f"TITLE = {f'{number} {name[:60]}'!r}\n")
        monkeypatch.delitem(sys.modules, f"{families.__name__}.kind{number}", raising=False)
    monkeypatch.setattr(families, "__path__", [str(tmp_path)])
    yield families.names()


def test_every_configuration_is_a_dot_in_the_row_and_the_colour_of_its_family() -> None:
    figure = by_family(contest_table(FOUR), winner="logistic-1")
    found = dots(figure)
    for row, family in enumerate(FOUR):
        places = found[look(family)[1].upper()]
        assert [x for x, _ in places] == FOUR[family]
        assert all(abs(y - row) < 0.3 for _, y in places)
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows[:2] == [
        "logistic regression\n2 configurations, best 0.7000",
        "XGBoost\n3 configurations, best 0.6950",
    ]


def test_dots_of_one_score_stand_side_by_side() -> None:
    figure = by_family(contest_table({"xgboost": [0.7] * 9}), winner="xgboost-1")
    (places,) = dots(figure).values()
    assert len(set(places)) == 9
    assert {x for x, _ in places} == {0.7}
    assert max(abs(y) for _, y in places) <= 0.26


def test_the_winner_is_ringed_and_named_with_its_own_interval_wherever_it_stands() -> None:
    figure = by_family(contest_table(FOUR), winner="lightgbm-1")
    (interval,) = (item for item in figure.axes[0].collections if isinstance(item, LineCollection))
    (ends,) = interval.get_segments()
    assert ends[:, 0].tolist() == pytest.approx([0.665, 0.695])
    assert ring_of(figure) == (0.685, 2)
    assert "winner: lightgbm-1" in [text.get_text() for text in figure.axes[0].texts]


def test_the_best_possible_is_a_line_where_validation_decides_and_nowhere_else() -> None:
    def dashed(table: pd.DataFrame) -> list[float]:
        figure = by_family(table, winner="logistic-1", ceiling=0.72)
        lines = (line for line in figure.axes[0].get_lines() if line.get_linestyle() == "--")
        return [float(np.asarray(line.get_xdata())[0]) for line in lines]

    assert dashed(contest_table(FOUR)) == [0.72]
    assert dashed(folded(contest_table(FOUR))) == []


def test_where_folds_decide_their_score_and_its_error_are_drawn() -> None:
    figure = by_family(folded(contest_table(FOUR)), winner="logistic-1")
    (interval,) = (item for item in figure.axes[0].collections if isinstance(item, LineCollection))
    (ends,) = interval.get_segments()
    assert ends[:, 0].tolist() == pytest.approx([0.694, 0.706])
    told = figure.axes[0].get_xlabel()
    assert told.startswith("cross-validated AUC")
    assert told.endswith("the winner with two standard errors over the folds")


def test_the_answer_names_the_winner_and_the_best_of_the_others() -> None:
    figure = by_family(contest_table(FOUR), winner="logistic-1")
    told = "The winner, logistic regression, reaches 0.7000; the best of the others, XGBoost, reaches 0.6950."
    assert told in texts(figure)


def test_a_simpler_winner_is_excused_by_its_size() -> None:
    told = texts(by_family(contest_table({"logistic": [0.69], "xgboost": [0.7]}), winner="logistic-1"))
    assert "XGBoost, reaches 0.7000, with 4,000 fitted numbers in place of 30." in told.replace("\n", " ")


def test_one_family_and_one_configuration_are_told_as_such() -> None:
    told = texts(by_family(contest_table({"xgboost": [0.7, 0.65]}), winner="xgboost-1"))
    assert "All 2 configurations are XGBoost: 0.6500 to 0.7000." in told
    alone = texts(by_family(contest_table({"xgboost": [0.7]}), winner="xgboost-1"))
    assert "The only configuration, xgboost-1, reaches 0.7000." in alone


def test_a_family_looks_the_same_whoever_else_competes() -> None:
    alone = dots(by_family(contest_table({"xgboost": [0.7]}), winner="xgboost-1"))
    assert set(alone) == {look("xgboost")[1].upper()}


def test_no_two_families_look_alike(eight_families: list[str]) -> None:
    looks = [look(name) for name in eight_families]
    assert len({marker for marker, _ in looks}) == len({colour for _, colour in looks}) == 8


def test_only_one_figure_depends_on_the_seconds() -> None:
    table = contest_table(FOUR)
    slower = table.assign(train_time_seconds=table["train_time_seconds"] * 7)

    def pixels(build: Any, rows: pd.DataFrame) -> Any:
        return build(rows, winner="logistic-1").png()

    assert pixels(by_family, table) == pixels(by_family, slower)
    assert pixels(accuracy_against_time, table) != pixels(accuracy_against_time, slower)


def test_time_is_drawn_on_a_logarithmic_axis_against_the_score() -> None:
    figure = accuracy_against_time(contest_table(FOUR), "logistic-1")
    assert figure.axes[0].get_xscale() == "log"
    assert dots(figure)[look("xgboost")[1].upper()] == [(1, 0.695), (2, 0.68), (3, 0.67)]
    assert ring_of(figure) == (1, 0.7)


def test_it_tells_what_the_time_of_the_slowest_bought() -> None:
    table = contest_table({"logistic": [0.69], "xgboost": [0.7]})
    slow = table.assign(train_time_seconds=[40.0, 0.5])
    told = "The slowest, xgboost-1, took 40 s, 80 times as long as the winner, and its AUC is 0.0100 higher."
    assert told in texts(accuracy_against_time(slow, "logistic-1"))
    told = "The winner took longest, 40 s, 80 times as long as the fastest, logistic-1, and its AUC is 0.0100"
    assert told in texts(accuracy_against_time(slow, "xgboost-1"))
    even = slow.assign(score=0.7)
    assert "and its AUC is the same." in texts(accuracy_against_time(even, "logistic-1"))


def test_configurations_without_a_time_are_left_out_and_counted() -> None:
    table = contest_table({"logistic": [0.69, 0.68], "xgboost": [0.7]})
    partly = table.assign(train_time_seconds=[np.nan, 0.1, 0.2])
    figure = accuracy_against_time(partly, "xgboost-1")
    told = texts(figure)
    assert "Training took 0.1 s to 0.2 s. Not shown, since untimed: 1." in told
    never = accuracy_against_time(table.assign(train_time_seconds=np.nan), "xgboost-1")
    assert "How long the configurations trained is not on record." in texts(never)


def test_one_time_is_a_statement() -> None:
    figure = accuracy_against_time(contest_table({"xgboost": [0.7]}), "xgboost-1")
    assert "Only one was timed: xgboost-1 trained for 1 s." in texts(figure)


VERSUS = (
    Versus("xgboost", "xgb-01", 0.0019, -0.0012, 0.0050),
    Versus("lightgbm", "lgb-01", 0.0060, 0.0020, 0.0100),
    Versus("forest", "rf-01", -0.0060, -0.0100, -0.0020),
)


def test_differences_are_drawn_from_zero_with_their_intervals() -> None:
    axes = differences(VERSUS).axes[0]
    intervals = [item for item in axes.collections if isinstance(item, LineCollection)]
    ends = [item.get_segments()[0][:, 0].tolist() for item in intervals]
    assert ends == [[-0.0012, 0.0050], [0.0020, 0.0100], [-0.0100, -0.0020]]
    zero, *middles = (float(np.asarray(line.get_xdata())[0]) for line in axes.get_lines())
    assert (zero, *middles) == (0, 0.0019, 0.0060, -0.0060)
    written = [text.get_text() for text in axes.texts]
    assert written[0] == "+0.0019 (\N{MINUS SIGN}0.0012 to +0.0050)"


def test_the_answer_says_which_differences_are_more_than_chance() -> None:
    told = texts(differences(VERSUS)).replace("\n", " ")
    assert "By more than chance explains the winner is ahead of LightGBM and behind random forest; " in told
    assert "the other interval holds zero." in told
    assert "no more than chance explains" in texts(differences(VERSUS[:1]))
    assert texts(differences(VERSUS[1:2])).endswith("the winner is ahead of LightGBM.")


def test_without_another_family_there_is_no_difference_to_draw() -> None:
    assert "No other family has a trained configuration" in texts(differences(()))


def test_the_same_table_gives_the_same_bytes() -> None:
    tables = [contest_table({"xgboost": [0.7] * 5, "logistic": [0.69]}) for _ in range(2)]
    first, second = (by_family(table, winner="xgboost-1").png() for table in tables)
    assert first == second


@pytest.mark.parametrize("each", [1, 12])
@pytest.mark.parametrize("place", [0, -1])
def test_hostile_names_of_eight_families_fit(
    each: int, place: int, eight_families: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(2)
    scores = {name: random.normal(0.68, 0.005, each).tolist() for name in eight_families}
    table = contest_table(scores)
    table["name"] = [f"{NAMES[at % len(NAMES)]} {at}" for at in range(len(table))]
    winner = table["name"].tolist()[place]
    versus = [
        Versus(kind, name, 0.01, -0.2, 0.3) for kind, name in zip(eight_families, NAMES * 2, strict=False)
    ]
    for figure in (
        by_family(table, winner=winner, ceiling=0.7),
        accuracy_against_time(table, winner),
        differences(versus),
    ):
        _, boxes = drawn(figure, monkeypatch)
        width, height = figure.bbox.size
        x0, y0, x1, y1 = boxes.T
        assert x0.min() >= 0 and y0.min() >= 0 and x1.max() <= width and y1.max() <= height
