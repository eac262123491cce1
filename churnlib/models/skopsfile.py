"""A skops file in one canonical form: its bytes depend on the content alone, and can be read without loading.

skops writes memory addresses, times and its own version into a file. The canonical form leaves them out,
names arrays in order of appearance and compresses nothing: no byte depends on a compressor, nothing can be
a bomb.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt

SCHEMA = "schema.json"
PROTOCOL = 2
LARGEST = 1 << 30  # bytes
NODE = np.dtype(  # of scikit-learn's trees; the last field is followed by 7 bytes of padding
    {
        "names": [
            "left_child",
            "right_child",
            "feature",
            "threshold",
            "impurity",
            "n_node_samples",
            "weighted_n_node_samples",
            "missing_go_to_left",
        ],
        "formats": ["<i8", "<i8", "<i8", "<f8", "<f8", "<i8", "<f8", "u1"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
_USED = 57  # bytes of a node, before its padding
DTYPES = (NODE, np.dtype("<f8"), np.dtype("<f4"), np.dtype("<i8"))  # and never an object
_DESCRIBED = {repr(np.lib.format.dtype_to_descr(dtype)).encode(): dtype for dtype in DTYPES}
_HEADER = re.compile(  # of a .npy file in version 1.0: its length, type and shape
    rb"\x93NUMPY\x01\x00(..)\{'descr': ([^\n]+), 'fortran_order': False, "
    rb"'shape': \(([0-9]{1,12},|(?:[0-9]{1,12}, )*[0-9]{1,12})\), \} *\n",
    re.DOTALL,
)
_KIND = ("__module__", "__class__", "__loader__")
_NODES = {  # what a schema may name, and the further keys of each
    ("builtins", "dict", "DictNode"): {"content", "key_types"},
    ("builtins", "list", "ListNode"): {"content"},
    ("builtins", "tuple", "TupleNode"): {"content"},
    ("builtins", "str", "JsonNode"): {"content", "is_json"},
    ("builtins", "str", "TypeNode"): set(),
    ("numpy", "ndarray", "NdArrayNode"): {"type", "file"},
    ("sklearn.tree._tree", "Tree", "TreeNode"): {"content", "__reduce__"},
}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TreeParts:
    """What scikit-learn would make a tree of: the constructor's arguments, and the state set after it."""

    arguments: object
    state: object


def canonical(content: bytes) -> bytes:
    """The canonical form of what `skops.io.dumps` gave; skops loads both to equal objects."""
    with ZipFile(io.BytesIO(content)) as file:
        found = {name: file.read(name) for name in file.namelist()}
    said = json.loads(found.pop(SCHEMA))
    del said["_skops_version"]
    names: dict[bytes, str] = {}
    schema = _renamed(said, found, names)
    return _packed(schema, {name: data for data, name in names.items()})


def read(content: bytes) -> Any:
    """What a canonical file holds, read without skops and without making any object of its types.

    Dictionaries, lists, tuples, plain values, read-only arrays, and `TreeParts` where a tree stands.
    ValueError says what is not canonical, or none of these.
    """
    if len(content) > LARGEST:
        raise ValueError(f"{len(content):,} bytes found, at most {LARGEST:,} expected")
    entries = _entries(content)
    expected = [SCHEMA, *(_name(position) for position in range(len(entries) - 1))]
    if strange := [name for name in entries if name not in expected] or list(entries) != expected:
        raise ValueError(f"entries are not {SCHEMA} and numbered .npy files: {str(strange)[:80]}")
    try:
        schema = json.loads(entries.pop(SCHEMA))
        repacked = _packed(schema, entries)
    except RecursionError as error:
        raise ValueError(f"{SCHEMA} is nested too deep") from error
    if not isinstance(schema, dict) or schema.pop("protocol", None) != PROTOCOL:
        raise ValueError(f"not of skops protocol {PROTOCOL}")
    found = _value(schema, {name: _array(name, data) for name, data in entries.items()})
    if repacked != content:
        raise ValueError("not packed as this library packs: bytes that no entry holds, or another notation")
    return found


def _name(position: int) -> str:
    return f"{position:06d}.npy"


def _renamed(said: Any, found: Mapping[str, bytes], names: dict[bytes, str]) -> Any:
    """The same without addresses; equal arrays share a name, which counts up in order of appearance."""
    if isinstance(said, list):
        return [_renamed(item, found, names) for item in said]
    if not isinstance(said, dict):
        return said
    renamed = {key: _renamed(item, found, names) for key, item in said.items() if key != "__id__"}
    if renamed.get("__loader__") == "NdArrayNode":
        renamed["file"] = names.setdefault(_unpadded(found[said["file"]]), _name(len(names)))
    return renamed


def _unpadded(data: bytes) -> bytes:
    """The same array with zeros between a tree's nodes, where loading leaves whatever memory held."""
    array = _array("an array to store", data)
    if array.dtype != NODE:
        return data
    begin = len(data) - array.nbytes
    rows = np.frombuffer(data, np.uint8, offset=begin).reshape(-1, NODE.itemsize).copy()
    rows[:, _USED:] = 0
    return data[:begin] + rows.tobytes()


def _packed(schema: Any, arrays: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    text = json.dumps(schema, separators=(",", ":")).encode()
    with ZipFile(buffer, "w", ZIP_STORED) as file:
        for name, data in {SCHEMA: text, **arrays}.items():
            entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # as on Unix, wherever it is written
            entry.external_attr = 0o600 << 16
            file.writestr(entry, data)
    return buffer.getvalue()


def _entries(content: bytes) -> dict[str, bytes]:
    """Every entry's bytes, in the file's order; nothing is decompressed."""
    try:
        with ZipFile(io.BytesIO(content)) as file:
            listed = file.infolist()
            if any(entry.compress_type != ZIP_STORED for entry in listed):
                raise ValueError("a compressed entry found, none expected")
            if sum(entry.file_size for entry in listed) > len(content):
                raise ValueError("entries larger than the file")
            return {entry.filename: file.read(entry) for entry in listed}
    except (BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, struct.error) as error:
        raise ValueError("no whole zip file") from error


def _array(name: str, data: bytes) -> Array:
    """The array, of one of `DTYPES`, that views these bytes."""
    header = _HEADER.match(data)
    dtype = _DESCRIBED.get(header[2]) if header else None
    if header is None or dtype is None:
        raise ValueError(f"{name}: no array of numbers of a known type")
    shape = tuple(int(length) for length in re.findall(rb"[0-9]+", header[3]))
    begin = header.end()
    if (
        int.from_bytes(header[1], "little") != begin - 10
        or math.prod(shape) * dtype.itemsize != len(data) - begin
    ):
        raise ValueError(f"{name}: not as many values as its header says")
    return np.frombuffer(data, dtype, offset=begin).reshape(shape)


def _value(said: Any, arrays: Mapping[str, Array]) -> Any:
    """The object that a node of the schema describes; a node is of a closed list and has exactly its keys."""
    if not isinstance(said, dict):
        raise ValueError(f"{SCHEMA}: a plain value where a node is expected")
    module, name, loader = (str(said.get(key)) for key in _KIND)
    if _NODES.get((module, name, loader)) != set(said) - set(_KIND):
        raise ValueError(f"{SCHEMA}: {f'{module}.{name}'[:80]!r} where none is expected")
    match loader, said.get("content"):
        case "ListNode", list(items):
            return [_value(item, arrays) for item in items]
        case "TupleNode", list(items):
            return tuple(_value(item, arrays) for item in items)
        case "DictNode", dict(items) if _value(said["key_types"], arrays) == [str] * len(items):
            return {key: _value(item, arrays) for key, item in items.items()}
        case "JsonNode", str(text):
            return json.loads(text)
        case "TypeNode", _:
            return str
        case "NdArrayNode", _ if said["type"] == "numpy" and str(said["file"]) in arrays:
            return arrays[str(said["file"])]
        case "TreeNode", state if isinstance(said["__reduce__"], dict) and list(said["__reduce__"]) == [
            "args"
        ]:
            return TreeParts(_value(said["__reduce__"]["args"], arrays), _value(state, arrays))
    raise ValueError(f"{SCHEMA}: a {name} that cannot be one")
