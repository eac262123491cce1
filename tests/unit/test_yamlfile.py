"""Plain parameter files in, surprises refused."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from churnlib import yamlfile
from churnlib.errors import ParameterError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "search.yml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_values_are_what_they_look_like(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "rows: 50_000  # text\nn: 5000\nrate: 1e-3\nsmall: .5\nnegative: -2.50\non_time: true\n"
        "off_time: false\nnothing: null\nempty:\ncode: 007\nat: 12:30\nday: 2026-11-22\nname: 'yes'\n"
        "hexa: 0x1F\nsizes: [0.1, 2, 1E+5]\nnested: {a: {b: ['x']}}\n<<: merge\n",
    )
    assert yamlfile.load(path) == {
        "rows": "50_000",
        "n": 5000,
        "rate": 0.001,
        "small": 0.5,
        "negative": -2.5,
        "on_time": True,
        "off_time": False,
        "nothing": None,
        "empty": None,
        "code": "007",
        "at": "12:30",
        "day": "2026-11-22",
        "name": "yes",
        "hexa": "0x1F",
        "sizes": [0.1, 2, 100000.0],
        "nested": {"a": {"b": ["x"]}},
        "<<": "merge",
    }


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "alias bomb": (BOMB, "line 1: anchors and aliases"),
    "alias": ("a: 1\nb: *a\n", "line 2: anchors and aliases"),
    "python object": ("a: !!python/object/apply:os.system ['true']\n", "line 1: tags such as !!python"),
    "explicit tag": ("a: 1\nb: !!str 5\n", "line 2: tags"),
    "unspecific tag": ("a: ! 5\n", "line 1: tags"),
    "duplicate key": ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' is already on line 1"),
    "nested duplicate": ("a:\n  b: 1\n  b: 2\n", "line 3: key 'b' is already on line 2"),
    "50 deep": ("a: " + "[" * 50 + "]" * 50, "nested deeper than 20"),
    "100,000 deep": ("a: " + "[" * 100_000, "nested deeper than 20"),
    "deep blocks": ("".join("  " * i + f"k{i}:\n" for i in range(100)), "line 20: nested deeper than 20"),
    "10 MB": ("a: " + "x" * 10_000_000, "larger than 256 KiB"),
    "many values": ("a: [" + "1," * 120_000 + "]", "more than 10,000 values"),
    "yes": ("shuffle: yes\n", "line 1: yes is read differently .* write true or false"),
    "True": ("shuffle: True\n", "line 1: True is read differently"),
    "Off": ("shuffle: [1, Off]\n", "Off is read differently"),
    "large integer": ("seed: " + "9" * 4000, "line 1: a number is too large"),
    "infinite": ("rate: 1e999\n", "line 1: a number is too large"),
    "huge integer": ("seed: " + "9" * 5000, "line 1: a number is too large"),
    "list": ("- a\n- b\n", "line 1: holds a list, not a mapping"),
    "number key": ("1: a\n", "line 1: a key is not text"),
    "list key": ("? [a, b]\n: c\n", "line 1: a key is not text"),
    "empty": ("", "is empty"),
    "comment only": ("# nothing\n", "is empty"),
    "latin-1": ("name: caf\xe9\n".encode("latin-1"), "line 1: not UTF-8 at byte 9"),
    "two documents": ("a: 1\n---\nb: 2\n", "not valid YAML"),
    "broken": ("a: [1\nb: 2\n", "line 2: not valid YAML"),
    "tab": ("a:\n\tb: 1\n", "line 2: not valid YAML"),
    "control character": ("a: \x07\n", "a character that YAML does not allow"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_F4_hostile_file_is_refused_quickly(case: str, tmp_path: Path) -> None:
    content, reason = REFUSED[case]
    path = written(tmp_path, content)
    start = time.perf_counter()
    with pytest.raises(ParameterError, match=reason) as caught:
        yamlfile.load(path)
    assert time.perf_counter() - start < 1
    assert caught.value.code == "E204"
    assert str(path) in caught.value.message


def test_F4_alias_bomb_costs_no_memory(tmp_path: Path) -> None:
    path = written(tmp_path, BOMB)
    tracemalloc.start()
    with pytest.raises(ParameterError):
        yamlfile.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"E204: .*absent.yml: does not exist; check the path"):
        yamlfile.load(tmp_path / "absent.yml")
    with pytest.raises(ParameterError, match=r"E204: .*cannot be read"):
        yamlfile.load(tmp_path)
