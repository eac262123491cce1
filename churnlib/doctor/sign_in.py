"""Looks at who is signed in to the tracking server, and as what."""

from __future__ import annotations

import os
from typing import cast

from churnlib.doctor.case import Case
from churnlib.doctor.finding import Finding, fault, look, ok
from churnlib.server.roles import APPROVER, READER, SCIENTIST

NAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
MAY = {  # the roles of docs/team.md, the one that may most first
    APPROVER: "may run phases, approve and promote",
    SCIENTIST: "may run phases; approving and promoting is an approver's",
    READER: "may read, and change nothing",
}


def sign_in(case: Case) -> list[Finding]:
    """Whether the server wants a sign-in, whether it takes this one, and what this user may do."""
    if case.answer is None:
        return [ok("none is asked for: whoever may open the store may do everything")]
    if not case.answer.wants_sign_in:
        unused = f"; {NAME} is set and was not asked for" if os.environ.get(NAME) else ""
        found = f"the server asks nobody who he is: whoever reaches it may promote and delete{unused}"
        return [look(found, "`make server` starts one with sign-in and roles (docs/team.md)")]
    from churnlib.tracking.check_up import asked, user_and_password

    user, has_password = user_and_password()
    missing = [name for name, there in ((NAME, user), (PASSWORD, has_password)) if not there]
    if missing and not (os.environ.get(TOKEN) or case.place.holds_password):
        case.silent = "nobody is signed in"
        what = (
            f"the server wants a sign-in, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'}"
        )
        return [fault("E525", f"{what} not set", f"export {' and '.join(missing)}")]
    reply = asked(case.place.uri, "/api/2.0/mlflow/users/current")
    if reply.status == 401:
        case.silent = "the server does not take the sign-in"
        remedy = f"check {NAME} and {PASSWORD}; an administrator can give a new password"
        return [fault("E525", f"the server does not know {user or 'the token'} with this password", remedy)]
    known = cast("dict[str, object]", reply.values.get("user") or {})
    case.user = str(known.get("username") or user)
    if reply.status != 200 or not known:
        return [ok(f"signed in as {case.user}; this kind of server does not say as what")]
    if known.get("is_admin"):
        return [ok(f"signed in as {case.user}, an administrator, who may do everything")]
    return [_role(case)]


def _role(case: Case) -> Finding:
    from churnlib.tracking.check_up import roles

    held = roles(case.place.uri, case.user)
    if held is None:
        return ok(f"signed in as {case.user}; the server does not say as what")
    for role, may in MAY.items():
        if role in held:
            return ok(f"signed in as {case.user}, {role}: {may}")
    found = f"signed in as {case.user}, who is none of {', '.join(reversed(MAY))}"
    return look(found, "an administrator lets people in with `make user` (docs/team.md)")
