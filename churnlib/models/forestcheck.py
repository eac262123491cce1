"""Whether what a file holds is a forest: scikit-learn follows the links of its trees without looking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from churnlib.models.skopsfile import NODE, Array, TreeParts

LEAF = -1
_STATE = ("max_depth", "node_count", "nodes", "values")


def forest_faults(said: Any) -> Iterator[str]:
    """What keeps the content of a file from being a forest with the rates of its categories."""
    match said:
        case {"trees": [TreeParts(arguments=(int(n_columns), _, _)), *_] as trees, "rates": list(rates)}:
            for position, tree in enumerate(trees):
                yield from (f"tree {position}: {fault}" for fault in _tree_faults(tree, n_columns))
            if len(said) != 2 or not all(_is_rates(item) for item in rates):
                yield "rates of categories that are none"
        case _:
            yield "no forest"


def _tree_faults(tree: Any, n_columns: int) -> Iterator[str]:
    """What would make scikit-learn read memory that is not the tree's, or descend for ever."""
    parts = isinstance(tree, TreeParts) and isinstance(tree.arguments, tuple) and isinstance(tree.state, dict)
    if not parts or set(tree.state) != set(_STATE):
        yield "no tree"
        return
    depth, count, nodes, values = (tree.state[name] for name in _STATE)
    if not (_is(nodes, NODE, 1) and _is(values, np.dtype("<f8"), 3) and type(count) is type(depth) is int):
        yield "nodes or values of another type"
        return
    if [_plain(item) for item in tree.arguments] != [n_columns, [2], 1]:
        yield f"not for {n_columns} columns and two classes"
    if not count or count != len(nodes) or values.shape != (count, 1, 2):
        yield "nodes, values and their count do not agree"
        return
    if not ((values >= 0) & (values <= 1)).all():  # NaN is in no range
        yield "a leaf holds no probability"
    if not (np.isfinite(nodes["weighted_n_node_samples"]) & (nodes["weighted_n_node_samples"] > 0)).all():
        yield "a node without rows"
    yield from _about_links(nodes, depth, n_columns)


def _about_links(nodes: Array, max_depth: int, n_columns: int) -> Iterator[str]:
    """Inner nodes lead to two later ones, each node but the first has one parent, the depth is as stated."""
    left, right = nodes["left_child"], nodes["right_child"]
    inner = np.flatnonzero(left != LEAF)
    if (right[left == LEAF] != LEAF).any():
        yield "a leaf with a child"
    children = np.concatenate([left[inner], right[inner]])
    ordered = (left[inner] > inner).all() and (right[inner] > inner).all()
    if not (ordered and np.array_equal(np.sort(children), np.arange(1, len(nodes)))):
        yield "children that make no tree"
        return
    features = nodes["feature"][inner]
    if ((features < 0) | (features >= n_columns)).any():
        yield f"a split on a column beyond the {n_columns}"
    if np.isnan(nodes["threshold"][inner]).any():
        yield "a split at no number"
    if _depth(left, right) != max_depth:
        yield "another depth than it states"


def _depth(left: Array, right: Array) -> int:
    """Levels below the root of a tree whose children are in order."""
    depth, level = -1, np.array([0])
    while len(level):
        depth += 1
        level = level[left[level] != LEAF]
        level = np.concatenate([left[level], right[level]])
    return depth


def _plain(found: Any) -> Any:
    return found.tolist() if isinstance(found, np.ndarray) else found


def _is_rates(item: Any) -> bool:
    return _is(item, np.dtype("<f4"), 1) and len(item) > 0 and bool(((item >= 0) & (item <= 1)).all())


def _is(array: object, dtype: np.dtype[Any], dimensions: int) -> bool:
    return isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == dimensions
