"""Files put where a run or a model keeps its own, all of them in one go."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

UPLOADS = 4  # at once, where each takes a round trip to a server


def put_files(place: ArtifactRepository, files: Mapping[str, bytes]) -> None:
    """Write files: path below `place` to content. Into a folder they are copied one by one.

    A server takes one file a request, so several are on their way at once; the threads end with the call.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        if not isinstance(place, HttpArtifactRepository):
            place.log_artifacts(scratch)
            return

        def upload(name: str) -> None:
            place.log_artifact(str(folder / name), name.rpartition("/")[0] or None)

        with ThreadPoolExecutor(max_workers=UPLOADS) as pool:
            for done in [pool.submit(upload, name) for name in files]:
                done.result()
