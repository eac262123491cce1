"""What may differ inside results where it has no field of its own: places of a validation, links, tags."""

from __future__ import annotations

from churnlib.verify.marks import by_history, by_origin, varies

AGAINST_THE_CHAMPION = by_history(  # in a validation
    "champion_compared",
    "checks.champion_auc",
    "checks.champion_auc_bootstrap",
    "checks.champion_log_loss",
    "checks.segments",
    "differences",
)

# In the links of a lineage.
LINK_IDS = varies("id+time", "evidence.detail", "final.detail")
LINK_HISTORY = by_history("alias.detail", "ledger.detail", "version.detail")
LINK_ORIGIN = by_origin("code", "environment")

# Among the tags of a final run.
TAG_IDS = varies("id", "attempt", "best_child_run_id", "data_run_id", "process", "promoted_from_search")
TAG_WHO = varies("who", "host", "mlflow.user")
TAG_HISTORY = by_history("incumbent_version", "test_openings")
TAG_ORIGIN = by_origin(
    "git_branch",
    "git_commit",
    "git_dirty",
    "library_sha256",
    "lock_sha256",
    "mlflow.source.git.branch",
    "mlflow.source.git.commit",
    "notebook_sha256",
    "platform",
    "python_version",
    "thread_count",
    "uncommitted_diff_sha256",
)
