"""Where a project's record lies; known without MLflow, which takes seconds to import."""

from __future__ import annotations

import os
from pathlib import Path

from churnlib.errors import ParameterError
from churnlib.safenames import holds_credentials

EMBEDDED = "mlflow.db"
URI_VARIABLE = "MLFLOW_TRACKING_URI"


def tracking_uri(root: Path) -> str:
    """MLFLOW_TRACKING_URI where it is set, else the project's own SQLite file.

    Raises ParameterError E245 for the address of a server with a name or password in it.
    """
    named = os.environ.get(URI_VARIABLE, "")
    if named.startswith(("http:", "https:")) and holds_credentials(named):
        raise ParameterError(
            "E245",
            f"{URI_VARIABLE} holds a name or password, which libraries put into logs and errors; take it out "
            "and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    return named or f"sqlite:///{root / EMBEDDED}"


def is_embedded(root: Path) -> bool:
    """True when the record is the project's own SQLite file, with mlartifacts/ beside it."""
    return tracking_uri(root) == f"sqlite:///{root / EMBEDDED}"
