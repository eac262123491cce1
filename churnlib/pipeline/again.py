"""Making a registered model again, in the mode that is asked for."""

from __future__ import annotations

from collections.abc import Callable

from churnlib.proof.items import Remade
from churnlib.proof.meaning import Mode
from churnlib.tracking.here import remake_here
from churnlib.tracking.reproduction import Case
from churnlib.tracking.session import Session


def make_again(session: Session, case: Case, mode: Mode, *, say: Callable[[str], None]) -> Remade:
    """What came of it; nothing where the record gives no recipe any more.

    Raises InfrastructureError alone, for a store or a network that does not answer: that is no verdict.
    """
    if case.recipe is None:
        return Remade([], None, stopped=case.lost)
    if mode == "here":
        return remake_here(session.client, session.root, case.recipe, case.ledger, say=say)
    from churnlib.remake.fresh import remake

    scratch = session.root / "build" / "scratch" / "reproduce"
    return remake(session.root, case.recipe, scratch=scratch, client=session.client, say=say)
