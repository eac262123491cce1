"""The container's health: 0 if MLflow answers under the name that people use."""

from __future__ import annotations

import os
import sys
import urllib.request

ADDRESS = "http://127.0.0.1:5000/health"

if __name__ == "__main__":
    asked = urllib.request.Request(ADDRESS, headers={"Host": os.environ["CHURN_HOST"]})
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 - a fixed address
        sys.exit(answer.status != 200)
