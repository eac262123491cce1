"""Every figure with hostile names and edge sizes: drawn without a warning, and nothing cut off."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from churnlib.data.profile import churn_rate_by
from churnlib.figures import contest, data, final, lineage, registry, search
from churnlib.search.rule import Versus

NAMES = (
    "<script>alert('x')</script>",
    "$price_$ and $\\frac{1}{2}$",
    "a_very_long_column_name_that_goes_on_" * 6 + "30d",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "日本\nnew line\ttab %s {x}",
)
FAMILIES = ("logistic", "forest", "xgboost", "lightgbm")
RNG = np.random.default_rng(3)
ROWS = 240
Y = (RNG.random(ROWS) < 0.3).astype(np.int8)
P = RNG.random(ROWS)


def names(count: int) -> list[str]:
    return [f"{NAMES[i % len(NAMES)]} {i}" for i in range(count)]


def table(features: int) -> pd.DataFrame:
    return pd.DataFrame({name: RNG.exponential(20, ROWS) for name in names(features)})


def categories() -> pd.DataFrame:
    return pd.DataFrame({name: RNG.choice(NAMES, ROWS) for name in NAMES})


def distributions(features: int, y: Any = Y) -> Figure:
    shown = names(features)
    return data.distributions(table(features), y, shown, dict.fromkeys(shown, "number"))


def rates(features: int) -> dict[str, pd.DataFrame]:
    found = table(features)
    return {name: churn_rate_by(found, Y, name) for name in names(features)}


def profile(features: int) -> pd.DataFrame:
    return pd.DataFrame({"column": names(features), "missing_share": np.linspace(0, 1, features)})


def ranking(configurations: int) -> pd.DataFrame:
    auc = np.linspace(0.7, 0.6, configurations)
    drawn = {NAMES[0]: np.arange(configurations) % 3, NAMES[2]: RNG.uniform(1e-4, 1, configurations)}
    bars = {"score": auc, "val_auc": auc, "val_auc_low": auc - 0.02, "val_auc_high": auc + 0.02}
    return pd.DataFrame({"name": names(configurations), "family": "xgboost"} | bars | drawn)


def of_families(configurations: int) -> pd.DataFrame:
    """The same of four families, with sizes and seconds."""
    found = ranking(configurations)
    kinds = [FAMILIES[at % len(FAMILIES)] for at in range(configurations)]
    return found.assign(family=kinds, model_size=10, train_time_seconds=RNG.lognormal(0, 2, configurations))


def versus(count: int) -> list[Versus]:
    found = zip(FAMILIES, names(count), strict=False)
    return [Versus(family, name, 0.0001, -1.0, 1.0) for family, name in found]


def curves(configurations: int) -> dict[str, pd.DataFrame]:
    loss = 0.4 + 0.1 * np.exp(-np.arange(50) / 10)
    frame = pd.DataFrame({"iteration": range(50), "train_log_loss": loss - 0.02, "val_log_loss": loss})
    return dict.fromkeys(names(configurations), frame)


def thresholds(rows: int) -> pd.DataFrame:
    at = np.linspace(0.1, 0.9, rows)
    return pd.DataFrame({"threshold": at, "precision": at, "recall": 1 - at, "f1": at, "profit": -1e7 * at})


def nodes(count: int) -> list[lineage.Node]:
    statuses: tuple[lineage.Status, ...] = ("equal", "recorded", "differs")
    return [
        lineage.Node(name, name, name * 2, statuses[i % 3], side=i % 2 == 1)
        for i, name in enumerate((NAMES * 3)[:count])
    ]


SPLITS = pd.DataFrame(
    {
        "split": ["train", "val", "test"],
        "rows": [9_000_000, 1, 75],
        "target_rate": 0.2,
        "low": 0.1,
        "high": 0.3,
    }
)
CASES: dict[str, Callable[[], Figure]] = {
    **{f"distributions of {n}": partial(distributions, n) for n in (1, 3, 60)},
    "distributions of none": lambda: data.distributions(table(1), Y, [], {}),
    "distributions of categories": lambda: data.distributions(
        categories(), Y, list(NAMES), dict.fromkeys(NAMES, "category")
    ),
    "distribution of a constant": lambda: data.distributions(
        pd.DataFrame({"x": np.full(ROWS, 0.5)}), Y, ["x"], {"x": "number"}
    ),
    "distribution of gaps only": lambda: data.distributions(
        pd.DataFrame({"x": np.full(ROWS, np.nan)}), Y, ["x"], {"x": "number"}
    ),
    "distribution with one class": partial(distributions, 1, np.zeros(ROWS, dtype=int)),
    **{f"churn rates of {n}": lambda n=n: data.churn_rate_by_feature(rates(n)) for n in (0, 1, 60)},  # type: ignore[misc]
    "churn rates of categories": lambda: data.churn_rate_by_feature(
        {name: churn_rate_by(categories(), Y, name) for name in NAMES}
    ),
    **{f"missing values of {n}": lambda n=n: data.missing_values(profile(n)) for n in (1, 2, 60)},  # type: ignore[misc]
    "splits": lambda: data.splits(SPLITS),
    **{
        f"AUC of {n}": partial(search.validation_auc, ranking(n), winner=names(n)[-1], ceiling=0.9)
        for n in (1, 2, 90)
    },
    **{
        f"{build.__name__} of {n}": partial(build, of_families(n), winner=names(n)[-1])
        for n in (1, 2, 90)
        for build in (contest.by_family, contest.accuracy_against_time)
    },
    **{f"differences of {n}": partial(contest.differences, versus(n)) for n in (0, 1, 4)},
    **{
        f"curves of {n}": partial(search.learning_curves, curves(n), ranking(n), winner=names(n)[-1])
        for n in (1, 2, 30)
    },
    **{
        f"hyperparameters of {n}": partial(search.auc_by_hyperparameter, ranking(n), family="xgboost")
        for n in (1, 2, 90)
    },
    "roc of two": lambda: final.roc(np.array([1, 0]), np.array([0.2, 0.2]), auc=0.5, low=0, high=1),
    "roc": lambda: final.roc(Y, P, auc=0.5, low=0.4, high=0.6),
    "precision and recall": lambda: final.precision_recall(Y, P, average_precision=0.3, low=0.2, high=0.4),
    "calibration": lambda: final.calibration(Y, P),
    "calibration of one score": lambda: final.calibration(Y, np.full(ROWS, 0.3)),
    "calibration of zeros": lambda: final.calibration(Y, np.zeros(ROWS)),
    "threshold": lambda: final.threshold(thresholds(50), 0.9, "profit"),
    "threshold of one": lambda: final.threshold(thresholds(1), 0.1, "f1"),
    "confusion": lambda: final.confusion(np.array([[9_999_999, 0], [0, 0]])),
    "reload": lambda: registry.reload_agreement(np.array([0.3]), np.array([0.3])),
    **{f"chain of {n}": lambda n=n: lineage.chain(nodes(n)) for n in (1, 2, 15)},  # type: ignore[misc]
}


def drawn(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Every text that drawing the figure wrote, and its x0, y0, x1, y1 in pixels."""
    found: dict[Text, None] = {}
    draw = Text.draw

    def note(text: Text, renderer: Any) -> None:
        found[text] = None
        draw(text, renderer)

    monkeypatch.setattr(Text, "draw", note)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    written = [text for text in found if text.get_text().strip() and text.get_visible()]
    boxes = np.array([text.get_window_extent().extents for text in written])
    return [text.get_text() for text in written], boxes


@pytest.mark.parametrize("build", CASES.values(), ids=CASES.keys())
def test_it_is_drawn_without_a_warning_and_no_text_is_cut_off_or_written_over(
    build: Callable[[], Figure], monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = build()
    texts, boxes = drawn(figure, monkeypatch)
    x0, y0, x1, y1 = boxes.T
    width, height = figure.bbox.size
    outside = (x0 < 0) | (y0 < 0) | (x1 > width) | (y1 > height)
    assert [text for text, out in zip(texts, outside, strict=True) if out] == []
    # Boxes are as high as the type allows, so stacked lines may share a pixel or two.
    overlap_x = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0)
    overlap_y = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0)
    over = np.triu((overlap_x > 1) & (overlap_y > 2), k=1)
    assert [(texts[one], texts[other]) for one, other in np.argwhere(over)] == []


@pytest.mark.parametrize("name", ["confusion", "chain of 15"])
def test_its_png_is_eighteen_hundred_pixels_wide(name: str) -> None:
    assert Image.open(io.BytesIO(CASES[name]().png())).width == 1800  # type: ignore[attr-defined]
