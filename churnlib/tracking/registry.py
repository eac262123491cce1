"""The model registry: one version per candidate, and the alias that names the champion."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from churnlib.errors import IntegrityError
from churnlib.results import FinalizeResult


@dataclass(frozen=True)
class Registered:
    """A version, and whether this call made it."""

    version: int
    newly_registered: bool


def register(client: MlflowClient, finalize: FinalizeResult, *, name: str, description: str) -> Registered:
    """The version of this candidate; asking again finds it instead of registering it twice."""
    if client.get_logged_model(finalize.model_id).status != "READY":
        raise IntegrityError(
            "E401",
            f"model {finalize.model_id} is not READY: its upload was cut short; run `make finalize FORCE=1`",
        )
    _ensure_model(client, name, finalize.study)
    found = version_of(client, name, finalize.run_id)
    version = found or client.create_model_version(
        name,
        source=f"models:/{finalize.model_id}",
        run_id=finalize.run_id,
        model_id=finalize.model_id,
        tags=version_tags(finalize),
        description=description,
    )
    if found is not None:
        client.update_model_version(name, found.version, description)
        for key, value in version_tags(finalize).items():
            client.set_model_version_tag(name, found.version, key, value)
    return Registered(int(version.version), found is None)


def version_of(client: MlflowClient, name: str, run_id: str) -> ModelVersion | None:
    """The registered version that came from `run_id`, or None."""
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return min(found, key=lambda item: int(item.version)) if found else None


def point_alias(client: MlflowClient, name: str, alias: str, version: int) -> None:
    """Let `alias` name `version`."""
    client.set_registered_model_alias(name, alias, str(version))


def aliased(client: MlflowClient, name: str, alias: str) -> ModelVersion:
    """The version that `alias` names; IntegrityError E408 if there is none."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException:
        raise IntegrityError(
            "E408", f"no version of {name!r} has the alias {alias!r}; run `make registry` first"
        ) from None


def version_tags(finalize: FinalizeResult) -> dict[str, str]:
    """What is worth reading on a version without opening its run."""
    return {
        "candidate_name": finalize.name,
        "data_hash": finalize.data.data_hash,
        "booster_sha256": finalize.booster_sha256,
        "decision_threshold": repr(finalize.threshold),
        "promoted_from_search": finalize.search_run_id,
        **{name: repr(value) for name, value in finalize.test_metrics.items()},
    }


def _ensure_model(client: MlflowClient, name: str, study: str) -> None:
    try:
        client.create_registered_model(name, tags={"study": study})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
