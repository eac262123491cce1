"""The base of everything that is written down as JSON and read back."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A record that refuses unknown fields and cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
