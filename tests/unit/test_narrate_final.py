from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnlib import narrate_final
from churnlib.models.candidate import Judged, judge
from churnlib.models.metrics import Interval


def probabilities(strength: float, *, seed: int = 4) -> npt.NDArray[np.float64]:
    """Of 2,000 rows, a fifth of them churners; the larger `strength`, the better the ranking."""
    random = np.random.default_rng(seed)
    found: npt.NDArray[np.float64] = 0.5 + 0.05 * strength * labels() + random.normal(0, 0.1, 2000)
    return found


def labels() -> npt.NDArray[np.int8]:
    found: npt.NDArray[np.int8] = (np.arange(2000) % 5 == 0).astype(np.int8)
    return found


def judged(strength: float = 1.0) -> Judged:
    return judge(labels(), probabilities(strength), 0.55)


def test_one_opening_is_told_without_any_widening() -> None:
    assert narrate_final.opened(["a"], judged()) == "This test set has been opened once."


def test_three_openings_are_named_and_widen_the_interval() -> None:
    found = judged()
    wide = found.auc_among(3)
    assert narrate_final.opened(["a", "b_1", "c"], found) == (
        "This test set has been opened 3 times (for a, b\\_1, c): the 95% interval then has to be "
        f"{wide.low:.4f} to {wide.high:.4f}, wide enough for the best of 3."
    )


def test_baseline_that_is_ahead_is_said_so_and_in_bold() -> None:
    text = narrate_final.against_baseline(judged(1.0), probabilities(2.0))
    gap = judged(2.0).auc.value - judged(1.0).auc.value
    assert text.startswith("**A plain logistic regression reaches") and text.endswith("**")
    assert (
        f"{judged(2.0).auc.value:.4f} on the same rows: the plain model is {gap:.4f} ahead, more than" in text
    )


def test_candidate_that_is_ahead_is_said_so_plainly() -> None:
    text = narrate_final.against_baseline(judged(2.0), probabilities(1.0))
    assert "the candidate is" in text and "more than chance explains" in text and "**" not in text


def test_a_lead_within_chance_is_called_that_whoever_has_it() -> None:
    """Two models that are equally good, and differ in their noise alone."""
    one, other = probabilities(1.0), probabilities(1.0, seed=5)
    told = [
        narrate_final.against_baseline(judge(labels(), mine, 0.55), theirs)
        for mine, theirs in ((one, other), (other, one))
    ]
    assert ["no more than chance explains" in text for text in told] == [True, True]
    assert sorted("the plain model is" in text for text in told) == [False, True]


def test_equal_predictions_are_called_equal() -> None:
    text = narrate_final.against_baseline(judged(), probabilities(1.0))
    assert "the very same probabilities" in text and "says nothing for or against" in text
    same = Interval(0.68, 0.67, 0.7)
    assert "**0.6800**, exactly as the candidate" in narrate_final.baseline_on_validation(same, same)


def test_answer_holds_verdict_baseline_count_and_record() -> None:
    found = judged()
    plain = probabilities(0.5)
    text = narrate_final.answer("final", found, plain, ["final"], again=False, base_rate=0.2)
    assert text.split("\n\n")[0].startswith(f"**final has a test AUC of {found.auc.value:.4f}**")
    assert "This test set has been opened once." in text and "taken from the record" not in text
    again = narrate_final.answer("final", found, plain, ["final"], again=True, base_rate=0.2)
    assert again.startswith(text) and "the result was taken from the record" in again


def test_validation_sentence_says_who_was_flattered() -> None:
    text = narrate_final.baseline_on_validation(Interval(0.6853, 0.67, 0.7), Interval(0.6872, 0.672, 0.702))
    assert "**0.6872** (95% interval 0.6720 to 0.7020), the candidate 0.6853" in text
    assert "the plain model is 0.0019 ahead." in text
    assert "which flatters it" in text
