"""LightGBM's model text: what it says was used, which way gaps go, and what is wrong with one, unloaded.

LightGBM takes the indices in a text on trust: a wrong one reads and writes beside its arrays.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

LARGEST_TEXT = 1 << 30  # bytes
RENAMED = {
    "num_iterations": "n_estimators",
    "early_stopping_round": "early_stopping_rounds",
    "seed": "random_state",
}
FILES = (
    "data",
    "valid",
    "header",
    "two_round",
    "pre_partition",
    "precise_float_parser",
    "parser_config_file",
)
COLUMNS = ("label_column", "weight_column", "group_column", "ignore_column", "categorical_feature")
FORCED = ("forcedsplits_filename", "forcedbins_filename", "saved_feature_importance_type", "verbosity")
MACHINES = ("num_machines", "machines", "machine_list_filename", "local_listen_port", "time_out", "num_gpu")
ELSEWHERE = {*FILES, *COLUMNS, *FORCED, *MACHINES, "num_threads"}  # says nothing about the model
_INTEGER = re.compile(r"-?[0-9]{1,10}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?")
_BOUND = re.compile(rf"{_NUMBER.pattern}|-?inf")  # a threshold that parts what is empty from all else is inf
_PARAMETER = re.compile(r"\[([a-z0-9_]+): ([^\]\n]*)\]")
_TAIL = re.compile(
    r"\n\nfeature_importances:\n(f[0-9]+=[0-9]+\n)*"
    r"\nparameters:\n(\[[a-z0-9_]+: [^\]\n]*\]\n)+\nend of parameters\n\npandas_categorical:null\n"
)
_HEADER = (
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "feature_infos",
    "tree_sizes",
)
_FIXED = {
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "binary sigmoid:1",
}
_OF_SPLITS = ("split_feature", "decision_type", "left_child", "right_child")  # integers, one per split
_ABOUT_SPLITS = ("split_gain", "threshold", "internal_value", "internal_weight", "internal_count")
_GAPS_LEFT, _GAPS_KNOWN, _SETTLED = 2, 8, 1 | 4 | 8  # bits of a decision_type; settled: category, gaps seen
_CATEGORIES = ("cat_boundaries", "cat_threshold")


class _Wrong(Exception):
    """A part of the text is not what LightGBM writes."""


def said_parameters(text: str) -> dict[str, Any]:
    """Every parameter that the text says was used, defaults among them, by LightGBM's own names.

    What all families share has the search's name. What is empty or says nothing about the model is left out.
    """
    said = _PARAMETER.findall(text[text.rindex("\nparameters:\n") :])
    return {
        RENAMED.get(name, name): _value(value)
        for name, value in said
        if value and name not in ELSEWHERE and not name.startswith("gpu_")
    }


def leaves(text: str) -> int:
    """The number of leaves in all trees."""
    return sum(int(count) for count in re.findall(r"\nnum_leaves=([0-9]+)\n", text))


def with_ways_for_gaps(text: str, usual: Sequence[float]) -> str:
    """The text in which a column's gap, where training had none, goes the way of its value in `usual`.

    LightGBM would take it for 0. No other cell's way changes.
    """
    head, *trees = re.split(r"(?=^Tree=)", text, flags=re.MULTILINE)
    trees[-1], end, tail = trees[-1].partition("end of trees\n")
    told = [_with_ways(tree, usual) for tree in trees]
    sizes = " ".join(str(len(tree)) for tree in told)
    return re.sub(r"(?<=\ntree_sizes=).*", sizes, head) + "".join(told) + end + tail


def text_faults(content: bytes) -> list[str]:
    """The first thing that is wrong with bytes that claim to be a binary classifier's text; else nothing."""
    try:
        _check(content)
    except _Wrong as wrong:
        return [str(wrong)]
    return []


def _with_ways(tree: str, usual: Sequence[float]) -> str:
    said = dict(line.split("=", 1) for line in tree.splitlines() if "=" in line)
    splits = zip(
        *(said[name].split() for name in ("decision_type", "split_feature", "threshold")), strict=True
    )
    told = [
        kind if int(kind) & _SETTLED else str(_GAPS_KNOWN | _GAPS_LEFT * (usual[int(column)] <= float(bound)))
        for kind, column, bound in splits
    ]
    return re.sub(r"(?<=\ndecision_type=).*", " ".join(told), tree)


def _check(content: bytes) -> None:
    _need(len(content) <= LARGEST_TEXT, f"larger than {LARGEST_TEXT} bytes")
    _need(content.startswith(b"tree\n"), "does not begin with the line 'tree'")
    _need(content.isascii(), "holds characters that LightGBM does not write")
    text = content.decode("ascii")
    _need(re.search(r"[^\n -~]", text) is None, "holds control characters")
    head, _, rest = text.partition("\n\nTree=0\n")
    trees, end, tail = f"Tree=0\n{rest}".partition("end of trees\n")
    _need(bool(rest and end), "holds no trees, or no end of them")
    _need(_TAIL.fullmatch(f"\n{tail}") is not None, "unknown lines after the trees")
    features, sizes = _header(head)
    _need(sum(sizes) == len(trees), "tree_sizes differ from the trees' lengths")
    at = 0
    for number, size in enumerate(sizes):
        _tree(trees[at : at + size], number, features)
        at += size


def _header(head: str) -> tuple[int, list[int]]:
    """How many features there are, and every tree's length."""
    header = _fields(head.split("\n")[1:], "the header")
    _need(tuple(header) == _HEADER, f"the header does not hold {', '.join(_HEADER)}")
    for name, value in _FIXED.items():
        _need(header[name] == value, f"{name} is not {value}")
    names = header["feature_names"].split(" ")
    _need(
        names == [f"f{place:04d}" for place in range(1, len(names) + 1)],
        "feature_names are not f0001, f0002, …",
    )
    _need(header["max_feature_idx"] == str(len(names) - 1), "max_feature_idx differs from feature_names")
    _need(len(header["feature_infos"].split(" ")) == len(names), "feature_infos differ from feature_names")
    return len(names), _integers(header["tree_sizes"], "tree_sizes", low=1)


def _tree(block: str, number: int, features: int) -> None:
    where = f"tree {number}"
    lines = block.split("\n")
    _need(lines[0] == f"Tree={number}" and lines[-3:] == ["", "", ""], f"{where} is not where tree_sizes say")
    tree = _fields(lines[1:-3], where)
    expected = {"num_leaves", "num_cat", *_OF_SPLITS, *_ABOUT_SPLITS, "is_linear", "shrinkage"}
    expected |= {"leaf_value", "leaf_weight", "leaf_count"}
    expected |= set(_CATEGORIES) if tree.get("num_cat") != "0" else set()
    _need(set(tree) == expected, f"{where} has unknown, doubled or missing lines")
    _need(tree["is_linear"] == "0", f"{where} is linear")
    (count,) = _integers(tree["num_leaves"], f"{where} num_leaves", low=1, size=1)
    splits = {
        name: _integers(tree[name], f"{where} {name}", low=-count, size=count - 1) for name in _OF_SPLITS
    }
    for name in _ABOUT_SPLITS:
        _numbers(tree[name], f"{where} {name}", count - 1, allowed=_BOUND)
    _numbers(tree["leaf_value"], f"{where} leaf_value", count)
    for name in ("leaf_weight", "leaf_count"):
        _numbers(tree[name], f"{where} {name}", count if count > 1 or tree[name] else 0)
    _numbers(tree["shrinkage"], f"{where} shrinkage", 1)
    _need(all(0 <= at < features for at in splits["split_feature"]), f"{where} splits on an unknown feature")
    _need(all(0 <= kind < 16 for kind in splits["decision_type"]), f"{where} has an unknown decision_type")
    _children(splits["left_child"], splits["right_child"], where)
    _categories(tree, splits["decision_type"], where)


def _children(left: Sequence[int], right: Sequence[int], where: str) -> None:
    """Every split but the first, and every leaf (as -1, -2, …), is one earlier split's child."""
    for split, pair in enumerate(zip(left, right, strict=True)):
        _need(all(child < 0 or child > split for child in pair), f"{where} has a circle")
    reached = sorted([*left, *right])
    wanted = [*range(-len(left) - 1, 0), *range(1, len(left))] if left else []
    _need(reached == wanted, f"{where} has a child that is none, or twice one")


def _categories(tree: dict[str, str], kinds: Sequence[int], where: str) -> None:
    """A categorical split's threshold is a place in `cat_boundaries`; these are places in `cat_threshold`."""
    (count,) = _integers(tree["num_cat"], f"{where} num_cat", low=0, size=1)
    thresholds = tree["threshold"].split(" ")
    sets = [value for value, kind in zip(thresholds, kinds, strict=False) if kind & 1]
    places = _integers(" ".join(sets), f"{where} threshold", low=0)
    _need(all(place < count for place in places), f"{where} has a threshold outside its categories")
    if count:
        bounds = _integers(tree["cat_boundaries"], f"{where} cat_boundaries", low=0, size=count + 1)
        words = _integers(tree["cat_threshold"], f"{where} cat_threshold", low=0)
        sound = bounds[0] == 0 and bounds == sorted(bounds) and bounds[-1] == len(words)
        _need(sound and max(words, default=0) < 1 << 32, f"{where} has wrong cat_boundaries")


def _fields(lines: Sequence[str], where: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in lines]
    _need(all(equals for _, equals, _ in pairs), f"{where} has a line without '='")
    fields = {name: value for name, _, value in pairs}
    _need(len(fields) == len(pairs), f"{where} has a line twice")
    return fields


def _integers(text: str, where: str, *, low: int, size: int | None = None) -> list[int]:
    words = text.split(" ") if text else []
    _need(size is None or len(words) == size, f"{where}: {len(words)} values found, {size} expected")
    _need(all(_INTEGER.fullmatch(word) for word in words), f"{where} holds something else than integers")
    values = [int(word) for word in words]
    _need(all(value >= low for value in values), f"{where} holds a number below {low}")
    return values


def _numbers(text: str, where: str, size: int, *, allowed: re.Pattern[str] = _NUMBER) -> None:
    words = text.split(" ") if text else []
    _need(len(words) == size, f"{where}: {len(words)} values found, {size} expected")
    _need(all(allowed.fullmatch(word) for word in words), f"{where} holds something else than numbers")


def _need(holds: bool, wrong: str) -> None:
    if not holds:
        raise _Wrong(wrong)


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
