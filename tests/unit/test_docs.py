"""The documentation says what the code says: parameters, error codes, recorded names, verbs, links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from churnlib import errors
from churnlib.execute.checks import CellParameter, cell_parameters
from churnlib.families import family, names
from churnlib.params import NOTEBOOKS, DataParams, FinalizeParams, RegistryParams, SearchParams
from churnlib.results import DataResult, Source, SplitRecord
from churnlib.tracking import data_record
from churnlib.tracking.datasets import data_tags

ROOT = Path(__file__).parents[2]
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
CODE = re.compile(r"E[2-9]\d\d")
LONGEST_DEFAULT = 60

each_document = pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def documented_codes() -> list[str]:
    return re.findall(r"^\| (E\d{3}) \|", text_of("docs/errors.md"), re.MULTILINE)


def raised() -> Iterator[tuple[str, str]]:
    """Every error code in the library's source, with the name of what is called with it."""
    for path in (ROOT / "churnlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            for value in given:
                if isinstance(value, ast.Constant) and CODE.fullmatch(str(value.value)):
                    yield str(value.value), ast.unparse(node.func).rpartition(".")[2]


def row_of(parameter: CellParameter) -> str:
    """A parameter's line in docs/parameters.md."""
    short = len(parameter.default_text) <= LONGEST_DEFAULT
    default = f"`{parameter.default_text}`" if short else "(a short list)"
    meaning = parameter.help.replace("<", "\\<")
    return f"| `{parameter.name}` | {parameter.type_text} | {default} | {meaning} |"


def section(document: str, heading: str) -> str:
    """The text below a second-level heading."""
    return document.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("phase", NOTEBOOKS)
def test_every_parameter_is_documented_as_the_notebook_declares_it(phase: str) -> None:
    expected = [
        row_of(item) for item in cell_parameters(ROOT / "notebooks" / NOTEBOOKS[phase].notebook).values()
    ]
    listed = re.findall(
        r"^\| `\w+` \| \w+ \| .*$", section(text_of("docs/parameters.md"), phase), re.MULTILINE
    )
    assert listed == expected


def test_everything_that_a_configuration_may_set_is_documented() -> None:
    table = text_of("docs/parameters.md").partition("| family | settings | range |")[2]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)
    documented = {(name, setting) for name, settings in rows for setting in re.findall(r"`(\w+)`", settings)}
    assert documented == {(name, item) for name in names() for item in family(name).Settings.__annotations__}


def test_every_error_code_of_the_library_is_documented_and_no_other() -> None:
    assert documented_codes() == sorted({code for code, _ in raised()})


def test_a_code_stands_in_the_section_of_its_exit_status() -> None:
    document = text_of("docs/errors.md")
    for heading, digits in (
        ("2: parameters", "2"),
        ("3: data", "3"),
        ("4: integrity", "4"),
        ("5 and others", "567"),
    ):
        codes = re.findall(r"^\| (E\d{3}) \|", section(document, heading), re.MULTILINE)
        assert codes and {code[1] for code in codes} <= set(digits)


def test_a_code_belongs_to_the_class_whose_status_it_begins_with() -> None:
    """But for E313, a leak, which is refused by a rule; the page says so."""
    statuses = {cls.__name__: cls.exit_status for cls in errors.ChurnError.__subclasses__()}
    strayed = {(code, name) for code, name in raised() if statuses.get(name, int(code[1])) != int(code[1])}
    assert strayed == {("E313", "GateRefused")}
    assert re.search(r"^\| E313 \| .*status 6", text_of("docs/errors.md"), re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "docs/errors.md"])
def test_every_exit_status_is_documented(document: str) -> None:
    statuses = {cls.exit_status for cls in errors.ChurnError.__subclasses__()} - {1}
    table = {int(found) for found in re.findall(r"^\| (\d) \|", text_of(document), re.MULTILINE)}
    assert statuses <= table


def test_the_tags_about_data_are_documented() -> None:
    split = SplitRecord(fingerprint="f" * 64, file_sha256="0" * 64, rows=1, target_rate=0.5)
    data = DataResult(
        study="s",
        experiment="e",
        run_id="r",
        parameters=dict.fromkeys(DataParams.model_fields, 0),
        source=Source(kind="file", location="x.csv", sha256="0" * 64, rows=3),
        data_version="v1",
        fingerprint="f" * 64,
        splits=dict.fromkeys(("train", "val", "test"), split),
        data_schema="{}",
        feature_count=1,
        ceiling_val_auc=None,
        ceiling_test_auc=None,
    )
    every_run = section(text_of("docs/record.md"), "Every run")
    assert [name for name in data_tags(data) if f"`{name}`" not in every_run] == []


def test_every_file_that_the_library_logs_by_name_is_documented() -> None:
    """Names in `recorder.text(…, "links.csv")` and its like, and of figures in the notebooks' `drawn`."""
    logged = set()
    for path in Path(data_record.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".text", ".file")):
                logged |= {str(item.value) for item in node.args if isinstance(item, ast.Constant)}
    record = text_of("docs/record.md")
    assert len(logged) >= 10
    assert [name for name in logged if f"`{name}`" not in record] == []


def test_the_verbs_of_the_readme_are_those_of_the_makefile() -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*## ", text_of("Makefile"), re.MULTILINE)) - {"help"}
    table = section(text_of("README.md"), "The verbs").partition("`make` turns")[0]
    named = {word for cell in re.findall(r"^\| (`make.*?) \|", table, re.MULTILINE) for word in cell.split()}
    assert {verb for verb in verbs if not any(word.strip("`,;") == verb for word in named)} == set()


def test_the_readme_fits_on_a_few_screens() -> None:
    assert len(text_of("README.md").splitlines()) < 150


@each_document
def test_a_link_leads_to_a_file_of_the_project(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).is_file()] == []


@each_document
def test_a_line_of_a_parameter_file_names_a_parameter_that_there_is(
    document: Path,
) -> None:
    """Inline code of the form ``name: value`` stands for such a line; ``name: type`` for a notebook's."""
    known = {setting for name in names() for setting in family(name).Settings.__annotations__}
    known |= {"low", "log", "choices", "smoothing"}  # a dimension's; the docs' own family's
    for kind in (DataParams, SearchParams, FinalizeParams, RegistryParams):
        known |= set(kind.model_fields)
    shown = re.findall(r"`([a-z_]+): [^`]*`", document.read_text(encoding="utf-8"))
    assert [name for name in shown if name not in known | {"name"}] == []
