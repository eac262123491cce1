"""Who won a contest, by the rule and on the rows or folds that decide."""

from __future__ import annotations

from collections.abc import Sequence

from churnlib.models.family import Encoded
from churnlib.params import SearchParams
from churnlib.search.contest import Trained
from churnlib.search.folds import Fold, held_out
from churnlib.search.rule import Entry, Ruling, rule_on_folds, rule_on_rows


def ruling_of(
    trained: Sequence[Trained], data: Encoded, folds: Sequence[Fold], params: SearchParams
) -> Ruling:
    """The ruling on everybody who was trained, in the order of the entrants."""
    entries = [
        Entry(
            name=item.entrant.name,
            index=place,
            family=item.entrant.family,
            size=item.fitted.size,
            score=item.score,
            evidence=item.fold_scores if folds else item.probabilities,
        )
        for place, item in enumerate(trained)
    ]
    rule, most = params.winner_rule, params.simpler_within
    if folds:
        return rule_on_folds(entries, held_out=held_out(folds), rule=rule, most=most)
    return rule_on_rows(entries, data.val_labels, rule=rule, most=most)
