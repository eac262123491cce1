"""Under which names a ledger lies in a model registry, and how it is read there."""

SUFFIX = "-ledger"  # of the companion model, after the model's own name
TEXT = "event"  # the tag of a version that holds an event
MOST = 200_000  # versions that MLflow returns in one answer
