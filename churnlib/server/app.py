"""MLflow's sign-in, with the rules of a team that it does not know: who begins, who promotes, who deletes.

MLflow lets everybody with an account begin experiments and models, whoever began a model move its
aliases and delete its versions, among them the events of a ledger. ``mlflow server --app-name churn`` finds
`create_app` by the entry point in pyproject.toml. An administrator may do everything, as in MLflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from cachetools import TTLCache, cached
from filelock import FileLock
from flask import Flask
from mlflow.environment_variables import MLFLOW_AUTH_CONFIG_PATH
from mlflow.protos import model_registry_pb2 as registry
from mlflow.protos import service_pb2 as service
from mlflow.server import app as mlflow_app
from mlflow.server import auth, handlers
from mlflow.server.handlers import get_endpoints

from churnlib.ledger.event import parse
from churnlib.ledger.names import MOST, SUFFIX, TEXT
from churnlib.server.import_rows import add_route
from churnlib.server.roles import APPROVER, SCIENTIST, may_write

Rule = Callable[[Callable[[], bool]], Callable[[], bool]]  # MLflow's answer -> ours

if TYPE_CHECKING:
    from werkzeug.datastructures import Authorization

REMEMBERED_SECONDS = 5.0  # for so long somebody keeps a role that was taken away
NOBODY: tuple[str, ...] = ()
RULES: Mapping[Any, tuple[str, ...]] = {  # request -> the roles that may make it, if MLflow lets them, too
    service.CreateExperiment: (SCIENTIST, APPROVER),
    service.DeleteExperiment: NOBODY,
    service.DeleteRun: NOBODY,
    registry.CreateRegisteredModel: (SCIENTIST, APPROVER),
    registry.RenameRegisteredModel: NOBODY,
    registry.DeleteRegisteredModel: NOBODY,
    registry.SetRegisteredModelAlias: (APPROVER,),
    registry.DeleteRegisteredModelAlias: (APPROVER,),
}
# Requests about one model. Who has a role reads every model, so he is told when there is none: MLflow says
# "permission denied" of a model that is not there, which for a program is another thing.
ABOUT_MODELS: tuple[Any, ...] = (
    registry.GetRegisteredModel,
    registry.GetModelVersion,
    registry.GetModelVersionByAlias,
)
# Requests that would alter what stands on a ledger.
ALTERING: tuple[Any, ...] = (
    registry.UpdateModelVersion,
    registry.SetModelVersionTag,
    registry.DeleteModelVersionTag,
)


def create_app(app: Flask = mlflow_app) -> Flask:
    """MLflow's application, signed in, with the rules."""
    rules: dict[Any, Rule] = {message: partial(_ruled, roles=roles) for message, roles in RULES.items()}
    rules |= dict.fromkeys(ABOUT_MODELS, _truthful) | dict.fromkeys(ALTERING, _beside_ledgers)
    rules |= {registry.CreateModelVersion: _signed, registry.DeleteModelVersion: _unrecorded}
    for path, rule, methods in get_endpoints(rules.get):
        for route in ((path, method) for method in methods if rule in rules.values()):
            auth.BEFORE_REQUEST_VALIDATORS[route] = rule(auth.BEFORE_REQUEST_VALIDATORS[route])
    add_route(app)
    for name in ("get_user", "list_user_roles"):
        setattr(auth.store, name, _remembered(getattr(auth.store, name)))
    with FileLock(f"{MLFLOW_AUTH_CONFIG_PATH.get()}.lock"):  # each worker brings the users' tables up to date
        made: Flask = auth.create_app(app)
    return made


def _remembered[T](ask: Callable[..., T]) -> Callable[..., T]:
    """Who somebody is, asked once in a few seconds: MLflow asks three times at every request."""
    return cached(TTLCache(1000, REMEMBERED_SECONDS), lock=Lock())(ask)


def _ruled(usual: Callable[[], bool], roles: tuple[str, ...]) -> Callable[[], bool]:
    def allowed() -> bool:
        return usual() and bool(_own_roles().intersection(roles))

    return allowed


def _truthful(usual: Callable[[], bool]) -> Callable[[], bool]:
    def allowed() -> bool:
        return usual() or (auth._registered_model_or_prompt_target() is None and bool(_own_roles()))

    return allowed


def _beside_ledgers(usual: Callable[[], bool]) -> Callable[[], bool]:
    def allowed() -> bool:
        return usual() and not auth._get_request_param("name").endswith(SUFFIX)

    return allowed


def _signed(usual: Callable[[], bool]) -> Callable[[], bool]:
    """As MLflow lets a version be made; an event by who signed in, and a decision by an approver."""
    truthful = _truthful(usual)

    def allowed() -> bool:
        asked = handlers._get_request_message(registry.CreateModelVersion())
        if not truthful():
            return False
        if not asked.name.endswith(SUFFIX):
            return True
        text = next((tag.value for tag in asked.tags if tag.key == TEXT), "")
        return may_write(parse(text), _own_name(), _own_roles())

    return allowed


def _unrecorded(usual: Callable[[], bool]) -> Callable[[], bool]:
    """A version that no event of the ledger names: one too many, which a lost reply left."""
    del usual  # MLflow lets those delete who manage the model; nobody but an approver does

    def allowed() -> bool:
        asked = handlers._get_request_message(registry.DeleteModelVersion())
        if asked.name.endswith(SUFFIX) or not _own_roles().intersection((SCIENTIST, APPROVER)):
            return False
        kept = handlers._get_model_registry_store().search_model_versions(
            f"name = '{asked.name}{SUFFIX}'", MOST
        )
        events = [parse(version.tags.get(TEXT, "")) for version in kept]
        return not any(event is None or str(event.version) == asked.version for event in events)

    return allowed


def _own_roles() -> set[str]:
    user = auth.store.get_user(_own_name())
    return {role.name for role in auth.store.list_user_roles(user.id)}


def _own_name() -> str:
    signed_in = cast("Authorization", auth.authenticate_request())  # MLflow has let nobody else come this far
    return str(signed_in.username)
