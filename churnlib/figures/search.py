"""Figures of the search phase: which configuration ranks best, when it stopped, and what mattered.

The search's table is described in `figures.entrants`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from churnlib.figures.entrants import (
    NAME,
    Numbers,
    bar_name,
    bars,
    best_possible,
    dots,
    legend,
    look,
    place_of,
    ring,
    score_name,
    title,
)
from churnlib.figures.style import (
    BLUE,
    INK,
    MOST,
    PALE,
    VERMILLION,
    HouseFigure,
    entitle,
    label,
    new_figure,
    panels,
    statement,
    styled,
)

RESULTS = (
    "index|name|family|run_id|score|behind(_standard_error)?|(val|cv)_.*|best_iteration|model_size|"
    "train_time_seconds"
)
FEW = 8  # up to so many distinct values of a setting stand side by side, each with its mean
LEARNED = "When does training longer stop helping?"


@styled
def validation_auc(table: pd.DataFrame, *, winner: str, ceiling: float | None = None) -> HouseFigure:
    """The validation AUC of the best configurations with its 95 % interval, in the table's order.

    The winner is among them wherever it stands; `ceiling` is the AUC that no model can beat.
    """
    shown = _best_and(table, winner)
    figure, axes = new_figure(height=2.2 + 0.26 * len(shown))
    panel: Axes = axes[0, 0]
    rows = np.arange(len(shown))
    colours = [look(kind)[1] for kind in shown["family"]]
    panel.hlines(rows, shown["val_auc_low"], shown["val_auc_high"], colors=colours, linewidth=2, alpha=0.55)
    dots(panel, shown, shown["val_auc"], rows)
    at = place_of(shown, winner)
    ring(panel, shown["val_auc"].iloc[at], at)
    for row, auc, high in zip(rows, shown["val_auc"], shown["val_auc_high"], strict=True):
        panel.annotate(f"{auc:.4f}", (high, row), (6, 0), textcoords="offset points", va="center", size=8)
    if ceiling is not None:
        best_possible(panel, ceiling)
    panel.set_yticks(rows, [label(name, NAME) for name in shown["name"]])
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    panel.margins(x=0.08)
    panel.set_xlabel("validation AUC (0.5 = by chance, 1 = perfect), with its 95% interval")
    figure.legend(handles=legend(shown, winner), loc="outside lower left", ncols=3)
    entitle(
        figure,
        "Which configuration ranks validation subscribers best?",
        _lead(table, place_of(table, winner)),
    )
    return figure


def _best_and(table: pd.DataFrame, winner: str) -> pd.DataFrame:
    """The first `MOST` rows; a winner further down takes the last place among them."""
    at = place_of(table, winner)
    return table.head(MOST) if at < MOST else pd.concat([table.head(MOST - 1), table.iloc[[at]]])


def _lead(table: pd.DataFrame, at: int) -> str:
    """Who leads, how clearly, and what is shown; the winner stands in row `at`."""
    best, others = table.iloc[0], table.iloc[1:]
    if "cv_auc" in table:
        text = (
            f"{label(best['name'], NAME)} leads by cross-validated AUC, {best['score']:.4f}, which set the "
        )
        text += "order; these rows had no say"
    else:
        text = f"{label(best['name'], NAME)} leads with AUC {best['val_auc']:.4f}"
        overlapping = int((others["val_auc_high"] >= best["val_auc_low"]).sum())
        text += f"; {overlapping} of the {len(others)} other intervals overlap its own" if len(others) else ""
    if others.empty:
        return f"{text}; it is the only configuration."
    if len(table) <= MOST:
        return f"{text}."
    if at < MOST:
        return f"{text}; the best {MOST} of {len(table):,} are shown."
    return f"{text}; the best {MOST - 1} of {len(table):,} are shown, and the winner, in place {at + 1:,}."


@styled
def learning_curves(curves: Mapping[str, pd.DataFrame], table: pd.DataFrame, *, winner: str) -> HouseFigure:
    """Log loss on validation data as training goes on: one configuration strong, the others pale.

    `curves` has for each name in the table a frame of the columns iteration, train_log_loss, val_log_loss,
    without rows where nothing is iterated. The strong one is the winner's, else that of the best entrant
    that has one.
    """
    drawn = {name: curves[name] for name in table["name"] if len(curves[name])}
    if not drawn:
        return statement(LEARNED, "Nothing here is trained in steps, so there is no learning curve to show.")
    strong = winner if winner in drawn else next(iter(drawn))
    figure, axes = new_figure(height=4.2)
    panel: Axes = axes[0, 0]
    others = [curve for name, curve in drawn.items() if name != strong]
    for position, curve in enumerate(others):
        name = f"validation, the {len(others):,} other{'s' * (len(others) > 1)}" if position == 0 else None
        panel.plot(curve["iteration"], curve["val_log_loss"], color=PALE, linewidth=1, label=name)
    lowest = _draw_strong(panel, drawn[strong], label(strong, NAME))
    panel.set_xlabel("iteration (a tree each, where trees are boosted)")
    panel.set_ylabel("log loss (nats per subscriber)")
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower left", ncols=2)
    told = f"{label(strong, NAME)}: validation log loss is lowest, {lowest}."
    if strong != winner:
        told = f"The winner, {label(winner, NAME)}, is not trained in steps; the best that is, {told}"
    entitle(figure, LEARNED, told)
    return figure


def _draw_strong(panel: Axes, curve: pd.DataFrame, name: str) -> str:
    """Draw one configuration's two curves; its lowest validation loss and where it is, in words."""
    low = curve.iloc[int(curve["val_log_loss"].argmin())]
    x, y = float(low["iteration"]), float(low["val_log_loss"])
    train, val = curve["train_log_loss"], curve["val_log_loss"]
    panel.plot(curve["iteration"], train, color=BLUE, linestyle=":", label=f"training, {name}")
    panel.plot(curve["iteration"], val, color=BLUE, linewidth=2.4, label=f"validation, {name}")
    panel.plot([x], [y], "o", color=VERMILLION, markersize=8, zorder=4, label=f"its best iteration, {x:.0f}")
    panel.axvline(x, color=VERMILLION, linewidth=0.8, linestyle="--")
    return f"{y:.4f}, at iteration {x:.0f} of {len(curve)}"


@styled
def auc_by_hyperparameter(table: pd.DataFrame, *, family: str) -> HouseFigure:
    """The score against each setting that varies in a family: a dot per configuration, a dash per mean.

    Every column of the table is a setting that does not tell who a configuration is or how it did.
    """
    question = f"Which settings of {title(family)} move its AUC?"
    theirs = table[table["family"] == family].infer_objects()
    known = [
        name for name in map(str, theirs) if not re.fullmatch(RESULTS, name) and theirs[name].notna().any()
    ]
    varying = [name for name in known if theirs[name].astype(str).nunique(dropna=False) > 1]
    if not varying:
        return statement(question, "None can be seen: no setting takes more than one value.")
    shown = varying[:MOST]
    figure, axes = panels(len(shown), across=3, height=2.0, sharey=True)
    with_means = [_scatter(panel, theirs[name], theirs) for panel, name in zip(axes, shown, strict=True)]
    figure.supylabel(score_name(table), size=9)
    constant = len(known) - len(varying)
    low, high = bars(theirs)
    wide = f", with {bar_name(table)} of \N{PLUS-MINUS SIGN}{np.median(high - low) / 2:.4f}"
    parts = [f"Dot: a configuration{wide}" + ("; dash: the mean of a value" if any(with_means) else "")]
    parts += [f"left out, since they never vary: {constant}"] if constant else []
    parts += [f"the first {MOST} of {len(varying)} are shown"] if len(varying) > MOST else []
    entitle(figure, question, "; ".join(parts) + ".")
    return figure


def _scatter(axes: Axes, values: pd.Series[Any], theirs: pd.DataFrame) -> bool:
    """Draw one panel; whether each value got its mean."""
    distinct = values.astype(str).nunique(dropna=False)
    few = distinct <= (FEW if distinct < len(values) else FEW // 2)
    discrete = few or not pd.api.types.is_numeric_dtype(values)
    places = _side_by_side(axes, values) if discrete else _along(axes, values.astype(float))
    if discrete:
        means = theirs["score"].groupby(places).mean()
        axes.plot(means.index, means, "_", color=INK, markersize=22, markeredgewidth=2.2)
    dots(axes, theirs, places, theirs["score"], size=22)
    left_open = f" (left open: {values.isna().sum():,})" if values.isna().any() and not discrete else ""
    axes.set_xlabel(label(values.name, 32) + left_open)
    return discrete


def _side_by_side(axes: Axes, values: pd.Series[Any]) -> Numbers:
    """One place per distinct value, in order, so that 0.05 and 0.1 do not run into each other."""
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    codes, levels = pd.factorize(values if numeric else values.map(str, na_action="ignore"), sort=True)
    ticks = [f"{v:.4g}" if numeric else label(v, 12) for v in levels]
    ticks += ["left open"] * bool((codes < 0).any())
    axes.set_xticks(np.arange(len(ticks)), ticks)
    axes.set_xlim(-0.6, len(ticks) - 0.4)
    places: Numbers = np.where(codes < 0, len(levels), codes).astype(np.float64)
    return places


def _along(axes: Axes, numbers: pd.Series[float]) -> Numbers:
    """The numbers themselves, on a logarithmic axis where they span more than a factor of 20."""
    if numbers.min() > 0 and numbers.max() / numbers.min() > 20:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    places: Numbers = numbers.to_numpy().astype(np.float64)
    return places
