"""The door of the command line: what forks kernels is started before all else, since it takes longest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from churnlib.errors import ChurnError
from churnlib.warm import client, resident

PIPELINE = ("1_data", "2_search", "3_finalize", "4_registry", "5_lineage")
NOTEBOOKS = {  # of the verbs that run some
    "run": PIPELINE,
    "verify": PIPELINE,
    "lineage": ("5_lineage",),
    "compare": ("compare",),
    "reproduce": ("reproduce",),
}
# jsonschema, which nbformat brings, would compile a grammar of international addresses, for about as long as
# importing pandas takes, and nobody here asks for it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def main(arguments: Sequence[str]) -> int:
    """The exit status of one command, run in this process."""
    with client.nursery(_notebooks(arguments)):
        from churnlib import command_line

        return command_line.main(arguments)


def _notebooks(arguments: Sequence[str]) -> list[Path]:
    """Those that the command is about to run, if it runs any."""
    return [_root() / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS.get("".join(arguments[:1]), ())]


def _root() -> Path:
    """The project's folder; where there is none, this one, and the command will say what is missing."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "notebooks").is_dir()), here)


def _main(arguments: Sequence[str]) -> int:
    """The exit status, of the project's warm process where it has one."""
    try:
        status = resident.command(_root(), arguments) if _notebooks(arguments) else None
    except ChurnError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return main(arguments) if status is None else status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
