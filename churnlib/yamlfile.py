"""Parameter files: plain YAML mappings, with the surprises of YAML 1.1 taken out.

A value is what it looks like. `true` and `false` are the only booleans, `null` and `~` the only nulls, `1e-3`
is a number; `012`, `12:30`, `1_000` and `2026-11-22` are text. `yes`, `no`, `on`, `off` and capitalised
booleans are refused, because readers disagree about them. Anchors, aliases, tags and duplicate keys are
refused, as is anything too large or too deep to be a parameter file, before it costs time or memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import NoReturn

import yaml

from churnlib.errors import ParameterError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000

_AMBIGUOUS = re.compile(r"(?i:yes|no|on|off)\Z|(?!true\Z|false\Z)(?i:true|false)\Z")
_TAGS = {
    "tag:yaml.org,2002:null": (r"(?:~|null|)\Z", ["~", "n", ""]),
    "tag:yaml.org,2002:bool": (r"(?:true|false)\Z", list("tf")),
    "tag:yaml.org,2002:int": (r"[-+]?(?:0|[1-9][0-9]*)\Z", list("-+0123456789")),
    "tag:yaml.org,2002:float": (
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z",
        list("-+.0123456789"),
    ),
}
_STRING = "tag:yaml.org,2002:str"


def load(path: Path) -> dict[str, object]:
    """The mapping that the file holds.

    Raises `ParameterError` E204, with the file, the line and what to do, for everything that is not a small,
    plain mapping with text keys.
    """
    data = _parse(path, _read(path))
    if data is None:
        _refuse(path, "is empty; write one `name: value` per line", None)
    if not isinstance(data, dict):
        _refuse(path, f"holds a {type(data).__name__}, not a mapping; write one `name: value` per line", 1)
    return data


def _parse(path: Path, text: str) -> object:
    try:
        return _PlainLoader(text).get_single_data()
    except _Refused as refusal:
        _refuse(path, str(refusal), refusal.line)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(path, f"not valid YAML ({error.problem}); mend that line", mark.line + 1 if mark else None)
    except yaml.YAMLError:
        _refuse(path, "holds a character that YAML does not allow; save it as plain UTF-8 text", None)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        _refuse(path, "does not exist; check the path", None)
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror}); check the path and its permissions", None)
    if len(data) > MAX_BYTES:
        _refuse(
            path, f"is larger than {MAX_BYTES // 1024} KiB; a parameter file holds parameters, not data", None
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(path, f"not UTF-8 at byte {error.start}; save it as UTF-8", line)


def _refuse(path: Path, problem: str, line: int | None) -> NoReturn:
    where = f"{path}, line {line}" if line else f"{path}"
    raise ParameterError("E204", f"{where}: {problem}")


class _Refused(Exception):
    """A construct that plain YAML has and a parameter file must not; `line` is 1-based."""

    def __init__(self, problem: str, found: yaml.Node | yaml.NodeEvent) -> None:
        super().__init__(problem)
        self.line = found.start_mark.line + 1 if found.start_mark else None


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases, tags, merge keys, duplicate keys and YAML 1.1 guesses."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.NodeEvent = self.peek_event()  # type: ignore[no-untyped-call]
        self._check_event(event)
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels; flatten it", event)
        if self._nodes > MAX_NODES:
            raise _Refused(f"holds more than {MAX_NODES:,} values; move data into a data file", event)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _check_event(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused("anchors and aliases are not allowed; write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise _Refused("tags such as !!python are not allowed; write a plain value", event)
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and _AMBIGUOUS.match(event.value):
            advice = "write true or false for a switch, or put text in quotes"
            raise _Refused(f"{event.value} is read differently by different tools; {advice}", event)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != _STRING:
                raise _Refused("a key is not text; put it in quotes", key)
            line = key.start_mark.line + 1
            if key.value in lines:
                first = lines[key.value]
                problem = f"key {key.value!r} is already on line {first}; keep one of the two"
                raise _Refused(problem, key)
            lines[key.value] = line
        return super().construct_mapping(node, deep=deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        try:
            number = int(node.value) if node.tag.endswith(":int") else float(node.value)
            finite = math.isfinite(number)
        except (ValueError, OverflowError):  # more digits than Python reads, or than a float holds
            finite = False
        if not finite:
            raise _Refused("a number is too large; put it in quotes if it is text", node)
        return number


_PlainLoader.yaml_implicit_resolvers = {}  # forget those of YAML 1.1
for _tag, (_pattern, _first) in _TAGS.items():
    _PlainLoader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
for _tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
    _PlainLoader.add_constructor(_tag, _PlainLoader.construct_number)
