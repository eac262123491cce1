"""Files put where a run or a model keeps its own, all of them in one go."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

from churnlib.tracking.outages import artifacts_answer

AT_ONCE = 4  # files on their way, where each takes a round trip to a server


def put_files(place: ArtifactRepository, files: Mapping[str, bytes]) -> None:
    """Write files: path below `place` to content; each is there whole or not at all.

    A server takes one file a request, so several are on their way at once; the threads end with the call.
    MLflow renames a single file into place, and would copy those of a folder under their final names.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

        def upload(name: str) -> None:
            with artifacts_answer(name, "written"):
                place.log_artifact(str(folder / name), name.rpartition("/")[0] or None)

        if not isinstance(place, HttpArtifactRepository):
            for name in files:
                upload(name)
            return
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            for done in [pool.submit(upload, name) for name in files]:
                done.result()
