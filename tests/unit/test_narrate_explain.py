from __future__ import annotations

import dataclasses

import numpy as np

from churnlib import narrate_explain
from churnlib.models.dependence import partial_dependence
from tests.unit.explained import explained, scorer


def test_the_columns_that_move_most_are_named_with_size_and_direction() -> None:
    text = narrate_explain.overall(explained())
    assert text.startswith(
        "**What moves the score most: hours \\$x\\_1\\$ (0.69), paused (0.38) and plan (0.22)**, the mean "
        "size of its effect in log-odds over 8 explained rows. The model gives higher scores with larger "
        "values of paused, and lower scores with larger values of hours \\$x\\_1\\$."
    )


def test_effects_are_called_associations_and_not_causes() -> None:
    assert "associations inside this model, not causes" in narrate_explain.overall(explained())
    assert "not causes" in narrate_explain.examples(explained(), threshold=0.5)


def test_a_model_that_nothing_moves_has_no_strongest_column() -> None:
    assert narrate_explain.overall(explained(weights=[0.0, 0.0])).startswith("**No column moves the score**")


def test_a_subscriber_below_the_base_is_there_because_of_what_lowers_it() -> None:
    text = narrate_explain.one(explained(), 4, threshold=0.5)
    assert text == (
        "**The subscriber at row 4 is at 0.3659**, below the threshold of 0.5000. All begin at 0.5498. It is "
        "lower because of hours \\$x\\_1\\$ = 2 (−1.00), against plan = plus (+0.25). "
        "Effects are in log-odds."
    )


def test_a_subscriber_above_the_base_is_there_because_of_what_raises_it() -> None:
    text = narrate_explain.one(explained(), 3, threshold=0.5)
    assert "above the threshold of 0.5000. All" in text
    assert (
        "It is higher because of paused = True (+0.75) and hours \\$x\\_1\\$ = missing (+0.50). Eff" in text
    )


def test_a_subscriber_exactly_at_the_threshold_is_on_neither_side() -> None:
    at = float(explained().probabilities[3])
    assert "**, exactly at the threshold of" in narrate_explain.one(explained(), 3, threshold=at)


def test_the_row_is_the_one_of_the_split_and_not_of_the_sample() -> None:
    found = dataclasses.replace(explained(), rows=np.arange(8) * 1_000)
    assert "at row 7,000 is at" in narrate_explain.one(found, 7, threshold=0.5)


def test_what_is_not_named_is_summed() -> None:
    plain = explained()
    found = dataclasses.replace(
        plain,
        contributions=plain.contributions.assign(tickets=0.1, more=0.05, most=0.02),
        features=plain.features.assign(more=1, most=1),
    )
    text = narrate_explain.one(found, 1, threshold=0.5)
    assert "The other 2 columns together add +0.07." in text


def test_a_subscriber_that_nothing_moves_is_told_plainly() -> None:
    assert narrate_explain.one(explained(), 0, threshold=0.5).endswith("No column moves this one noticeably.")


def test_values_and_names_from_data_stay_text() -> None:
    found = explained()
    hostile = found.features.assign(plan="<b>*x*</b>")
    text = narrate_explain.one(dataclasses.replace(found, features=hostile), 1, threshold=0.5)
    assert "plan = &lt;b&gt;\\*x\\*&lt;/b&gt; (+0.25)" in text


def test_each_example_is_an_item_that_says_what_is_special_about_it() -> None:
    items = narrate_explain.examples(explained(), threshold=0.5).splitlines()
    assert [item.split(":")[0] for item in items[:3]] == [
        "- The highest probability",
        "- The nearest to the threshold",
        "- The lowest probability",
    ]


def test_dependence_is_told_from_the_longest_way_on_with_its_caveat() -> None:
    frame = partial_dependence(scorer(), explained())
    text = narrate_explain.dependence(frame)
    hours = frame.loc[frame["feature"] == "hours $x_1$", "churn_probability"]
    assert f"goes from {hours.min():.4f} to {hours.max():.4f} along hours \\$x\\_1\\$, from " in text
    assert "subscribers that do not exist" in text and "tickets" not in text


def test_a_flat_model_changes_along_no_column() -> None:
    frame = partial_dependence(scorer(weights=[0.0]), explained(weights=[0.0]))
    told = narrate_explain.dependence(frame)
    assert told == "The mean prediction hardly changes along any of these columns."


def test_without_rows_there_is_nothing_to_tell() -> None:
    nothing = explained(0)
    told = {
        narrate_explain.overall(nothing),
        narrate_explain.examples(nothing, threshold=0.5),
        narrate_explain.dependence(partial_dependence(scorer(), nothing)),
    }
    assert told == {"No row was explained."}
