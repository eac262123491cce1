from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from churnlib.errors import IntegrityError
from churnlib.gate.paired import delong_difference
from churnlib.models.metrics import Labels
from churnlib.search.rule import Entry, Ruling, WinnerRule, rule_on_folds, rule_on_rows

RANDOM = np.random.default_rng(5)
LABELS: Labels = (RANDOM.random(3000) < 0.2).astype(np.int8)
SIGNAL = LABELS + RANDOM.normal(size=3000)
SHARED = RANDOM.normal(size=3000)


def on_rows(
    name: str, size: int, *, noise: float = 0.0, of: npt.NDArray[np.float64] = SIGNAL, family: str = ""
) -> Entry:
    """An entrant that sees the signal through so much noise, the same for all."""
    evidence = of + noise * SHARED
    return Entry(name, ord(name[0]), family or name, size, float(roc_auc_score(LABELS, evidence)), evidence)


def on_folds(name: str, size: int, *scores: float, family: str = "") -> Entry:
    return Entry(name, ord(name[0]), family or name, size, float(np.mean(scores)), np.array(scores))


def ruled(*entries: Entry, rule: WinnerRule = "one_standard_error", most: float = 0.5) -> Ruling:
    return rule_on_rows(entries, LABELS, rule=rule, most=most)


def test_among_equal_scores_the_simplest_wins() -> None:
    found = ruled(on_rows("a", 900), on_rows("b", 20), on_rows("c", 500))
    assert (found.winner, found.leader) == ("b", "a")
    assert (found.deficit, found.standard_error) == (0.0, 0.0)
    assert found.within == ("a", "b", "c")


def test_a_complex_model_that_is_clearly_better_wins() -> None:
    found = ruled(on_rows("simple", 5, noise=1.0), on_rows("rich", 9000))
    assert (found.winner, found.leader, found.within) == ("rich", "rich", ("rich",))
    assert (found.deficit, found.standard_error) == (0.0, 0.0)


def test_a_simpler_model_within_one_standard_error_of_the_difference_wins() -> None:
    own = np.random.default_rng(1).normal(size=3000)
    near = on_rows("near", 5, of=SIGNAL + 0.1 * own)
    far = on_rows("far", 1, of=SIGNAL + 0.6 * own)
    best = on_rows("best", 9000)
    found = ruled(far, near, best)
    gap = delong_difference(LABELS, best.evidence, near.evidence, confidence=0.975)
    assert 0 < gap.value < gap.standard_error
    assert (found.winner, found.leader, found.within) == ("near", "best", ("best", "near"))
    assert (found.deficit, found.standard_error) == (gap.value, gap.standard_error)


def test_the_standard_error_is_that_of_the_difference_not_of_the_score() -> None:
    """What a model loses on every row alike is no luck, though it is less than one AUC's own error."""
    best, less = on_rows("best", 9000), on_rows("less", 5, noise=0.3)
    of_one = delong_difference(LABELS, best.evidence, SHARED, confidence=0.975).standard_error
    assert best.score - less.score < of_one
    assert ruled(best, less).winner == "best"


def test_of_equal_sizes_the_higher_score_wins_and_of_equal_scores_the_earlier() -> None:
    own = np.random.default_rng(1).normal(size=3000)
    best, worse = on_rows("best", 5), on_rows("a", 5, of=SIGNAL + 0.1 * own)
    assert ruled(worse, best).within == ("best", "a") and ruled(worse, best).winner == "best"
    assert ruled(on_rows("b", 5), on_rows("a", 5)).winner == "a"


def test_the_rule_best_ignores_size() -> None:
    own = np.random.default_rng(1).normal(size=3000)
    found = ruled(on_rows("near", 5, of=SIGNAL + 0.1 * own), on_rows("best", 9000), rule="best")
    assert (found.rule, found.winner, found.leader) == ("best", "best", "best")
    assert found.within == ("best", "near")


def test_every_other_familys_best_is_compared_with_the_winner() -> None:
    entries = (
        on_rows("best", 9000, family="trees"),
        on_rows("second", 9000, noise=0.5, family="trees"),
        on_rows("third", 5, noise=0.4, family="linear"),
        on_rows("worst", 5, noise=3.0, family="linear"),
        on_rows("forest", 5, noise=1.0),
    )
    found = ruled(*entries)
    assert [(item.family, item.name) for item in found.versus] == [("linear", "third"), ("forest", "forest")]
    gap = delong_difference(LABELS, entries[0].evidence, entries[2].evidence, confidence=0.975)
    assert (found.versus[0].difference, found.versus[0].low) == (gap.value, gap.low)
    assert found.versus[0].high - gap.value == pytest.approx(1.96 * gap.standard_error, rel=1e-4)


def test_a_winner_that_is_not_the_leader_may_be_behind_another_family() -> None:
    own = np.random.default_rng(1).normal(size=3000)
    found = ruled(on_rows("near", 5, of=SIGNAL + 0.1 * own), on_rows("best", 9000))
    (versus,) = found.versus
    assert (versus.name, versus.difference) == ("best", -found.deficit) and versus.low < 0 < versus.high


def test_a_single_entrant_wins() -> None:
    found = ruled(on_rows("only", 3))
    assert (found.winner, found.within, found.versus) == ("only", ("only",), ())


def test_predictions_of_other_rows_are_refused() -> None:
    with pytest.raises(IntegrityError, match="E427"):
        ruled(on_rows("a", 1), Entry("b", 2, "b", 1, 0.5, SIGNAL[:-1]))


def test_folds_compare_by_the_corrected_standard_error() -> None:
    best, other = on_folds("best", 900, 0.70, 0.72, 0.71, 0.73), on_folds("near", 5, 0.70, 0.71, 0.72, 0.71)
    found = rule_on_folds([best, other], held_out=1 / 3, rule="one_standard_error", most=0.5)
    gaps = np.array([0.0, 0.01, -0.01, 0.02])
    error = np.sqrt((1 / 4 + 1 / 3) * gaps.var(ddof=1))
    assert (found.winner, found.leader) == ("near", "best")
    assert (found.deficit, found.standard_error) == pytest.approx((0.005, error))
    assert found.versus[0].high == pytest.approx(-0.005 + stats.t.ppf(0.975, 3) * error)


def test_a_small_loss_in_every_fold_is_no_luck() -> None:
    best, other = (
        on_folds("best", 900, 0.70, 0.72, 0.68, 0.73),
        on_folds("less", 5, 0.699, 0.719, 0.678, 0.729),
    )
    assert rule_on_folds([other, best], held_out=1 / 3, rule="one_standard_error", most=0.5).winner == "best"


def test_more_repeats_cannot_make_the_error_vanish() -> None:
    """The folds share their rows: of the corrected variance a part remains, however often they are drawn."""
    gaps = np.random.default_rng(0).normal(0.001, 0.02, size=1000)
    entries = [on_folds("best", 9, *(0.7 + gaps)), on_folds("near", 5, *np.full(1000, 0.7))]
    found = rule_on_folds(entries, held_out=0.25, rule="one_standard_error", most=0.5)
    assert found.standard_error == pytest.approx(0.02 * np.sqrt(0.251), rel=0.1)


def test_a_simpler_one_gives_away_no_more_than_it_may() -> None:
    """However wide the standard error: not proved worse is not as good."""
    entries = on_rows("a", 900), on_rows("b", 20, noise=0.1)
    free = ruled(*entries)
    assert (free.winner, free.within) == ("b", ("a", "b")) and free.deficit > 0
    found = ruled(*entries, most=free.deficit * 0.9)
    assert (found.winner, found.within, found.deficit) == ("a", ("a",), 0.0)
    assert ruled(*entries, most=free.deficit).winner == "b"
