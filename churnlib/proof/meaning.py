"""What a reproduction proves and what it does not, by its mode: text that every certificate carries."""

from __future__ import annotations

from typing import Literal

Mode = Literal["fresh", "here"]

ASKED: dict[Mode, str] = {
    "fresh": "made again from the record alone: recorded commit, fresh environment from the recorded lock, "
    "data fetched or regenerated, all three notebooks executed again with their recorded parameters",
    "here": "made again in the present environment: data hashed again, the winner trained again from its "
    "recorded settings by the present code",
}
PROVES: dict[Mode, str] = {
    "fresh": "Somebody who has the record, the repository and the packages gets the same model: nothing that "
    "it depends on was left out of the record, from the table's first row to the last metric.",
    "here": "The recorded data and settings still give the same model with the code and packages that are "
    "installed now.",
}
LEAVES_OPEN: dict[Mode, tuple[str, ...]] = {
    "fresh": (
        "That the data are true, or that the model is good: the same mistakes give the same bytes.",
        "That it comes out the same on every machine: this is one machine, named above.",
        "That the packages can still be fetched tomorrow: keep a copy of what the lock names.",
    ),
    "here": (
        "That the record alone suffices: code and packages are those of now, not the recorded ones. "
        "Without HERE=1, make reproduce takes those.",
        "That the search would choose the same winner: it is not run again.",
        "That the notebooks still run: the library is called, not they.",
        "That the data are true, or that the model is good: the same mistakes give the same bytes.",
    ),
}
