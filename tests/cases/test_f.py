"""Parameter files, names and paths from outside: refused with status 2, and nothing is written."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from churnlib.__main__ import main
from churnlib.errors import ParameterError
from churnlib.params import NOTEBOOKS
from tests.canaries import canary, in_text
from tests.conftest import QUICK, REPOSITORY, Project
from tests.unit.planted import study
from tests.unit.test_yamlfile import REFUSED, written

LOADING = """
import json, resource, sys, time
from pathlib import Path
from churnlib import yamlfile
from churnlib.errors import ChurnError

resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
begun = time.perf_counter()
try:
    yamlfile.load(Path(sys.argv[1]))
    code, status = "", 0
except ChurnError as error:
    code, status = error.code, error.exit_status
seconds = time.perf_counter() - begun
# The height of this process alone: getrusage would count that of whoever started it.
(height,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([code, status, seconds, int(height.split()[1]) // 1024]))
"""
NASTY = (
    "../../outside",
    "/absolute",
    "a/b",
    "%2e%2e%2foutside",
    "x" * 5000,
    "new\nline",
    "-leading",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "bidi\u202egnp",
    "a'; DROP TABLE runs; --",
    "<script>alert(1)</script>",
    "nul\0byte",
    "..",
    "~",
    " ",
)
SHORTER = [name for name in NASTY if name.strip() and name not in ("a/b", "~", "..")]
ASKED = {
    "study of run": ("run", "--study={}"),
    "study of champion": ("champion", "--study={}"),
    "study of history": ("history", "--study={}"),
    "study of verify": ("verify", "--study={}"),
    "study of audit": ("audit", "--study={}"),
    "phase": ("run", "--phase={}"),
    "families": ("run", "--families={}"),
    "method": ("run", "--method={}"),
    "moment of champion": ("champion", "--as-of={}"),
    "moment of lineage": ("lineage", "--as-of={}"),
    "version": ("lineage", "--version={}"),
    "version to approve": ("approve", "--version={}", "--reason=why"),
    "model A": ("compare", "--a={}"),
    "model B": ("compare", "--a=1", "--b={}"),
    "time ago": ("compare", "--since={}"),
    "notebooks": ("diff", "{}", "{}"),
    "verb": ("{}",),
    "option": ("run", "--{}"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("case", ["alias bomb", "python object", "duplicate key", "50 deep", "10 MB"])
def test_F4_a_hostile_file_is_refused_in_a_second_and_200_megabytes(case: str, tmp_path: Path) -> None:
    path = written(tmp_path, REFUSED[case][0])
    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(path)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    code, status, seconds, peak = json.loads(done.stdout)
    assert (code, status) == ("E204", 2)
    assert seconds < 1 and peak < 200


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]) -> Project:
    project = new_project(tmp_path_factory.mktemp("names") / "project")
    for phase, changes in QUICK.items():
        project.edit("streamflow", phase, **changes)
    return project


def tree(project: Project) -> set[str]:
    """Every path beside and in the project, but for git's and the store's own locks."""
    around = project.root.parent
    paths = (path.relative_to(around) for path in around.rglob("*"))
    return {str(path) for path in paths if ".git" not in path.parts and not path.name.endswith(".lock")}


def status_of(project: Project, *arguments: str) -> tuple[int, str]:
    """The exit status and all that was printed, whether the parser or the command refused."""
    printed = io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with (
            contextlib.chdir(project.root),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            return main(list(arguments)), printed.getvalue()
    except SystemExit as stopped:
        return int(str(stopped.code)), printed.getvalue()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("case", ["python object", "alias bomb"])
def test_F4_the_command_line_ends_with_status_2_before_a_kernel_starts(quick: Project, case: str) -> None:
    content = REFUSED[case][0]
    path = quick.root / "params" / "streamflow" / "search.yml"
    before = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        status, printed = status_of(quick, "run")
    finally:
        path.write_bytes(before)
    assert status == 2 and printed.startswith("CHURN-E204: ")
    assert not (quick.root / "build").exists()


@pytest.mark.parametrize("what", ASKED)
def test_F5_a_nasty_name_on_the_command_line_is_refused_harmlessly(
    quick: Project, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(quick)
    for name in NASTY:
        status, printed = status_of(quick, *(part.replace("{}", name) for part in ASKED[what]))
        printed += "".join(capsys.readouterr())
        assert status == 2 and printed, (name, printed)
        assert all(line.isprintable() for line in printed.split("\n")), (name, printed)
        assert "Traceback" not in printed
    assert tree(quick) == before


@pytest.mark.parametrize(
    ("phase", "name"),
    [
        ("data", "study"),
        ("data", "experiment"),
        ("data", "output_dir"),
        ("data", "data_version"),
        ("search", "search_name"),
        ("search", "data_result"),
        ("finalize", "run_suffix"),
        ("finalize", "model_name"),
        ("registry", "alias"),
        ("registry", "model_name"),
        ("lineage", "as_of"),
    ],
)
def test_F5_a_nasty_name_in_a_parameter_file_is_refused_harmlessly(
    quick: Project, phase: str, name: str
) -> None:
    path = quick.root / "params" / "streamflow" / f"{phase}.yml"
    kept = path.read_bytes()
    before = tree(quick)
    try:
        for value in SHORTER:
            quick.edit("streamflow", phase, **{name: value})
            status, printed = status_of(quick, "run")
            assert status == 2, (value, printed)
            assert all(line.isprintable() for line in printed.split("\n")), (value, printed)
            path.write_bytes(kept)
    finally:
        path.write_bytes(kept)
    assert tree(quick) == before


SECRET_ADDRESSES = (
    "https://user:{}@host.example/table.csv",
    "https://{}@host.example/table.csv",
    "s3://key:{}@bucket/table.parquet",
    "postgresql://user:{}@host.example/db",
    "https://host.example/table.csv?token={}",
    "https://host.example/table.csv?X-Amz-Signature={}",
    "https://account.blob.example/t.csv?sv=1&sig={}",
    "host=h.example user=u password={}",
)


@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_F6_a_secret_in_the_address_of_a_source_is_refused_and_not_shown(address: str) -> None:
    secret = canary("source")
    for phase, name in (("data", "source"), ("data", "expected_schema"), ("registry", "description")):
        values = {**study(phase), name: address.format(secret)}
        with pytest.raises(ParameterError) as caught:
            NOTEBOOKS[phase].check(values, where="x.yml")
        assert caught.value.code == "E209"
        assert in_text(str(caught.value), {"source": secret}) == []


@pytest.mark.parametrize("key", ["password", "DB_TOKEN", "api-key", "apiKey", "aws_secret_access_key"])
def test_F6_a_key_that_names_a_secret_is_refused_at_any_depth(quick: Project, key: str) -> None:
    secret = canary("key")
    nested = {"xgboost": [{"max_depth": 3, key: secret}]}
    places = (("data", {key: secret}), ("search", {"grids": nested, "families": ["xgboost"]}))
    for phase, changes in places:
        path = quick.root / "params" / "streamflow" / f"{phase}.yml"
        kept = path.read_bytes()
        quick.edit("streamflow", phase, **changes)
        status, printed = status_of(quick, "run")
        path.write_bytes(kept)
        assert status == 2 and "CHURN-E209: " in printed
        assert in_text(printed, {"key": secret}) == []
