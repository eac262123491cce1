"""Under which names a ledger lies in a model registry."""

SUFFIX = "-ledger"  # of the companion model, after the model's own name
TEXT = "event"  # the tag of a version that holds an event
