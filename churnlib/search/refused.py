"""Why a configuration may not set some of XGBoost's parameters: a model must be made again bit for bit."""

from __future__ import annotations

_TREES = "not reproducible: the linear booster gives another model each time; only trees are boosted"
_MACHINE = "not reproducible on another machine: models are trained on the CPU, whatever else is there"
_THREADS = "threads change no bit of a model; `parallel` says how many configurations train at once"
_SEED = "not reproducible if it were left open: random_state holds for the whole search"
_WHOLE_SEARCH = "it is set once for the whole search, outside configurations"

REASONS = {
    "booster": _TREES,
    "updater": _TREES,
    "feature_selector": _TREES,
    "device": _MACHINE,
    "gpu_id": _MACHINE,
    "predictor": _MACHINE,
    "tree_method": _MACHINE,
    "n_jobs": _THREADS,
    "nthread": _THREADS,
    "seed": _SEED,
    "random_state": _SEED,
    "seed_per_iteration": _SEED,
    "n_estimators": _WHOLE_SEARCH,
    "early_stopping_rounds": _WHOLE_SEARCH,
    "eval_metric": _WHOLE_SEARCH,
}
