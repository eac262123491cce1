"""What the notebooks' import cells may load: no phase waits for a library that it does not use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
HEAVY = (
    "IPython.core.pylabtools",
    "lightgbm",
    "matplotlib.pyplot",
    "nbconvert",
    "optuna",
    "papermill",
    "scipy.stats",
    "shap",
    "skops",
    "sklearn",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "xgboost",
)
# From the phase that needs least to the one that needs most: one interpreter imports them in this order.
MAY_LOAD = {
    "5_lineage": set[str](),
    "4_registry": {"scipy.stats"},
    "3_finalize": {"scipy.stats"},
    "1_data": {"scipy.stats", "sklearn"},
    "2_search": {"scipy.stats", "sklearn"},
}
CODE = """
import json, sys
from pathlib import Path
from churnlib.warm import imports
for name in {names!r}:
    for statement in imports.statements(Path({folder!r}, name + ".ipynb")):
        exec(statement)
    print(json.dumps([name, [module for module in {heavy!r} if module in sys.modules]]))
"""


def test_the_import_cells_load_no_library_that_their_phase_may_not_need() -> None:
    code = CODE.format(names=list(MAY_LOAD), folder=str(NOTEBOOKS), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name: set(loaded) for name, loaded in map(json.loads, done.stdout.splitlines())}
    assert list(found) == list(MAY_LOAD)
    assert {name: loaded - MAY_LOAD[name] for name, loaded in found.items() if loaded - MAY_LOAD[name]} == {}
