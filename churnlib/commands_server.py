"""The verbs `server`, `user`, `backup`, `restore`: a team's servers on this machine, and what they hold."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from churnlib import store
from churnlib.tracking.address import URI_VARIABLE


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs to the command line."""
    server = verbs.add_parser("server", help="start PostgreSQL, an object store and MLflow with sign-in")
    server.add_argument("--end", action="store_true", help="end them; what they hold stays")
    server.add_argument("--status", action="store_true", help="say which of them answer")
    server.set_defaults(action=_server)
    user = verbs.add_parser("user", help="let somebody in, as reader, scientist or approver")
    user.add_argument("--name", required=True)
    user.add_argument("--role", required=True)
    user.set_defaults(action=_user)
    backup = verbs.add_parser("backup", help="copy all that the servers hold, while they are in use")
    backup.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    backup.set_defaults(action=_backup)
    restore = verbs.add_parser("restore", help="make servers of a backup, in an empty CHURN_SERVER_HOME")
    restore.add_argument("--from", dest="source", type=Path, required=True, metavar="FOLDER")
    restore.set_defaults(action=_restore)


def _server(chosen: argparse.Namespace) -> None:
    from churnlib.server import stack
    from churnlib.server.home import home_of

    home = home_of(store.project_root())
    if chosen.end:
        ended = stack.stop(home)
        print(f"ended: {', '.join(ended)}" if ended else "none of them ran")
        return
    if not chosen.status:
        started = stack.start(home)
        print(f"MLFLOW_TRACKING_URI={started.address}")
        if started.password:
            print(f"MLFLOW_TRACKING_USERNAME={started.user}")
            print(f"MLFLOW_TRACKING_PASSWORD={started.password}   shown this once, kept nowhere")
    for name, answers in stack.states(home).items():
        print(f"{name:<11} {'answers' if answers else 'does not answer'}")


def _user(chosen: argparse.Namespace) -> None:
    from churnlib.server import people, tracking
    from churnlib.server.home import home_of

    address = os.environ.get(URI_VARIABLE) or tracking.address(home_of(store.project_root()))
    password = people.admit(address, chosen.name, chosen.role)
    print(f"MLFLOW_TRACKING_USERNAME={chosen.name}")
    print(f"MLFLOW_TRACKING_PASSWORD={password}   shown this once, kept nowhere")


def _backup(chosen: argparse.Namespace) -> None:
    from churnlib.server import backup
    from churnlib.server.home import home_of

    taken = backup.take(home_of(store.project_root()), chosen.to)
    manifest = taken.manifest
    print(f"{taken.folder}: {len(manifest.files)} files, {taken.size / 1e6:.1f} MB, as of {manifest.begun}")
    print(f"{taken.shared} of them shared with the backup before")
    for what in manifest.missing:
        print(f"the record names it and the objects lack it: {what}")


def _restore(chosen: argparse.Namespace) -> None:
    from churnlib.server import restore
    from churnlib.server.home import home_of

    restored = restore.restore(chosen.source, home_of(store.project_root()))
    print(f"MLFLOW_TRACKING_URI={restored.address}")
    print(f"as of {restored.manifest.begun}; everybody signs in as before")
    print(f"{len(restored.closed)} runs were under way then and are KILLED here")
