"""Brings the record's schema along with a newer MLflow: ``mlflow db upgrade``, no secret in an argument."""

from __future__ import annotations

import os

from mlflow.cli import cli
from serve import environment_of

if __name__ == "__main__":
    cli(["db", "upgrade", environment_of(os.environ)["MLFLOW_BACKEND_STORE_URI"]])
