"""What must not be kept or shown, blotted out: passwords in addresses, and values of secret variables.

A secret reaches a text that we keep by accident: a library puts the address that it could not reach into its
error, a cell prints its environment. Nobody can know every secret; these two kinds can be known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from churnlib.safenames import looks_secret

MASK = "***"
SHORTEST = 8  # characters: a shorter value would be found in texts that have nothing to do with it
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@'\"<>]+(?=@[\w.\[-])")


class Masks:
    """Blots secrets out of texts; `variables` is the environment whose secret ones are known."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        values = {value for name, value in variables.items() if looks_secret(name) and _telling(value)}
        longest_first = sorted(values, key=lambda value: (-len(value), value))
        self._values = re.compile("|".join(map(re.escape, longest_first))) if values else None

    def text(self, text: str) -> str:
        """`text` without what is secret."""
        known = self._values.sub(MASK, text) if self._values else text
        return _IN_ADDRESS.sub(MASK, known) if "@" in known else known

    def outputs(self, outputs: list[Any]) -> None:
        """Nothing; the texts in a cell's outputs are masked in place. Pictures are left as they are."""
        for output in outputs:
            for name in ("text", "ename", "evalue"):
                if name in output:
                    output[name] = self.text(output[name])
            if "traceback" in output:
                output["traceback"] = [self.text(line) for line in output["traceback"]]
            data = output.get("data", {})
            for kind, content in data.items():
                if not kind.startswith("image/") or kind == "image/svg+xml":
                    data[kind] = self._within(content)

    def _within(self, content: Any) -> Any:
        """The same structure with its texts masked."""
        if isinstance(content, str):
            return self.text(content)
        if isinstance(content, dict):
            return {name: self._within(value) for name, value in content.items()}
        return [self._within(item) for item in content] if isinstance(content, list) else content


def _telling(value: str) -> bool:
    """Whether a value is one that nobody writes by chance: long enough, and no number, path or plain word."""
    return len(value) >= SHORTEST and not value.isdecimal() and not value.startswith(("/", "~", "."))
