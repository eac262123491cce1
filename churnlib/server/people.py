"""Who may do what on the team's server: three roles, and the people who have them."""

from __future__ import annotations

import secrets
import warnings
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException, RestException

from churnlib.errors import InfrastructureError, ParameterError
from churnlib.safenames import check_name
from churnlib.server.roles import ROLES

if TYPE_CHECKING:
    from mlflow.server.auth.client import AuthServiceClient

_WORKSPACE = "default"  # MLflow's, where there are no others
_WORD = 18  # bytes of randomness in a first password


def admit(address: str, name: str, role: str) -> str:
    """The first password of a new user with this role; it is kept nowhere else.

    MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are an administrator's. Raises ParameterError E235
    for an unknown role, a name that is unsafe or taken, InfrastructureError E524 where the server refuses.
    """
    if role not in ROLES:
        raise ParameterError("E235", f"role {role!r} is none of {', '.join(ROLES)}")
    try:
        check_name(name)
    except ValueError as error:
        raise ParameterError("E235", f"name {name!r}: {error}") from None
    client = _client(address)
    password = secrets.token_urlsafe(_WORD)
    try:
        number = _role(client, role)
        client.create_user(name, password)
        client.assign_role(name, number)
    except RestException as error:
        if error.error_code == "RESOURCE_ALREADY_EXISTS":
            raise ParameterError("E235", f"there is a user {name!r}; take another name") from None
        raise InfrastructureError(
            "E524", f"{address} refused: {error}; sign in as an administrator"
        ) from None
    except MlflowException as error:
        raise InfrastructureError("E524", f"{address} does not answer: {error}; make server") from None
    return password


def _client(address: str) -> AuthServiceClient:
    with warnings.catch_warnings():  # it brings MLflow's server with it, which leans on old parts
        warnings.simplefilter("ignore")
        from mlflow.server.auth.client import AuthServiceClient
    return AuthServiceClient(address)


def _role(client: AuthServiceClient, name: str) -> int:
    """The role's number; it is made, with what it may do, where it is not there."""
    for found in client.list_roles(_WORKSPACE):
        if found.name == name:
            return int(found.id)
    made = client.create_role(_WORKSPACE, name, description=None)
    for grant in ROLES[name]:
        client.add_role_permission(made.id, *grant)
    return int(made.id)
