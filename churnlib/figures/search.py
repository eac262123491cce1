"""Figures of the search phase: which configuration ranks best, when it stopped, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from churnlib.figures.style import (
    BLUE,
    GREY,
    MOST,
    PALE,
    VERMILLION,
    entitle,
    label,
    new_figure,
    panels,
    rows_with_intervals,
    statement,
    styled,
)

FEW = 8  # up to so many distinct values of a hyperparameter stand side by side, each with its mean


@styled
def validation_auc(table: pd.DataFrame, *, ceiling: float | None = None) -> Figure:
    """Every configuration's validation AUC with its 95 % interval, the best at the top.

    The frame has the columns name, val_auc, low, high, sorted by val_auc from high to low; `ceiling`
    is the AUC that no model can beat, where it is known.
    """
    shown = table.head(MOST)
    figure, axes = new_figure(height=1.8 + 0.26 * len(shown))
    panel: Axes = axes[0, 0]
    colours = [VERMILLION] + [BLUE] * (len(shown) - 1)
    names = [label(name, 40) for name in shown["name"]]
    rows_with_intervals(panel, names, shown["val_auc"], shown["low"], shown["high"], colours)
    for row, (auc, high) in enumerate(zip(shown["val_auc"], shown["high"], strict=True)):
        panel.annotate(f"{auc:.4f}", (high, row), (6, 0), textcoords="offset points", va="center", size=8)
    if ceiling is not None:
        panel.axvline(ceiling, color=GREY, linestyle="--", linewidth=1)
        panel.annotate(
            f"best possible {ceiling:.4f}",
            (ceiling, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=GREY,
            size=8,
        )
    panel.margins(x=0.08)
    panel.set_xlabel("validation AUC (0.5 = by chance, 1 = perfect), with its 95% interval")
    entitle(figure, "Which configuration ranks validation subscribers best?", _lead(table))
    return figure


def _lead(table: pd.DataFrame) -> str:
    best, others = table.iloc[0], table.iloc[1:]
    text = f"{label(best['name'], 40)} leads with AUC {best['val_auc']:.4f}"
    if others.empty:
        return f"{text}; it is the only configuration."
    overlapping = int((others["high"] >= best["low"]).sum())
    text += f"; {overlapping} of the {len(others)} other intervals overlap its own"
    return f"{text}; the best {MOST} of {len(table)} are shown." if len(table) > MOST else f"{text}."


@styled
def learning_curves(curves: Mapping[str, pd.DataFrame], *, best: str | None = None) -> Figure:
    """Log loss on validation data as trees are added: one configuration strong, the others grey.

    Each frame has the columns iteration, train_log_loss, val_log_loss. `best` names the strong one;
    without it, the one that reaches the lowest validation log loss.
    """
    strong = best or min(curves, key=lambda name: float(curves[name]["val_log_loss"].min()))
    figure, axes = new_figure(height=4.2)
    panel: Axes = axes[0, 0]
    others = [curve for name, curve in curves.items() if name != strong]
    for position, curve in enumerate(others):
        name = f"validation, the {len(others)} other{'s' * (len(others) > 1)}" if position == 0 else None
        panel.plot(curve["iteration"], curve["val_log_loss"], color=PALE, linewidth=1, label=name)
    curve = curves[strong]
    low = curve.iloc[int(curve["val_log_loss"].argmin())]
    x, y = float(low["iteration"]), float(low["val_log_loss"])
    short = label(strong, 40)
    panel.plot(
        curve["iteration"], curve["train_log_loss"], color=BLUE, linestyle=":", label=f"training, {short}"
    )
    panel.plot(
        curve["iteration"], curve["val_log_loss"], color=BLUE, linewidth=2.4, label=f"validation, {short}"
    )
    panel.plot([x], [y], "o", color=VERMILLION, markersize=8, zorder=4, label=f"its best iteration, {x:.0f}")
    panel.axvline(x, color=VERMILLION, linewidth=0.8, linestyle="--")
    panel.set_xlabel("iteration (trees)")
    panel.set_ylabel("log loss (nats per subscriber)")
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower left", ncols=2)
    answer = f"{short}: validation log loss is lowest, {y:.4f}, at iteration {x:.0f} of {len(curve)}."
    entitle(figure, "When does adding trees stop helping?", answer)
    return figure


@styled
def auc_by_hyperparameter(table: pd.DataFrame, parameters: Sequence[str]) -> Figure:
    """Validation AUC against each hyperparameter that varies: a dot per configuration, a dash per mean.

    The frame has the column val_auc and one column per hyperparameter; low and high are drawn as the
    dots' intervals where they are there.
    """
    question = "Which hyperparameters move validation AUC?"
    varying = [name for name in parameters if table[name].astype(str).nunique() > 1]
    if not varying:
        return statement(question, "None can be seen: no hyperparameter takes more than one value.")
    shown = varying[:MOST]
    figure, axes = panels(len(shown), across=3, height=2.0, sharey=True)
    with_means = [_scatter(panel, table[name], table) for panel, name in zip(axes, shown, strict=True)]
    figure.supylabel("validation AUC", size=9)
    constant = len(parameters) - len(varying)
    parts = ["Dot: a configuration" + ("; dash: the mean of a value" if any(with_means) else "")]
    parts += [f"left out, since they never vary: {constant}"] if constant else []
    parts += [f"the first {MOST} of {len(varying)} are shown"] if len(varying) > MOST else []
    entitle(figure, question, "; ".join(parts) + ".")
    return figure


def _scatter(axes: Axes, values: pd.Series[Any], table: pd.DataFrame) -> bool:
    """Draw one panel; whether each value got its mean."""
    discrete = values.astype(str).nunique() <= FEW or not pd.api.types.is_numeric_dtype(values)
    places = _side_by_side(axes, values) if discrete else _along(axes, values.astype(float))
    if {"low", "high"} <= set(table.columns):
        axes.vlines(places, table["low"], table["high"], colors=BLUE, linewidth=1.2, alpha=0.25)
    if discrete:
        means = table["val_auc"].groupby(places).mean()
        axes.plot(means.index, means, "_", color=VERMILLION, markersize=22, markeredgewidth=2.2)
    axes.scatter(places, table["val_auc"], c=BLUE, s=22, alpha=0.8, zorder=3)
    axes.set_xlabel(label(values.name, 32))
    return discrete


def _side_by_side(axes: Axes, values: pd.Series[Any]) -> pd.Series[float]:
    """One place per distinct value, in order, so that 0.05 and 0.1 do not run into each other."""
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    codes, levels = pd.factorize(values if numeric else values.astype(str), sort=True)
    axes.set_xticks(np.arange(len(levels)), [f"{v:g}" if numeric else label(v, 12) for v in levels])
    axes.set_xlim(-0.6, len(levels) - 0.4)
    return pd.Series(codes, index=values.index, dtype=float)


def _along(axes: Axes, numbers: pd.Series[float]) -> pd.Series[float]:
    """The numbers themselves, on a logarithmic axis where they span more than a factor of 20."""
    if numbers.min() > 0 and numbers.max() / numbers.min() > 20:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    return numbers
