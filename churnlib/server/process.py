"""A server that goes on when who started it has ended, known by its pid and its time of birth."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import psutil

from churnlib.atomic import write_text
from churnlib.errors import InfrastructureError
from churnlib.server.home import Home

_READY_SECONDS = 120.0
_END_SECONDS = 20.0
_LOOK_SECONDS = 0.05
_GOING_ON: list[subprocess.Popen[bytes]] = []  # else Python warns that nobody waits for them
_SHOWN = 800  # characters of a log


@dataclass(frozen=True)
class Background:
    """One program in the background, and the address at which it answers when it is ready."""

    home: Home
    name: str
    address: str

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Nothing; the program answers. Its output is in its log; E523 with the end of it if it does not."""
        if self.is_running():
            return
        self.home.log(self.name).touch(mode=0o600)
        with self.home.log(self.name).open("ab") as log:
            process = subprocess.Popen(
                arguments,
                env={"PATH": os.defpath, **environment},
                cwd=self.home.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _GOING_ON.append(process)
        born = psutil.Process(process.pid).create_time()
        write_text(self._note, json.dumps({"pid": process.pid, "born": born}))
        deadline = time.monotonic() + _READY_SECONDS
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise InfrastructureError("E523", f"{self.name} did not start: {self._end_of_log()}")
            time.sleep(_LOOK_SECONDS)

    def answers(self) -> bool:
        """Whether somebody answers at its address, be it that he wants to know who asks."""
        try:
            with urllib.request.urlopen(self.address, timeout=5) as answer:  # noqa: S310 - own address
                return bool(answer.status == HTTPStatus.OK)
        except urllib.error.HTTPError as error:
            with error:
                return error.code < HTTPStatus.INTERNAL_SERVER_ERROR
        except OSError:
            return False

    def is_running(self) -> bool:
        """Whether the very process that was started lives."""
        return bool(self.family())

    def family(self) -> list[psutil.Process]:
        """The process that was started, and all that it started; none if it does not run."""
        process = self._process()
        return [process, *process.children(recursive=True)] if process else []

    def stop(self) -> bool:
        """Whether it was running; it and all that it started has ended."""
        family = self.family()
        if not family:
            return False
        family[0].terminate()
        _, left = psutil.wait_procs(family, timeout=_END_SECONDS)
        for one in left:
            one.kill()
        psutil.wait_procs(left, timeout=_END_SECONDS)
        _GOING_ON[:] = [one for one in _GOING_ON if one.poll() is None]
        self._note.unlink(missing_ok=True)
        return True

    def _process(self) -> psutil.Process | None:
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            process = psutil.Process(noted["pid"])
            same = process.create_time() == noted["born"] and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, psutil.NoSuchProcess):
            return None
        return process if same else None

    @property
    def _note(self) -> Path:
        return self.home.folder / f"{self.name}.pid.json"

    def _end_of_log(self) -> str:
        said = self.home.log(self.name).read_text(encoding="utf-8", errors="replace")
        return f"{' '.join(said.split())[-_SHOWN:]}; all of it is in {self.home.log(self.name)}"
