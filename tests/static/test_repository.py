"""What must hold for every file that a clone brings: notebooks, imports, addresses. No kernel starts."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = {".git", ".venv", "build", "mlartifacts", "mlruns", "__pycache__", ".ipynb_checkpoints"}
TEXT = {"", ".cfg", ".css", ".html", ".ipynb", ".j2", ".lock", ".md", ".py", ".sh", ".toml", ".txt", ".yml"}


def files() -> Iterator[Path]:
    """Every file of the tree that is not made by running it."""
    for folder, folders, names in ROOT.walk():
        folders[:] = [n for n in folders if n not in SKIPPED and not n.endswith((".egg-info", "_cache"))]
        yield from (folder / name for name in names)


def below_root(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FILES = sorted(files())
NOTEBOOKS = [path for path in FILES if path.suffix == ".ipynb" and path.parent.name == "notebooks"]
LIBRARY = [path for path in FILES if path.suffix == ".py" and below_root(path).startswith("churnlib/")]
PYTHON = [path for path in FILES if path.suffix == ".py"]
GROUND = (
    "errors",
    "masks",
    "params",
    "phaseparams",
    "results",
    "evidence",
    "ledger/",
    "gate/",
    "compare/",
    "verify/",
    "proof/",
    "data/",
    "models/",
    "families/",
    "figures/",
    "search",
)

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=below_root)
each_module = pytest.mark.parametrize("module", LIBRARY, ids=below_root)


@cache
def read(notebook: Path) -> nbformat.NotebookNode:
    content: nbformat.NotebookNode = nbformat.read(notebook, as_version=4)
    return content


@cache
def code_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def cells(notebook: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(notebook).cells if cell.cell_type == kind]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def imported(tree: ast.AST) -> set[str]:
    """Top names of everything imported anywhere in the code, also inside functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).split(".")[0])
    return names


def touched(tree: ast.AST) -> set[str]:
    """Attributes and imported names as they are written: ``os.environ``, ``datetime.now``."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            names.add(f"{node.value.id if isinstance(node.value, ast.Name) else node.value.attr}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def named(tree: ast.AST) -> set[str]:
    """Every name, attribute and imported or defined name in the code."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias | ast.FunctionDef):
            names.add(node.name)
    return names


def runs_git(tree: ast.AST) -> bool:
    """Whether a list or a tuple in the code begins with the word git."""
    lists = (node.elts for node in ast.walk(tree) if isinstance(node, ast.List | ast.Tuple))
    return any(words and isinstance(words[0], ast.Constant) and words[0].value == "git" for words in lists)


def modules_where(holds: Callable[[ast.AST], bool]) -> set[str]:
    """Paths below churnlib/, without .py, of the modules whose code satisfies `holds`."""
    found = (path for path in LIBRARY if holds(code_of(path)))
    return {below_root(path).removeprefix("churnlib/").removesuffix(".py") for path in found}


def test_the_five_phases_have_their_notebooks() -> None:
    expected = {f"{name}.ipynb" for name in ("1_data", "2_search", "3_finalize", "4_registry", "5_lineage")}
    assert expected <= {path.name for path in NOTEBOOKS}


@each_notebook
def test_a_notebook_keeps_nothing_of_a_run(notebook: Path) -> None:
    kept = [cell.id for cell in cells(notebook, "code") if cell.outputs or cell.execution_count is not None]
    assert kept == []
    assert "papermill" not in read(notebook).metadata


@each_notebook
def test_a_notebook_names_the_kernel_that_everybody_has(notebook: Path) -> None:
    assert read(notebook).metadata["kernelspec"]["name"] == "python3"


@each_notebook
def test_F3_a_notebook_has_parameters_and_ends_with_its_result(notebook: Path) -> None:
    code = cells(notebook, "code")
    assert ["parameters" in tags(cell) for cell in code].count(True) == 1
    assert "result" in tags(code[-1])


@each_notebook
def test_a_notebook_defines_nothing(notebook: Path) -> None:
    defining = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    nodes = (node for cell in cells(notebook, "code") for node in ast.walk(ast.parse(cell.source)))
    assert [ast.unparse(node) for node in nodes if isinstance(node, defining)] == []


@each_notebook
def test_a_notebook_leaves_the_edges_to_the_library(notebook: Path) -> None:
    names = set[str]().union(*(imported(ast.parse(cell.source)) for cell in cells(notebook, "code")))
    assert names & {"mlflow", "papermill", "subprocess"} == set()


@each_notebook
def test_a_notebook_says_as_much_as_it_runs(notebook: Path) -> None:
    """The parameters are a list, one line each; every other code cell fits on a glance."""
    code = [cell for cell in cells(notebook, "code") if "parameters" not in tags(cell)]
    assert [cell.id for cell in code if len(cell.source.splitlines()) > 12] == []
    assert len(cells(notebook, "markdown")) >= len(code)


@each_module
def test_a_module_is_one_idea_of_at_most_250_lines(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 250


@pytest.mark.parametrize(
    ("package", "homes"),
    [("mlflow", {"tracking", "server"}), ("papermill", {"execute"})],  # its client; its server
)
def test_only_one_edge_imports(package: str, homes: set[str]) -> None:
    importers = modules_where(lambda tree: package in imported(tree))
    assert {name.split("/")[0] for name in importers} == homes


def test_one_module_runs_git() -> None:
    assert modules_where(runs_git) == {"repository"}


def test_only_the_sealed_test_opens_the_test_split() -> None:
    """`verified_split` is behind it; lineage hashes every split again with it, and returns no row."""
    opening = modules_where(lambda tree: bool(named(tree) & {"open_test"}))
    assert opening - {"store"} == {"tracking/sealed"}
    reopening = modules_where(lambda tree: "reopen_test" in named(tree))
    assert reopening - {"store"} <= {"tracking/here"}
    assert modules_where(lambda tree: "verified_split" in named(tree)) == {"store", "tracking/links"}


def test_the_ground_floor_knows_no_outside() -> None:
    outside = {"mlflow", "papermill", "subprocess", "time"}
    readings = {"os.environ", "os.getenv", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    strayed = modules_where(lambda tree: bool(imported(tree) & outside or touched(tree) & readings))
    assert {name for name in strayed if f"{name}/".startswith(GROUND)} == set()


def test_G8_nothing_can_unpickle() -> None:
    pickling = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    users = [below_root(path) for path in PYTHON if imported(code_of(path)) & pickling]
    assert users == []
    assert [below_root(path) for path in FILES if path.suffix in {".pkl", ".pickle", ".joblib"}] == []


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    registry = r"pypi\.org|pythonhosted\.org|conda\.anaconda\.org|(?<!emit-)index-url|find-links|/simple/"
    place = r"(?<![\w.~}])/(?:work|root|home|Users)/\w"
    forbidden = re.compile(f"{registry}|{place}|\\.library/")
    texts = ((path, path.read_text()) for path in FILES if path.suffix in TEXT and path != Path(__file__))
    assert [below_root(path) for path, text in texts if forbidden.search(text)] == []
