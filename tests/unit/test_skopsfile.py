from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from skops.io import dumps, loads

from churnlib.families.forest import Predictor, faults
from churnlib.models.scorer import Column, Encoder
from churnlib.models.skopsfile import NODE, TreeParts, canonical, read

TRUSTED = ["sklearn.tree._tree.Tree"]
ENCODER = Encoder(
    [Column("a", "number", nullable=True), Column("b", "category", nullable=True, levels=("x",))]
)
Schema = dict[str, Any]
Entries = dict[str, bytes]


@cache
def grown() -> Any:
    """A tree of seven nodes on two columns."""
    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(300, 2)).astype(np.float32)
    matrix[::9, 0] = np.nan
    return DecisionTreeClassifier(max_depth=2, random_state=0).fit(matrix, draw.random(300) < 0.3).tree_


def held(**changes: Any) -> dict[str, Any]:
    return {"trees": [grown(), grown()], "rates": [np.array([0.2, 0.3], dtype=np.float32)], **changes}


@cache
def good() -> bytes:
    return canonical(dumps(held()))


def entries(content: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(parts: Entries, compression: int = zipfile.ZIP_STORED) -> bytes:
    """As the library packs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr, entry.compress_type = 3, 0o600 << 16, compression
            file.writestr(entry, data)
    return buffer.getvalue()


def with_schema(change: Callable[[Schema], object]) -> bytes:
    parts = entries(good())
    schema = json.loads(parts["schema.json"])
    change(schema)
    return packed({**parts, "schema.json": json.dumps(schema, separators=(",", ":")).encode()})


def saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def with_array(of: str, change: Callable[[Any], Any]) -> bytes:
    """The file with another array for the nodes, the values or the rates, in every tree."""
    parts = entries(good())
    for name, data in parts.items():
        found = np.load(io.BytesIO(data)) if name != "schema.json" else None
        kinds = {"nodes": NODE, "values": np.dtype("<f8"), "rates": np.dtype("<f4")}
        if found is not None and found.dtype == kinds[of]:
            parts[name] = saved(change(found.copy()))
    return packed(parts)


def test_the_library_packs_as_these_tests_do() -> None:
    assert packed(entries(good())) == good()


def test_a_canonical_file_has_no_fault_and_skops_loads_it() -> None:
    assert faults(good()) == []
    loaded = loads(good(), trusted=TRUSTED)
    assert loaded["trees"][1].node_count == 7
    assert np.array_equal(loaded["trees"][0].value, grown().value)
    assert loaded["rates"][0].tolist() == held()["rates"][0].tolist()


def test_equal_content_gives_equal_bytes_though_skops_gives_others() -> None:
    copies = [loads(dumps(held()), trusted=TRUSTED) for _ in range(2)]
    assert dumps(copies[0]) != dumps(copies[1])
    assert canonical(dumps(copies[0])) == canonical(dumps(copies[1], compression=8)) == good()


def test_what_memory_held_between_the_fields_of_a_node_is_not_stored() -> None:
    parts = entries(dumps(held()))
    for name, data in parts.items():
        if b"missing_go_to_left" in data:
            rows = np.frombuffer(data[-7 * 64 :], np.uint8).reshape(7, 64).copy()
            rows[:, 57:] = 255
            parts[name] = data[: -7 * 64] + rows.tobytes()
    assert canonical(packed(parts)) == good()


def test_equal_arrays_are_stored_once_and_nothing_is_compressed() -> None:
    assert list(entries(good())) == ["schema.json", *(f"{number:06d}.npy" for number in range(4))]
    assert b"__id__" not in entries(good())["schema.json"]


def test_reading_gives_parts_without_making_a_tree() -> None:
    found = read(good())
    tree = found["trees"][0]
    assert isinstance(tree, TreeParts)
    assert isinstance(tree.state, dict)
    assert tree.state["nodes"].tobytes() == grown().__getstate__()["nodes"].tobytes()
    assert not tree.state["nodes"].flags.writeable


class Attack:
    """An object whose pickle, once it is read, leaves a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def test_D3_a_hostile_file_is_refused_by_both_checks_and_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    parts = entries(good())
    objects = saved(np.array([Attack(marker)], dtype=object))
    pickled = objects[objects.index(b"\n") + 1 :]
    hostile = {
        "a pickle": pickled,
        "a pickle in an array": packed({**parts, "000001.npy": objects}),
        "another entry": packed({**parts, "run.py": b"import os"}),
        "a pickle beside": packed({**parts, "model.pkl": pickled}),
        "a function": with_schema(lambda schema: schema["content"].update(rates=call(marker))),
        "an old protocol": with_schema(lambda schema: schema.update(protocol=0)),
        "cut off": good()[: len(good()) // 2],
        "empty": b"",
        "a bomb": packed({**parts, "000001.npy": bytes(50_000_000)}, zipfile.ZIP_DEFLATED),
        "another file": b"{L" + bytes(100),
    }
    for name, content in hostile.items():
        assert faults(content), name
        with pytest.raises((ValueError, zipfile.BadZipFile)):
            Predictor(content, ENCODER)
    assert not marker.exists()


def call(marker: Path) -> Schema:
    """A node that makes skops call `Path.touch` in any file that trusts it."""
    return {
        "__class__": "touch",
        "__module__": "pathlib",
        "__loader__": "MethodNode",
        "content": {"func": "touch", "obj": str(marker)},
    }


def first_tree(schema: Schema) -> Schema:
    """The first tree's node."""
    tree: Schema = schema["content"]["trees"]["content"][0]
    return tree


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (packed({**entries(good()), "../evil.npy": b""}), "entries are not"),
        (packed(dict(reversed(entries(good()).items()))), "entries are not"),
        (good() + b"more", "not packed as this library packs"),
        (b"more" + good(), "not packed as this library packs"),
        (packed(entries(good()), zipfile.ZIP_DEFLATED), "compressed"),
        (packed({"schema.json": b"[" * 100_000}), "nested too deep"),
        (packed({"schema.json": b"[]"}), "protocol"),
        (packed({}), "entries are not"),
        (with_schema(lambda schema: schema.update(_skops_version="0.16")), "none is expected"),
        (with_schema(lambda schema: first_tree(schema).update(__class__="BaseTree")), "BaseTree"),
        (with_schema(lambda schema: first_tree(schema).update(__module__=["x"])), "none is expected"),
        (with_schema(lambda schema: first_tree(schema).update(__loader__="ObjectNode")), "none is expected"),
        (with_schema(lambda schema: first_tree(schema).update(__reduce__=[])), "cannot be one"),
        (with_schema(lambda schema: schema["content"].update(rates=3)), "plain value"),
        (with_schema(lambda schema: schema["content"].pop("rates")), "cannot be one"),
        (with_schema(lambda schema: schema["content"]["trees"]["content"].clear()), "no forest"),
        (packed({**entries(good()), "000001.npy": b"\x93NUMPY\x03\x00"}), "no array of numbers"),
        (packed({**entries(good()), "000001.npy": saved(np.array([{}]))}), "no array of numbers"),
        (packed({**entries(good()), "000001.npy": saved(np.arange(3.0))[:-8]}), "not as many values"),
        (packed({**entries(good()), "000001.npy": saved(np.arange(3.0)) + b"more"}), "not as many values"),
    ],
)
def test_what_is_not_canonical_is_named(content: bytes, reason: str) -> None:
    found = faults(content)
    assert len(found) == 1
    assert reason in found[0]
    assert len(found[0]) < 200


def at(name: str, row: int, value: float) -> Callable[[Any], Any]:
    """The nodes with one of their fields replaced."""

    def change(nodes: Any) -> Any:
        nodes[name][row] = value
        return nodes

    return change


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (with_array("nodes", at("left_child", 0, 1_000_000)), "children that make no tree"),
        (with_array("nodes", at("left_child", 0, 0)), "children that make no tree"),
        (with_array("nodes", at("left_child", 1, 4)), "children that make no tree"),
        (with_array("nodes", at("right_child", 0, -7)), "children that make no tree"),
        (with_array("nodes", at("right_child", 2, 3)), "a leaf with a child"),
        (with_array("nodes", at("feature", 0, 2)), "a split on a column beyond the 2"),
        (with_array("nodes", at("feature", 0, -2)), "a split on a column beyond the 2"),
        (with_array("nodes", at("threshold", 0, np.nan)), "a split at no number"),
        (with_array("nodes", at("weighted_n_node_samples", 3, 0)), "a node without rows"),
        (with_array("nodes", lambda nodes: nodes[:3]), "do not agree"),
        (with_array("nodes", lambda nodes: nodes["threshold"]), "of another type"),
        (with_array("values", lambda values: values[:3]), "do not agree"),
        (with_array("values", lambda values: values * np.nan), "no probability"),
        (with_array("values", lambda values: values * 3), "no probability"),
        (with_array("rates", lambda rates: rates * 9), "rates of categories"),
        (with_array("rates", lambda rates: rates[:0]), "rates of categories"),
    ],
)
def test_a_tree_that_would_read_foreign_memory_is_named(content: bytes, reason: str) -> None:
    assert any(reason in fault for fault in faults(content)), faults(content)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("node_count", "8", "do not agree"),
        ("node_count", '"7"', "of another type"),
        ("max_depth", "1", "another depth"),
        ("max_depth", "null", "of another type"),
    ],
)
def test_a_tree_that_tells_another_size_is_named(name: str, value: str, reason: str) -> None:
    def change(schema: Schema) -> None:
        first_tree(schema)["content"]["content"][name]["content"] = value

    assert any(reason in fault for fault in faults(with_schema(change)))


def test_trees_for_different_columns_are_named() -> None:
    def change(schema: Schema) -> None:
        first_tree(schema)["__reduce__"]["args"]["content"][0]["content"] = "3"

    assert any("not for 3 columns" in fault for fault in faults(with_schema(change)))
