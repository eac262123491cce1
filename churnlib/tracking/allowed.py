"""What may lie in a model's folder: exactly what this project writes, and nothing that runs other code.

Hashes tell that a file is the recorded one; this list tells that what was recorded is harmless. MLflow
imports the module that `MLmodel` names and puts the folder that it names on Python's path, so an edited
`MLmodel` runs code even without any pickle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from churnlib.errors import IntegrityError
from churnlib.families import family, names
from churnlib.models.manifest import DESCRIPTION, model_path
from churnlib.models.requirements import declared
from churnlib.models.scorer import read_description
from churnlib.tracking.models import NO_BYTECODE, SCRIPT, model_script, required

NEEDED = ("MLmodel", SCRIPT, DESCRIPTION, "requirements.txt", "conda.yaml", "python_env.yaml")
EXAMPLES = ("input_example.json", "serving_input_example.json")
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
PICKLED = (b"\x80", b"PK\x03\x04", b"\x1f\x8b", b"x\x9c")  # pickle, and what joblib and others pack it in
DEEPEST = 20

_TEXT = re.compile(r"[^\n]*")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+]*")
_HEX = re.compile(r"[0-9a-f]{32}")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_FLAVOR = ("flavors", "python_function")
_EXAMPLE = "saved_input_example_info"
# Each entry of MLmodel: a pattern for text that differs from model to model, else the only value.
_DESCRIBED: dict[tuple[str, ...], object] = {
    ("artifact_path",): _TEXT,
    (*_FLAVOR, "artifacts", "model", "uri"): _TEXT,
    (*_FLAVOR, "artifacts", "scorer", "path"): DESCRIPTION,
    (*_FLAVOR, "artifacts", "scorer", "uri"): _TEXT,
    (*_FLAVOR, "cloudpickle_version"): _VERSION,
    (*_FLAVOR, "code"): None,
    (*_FLAVOR, "env", "conda"): "conda.yaml",
    (*_FLAVOR, "env", "virtualenv"): "python_env.yaml",
    (*_FLAVOR, "loader_module"): "mlflow.pyfunc.loaders.code_model",
    (*_FLAVOR, "model_code_path"): re.compile(rf"[^\n]*[/\\]{re.escape(SCRIPT)}"),
    (*_FLAVOR, "python_version"): _VERSION,
    (*_FLAVOR, "streamable"): False,
    ("is_signature_from_type_hint",): True,
    ("mlflow_version",): _VERSION,
    ("model_id",): _MODEL_ID,
    ("model_size_bytes",): re.compile(r"[0-9]+"),
    ("model_uuid",): _MODEL_ID,
    ("prompts",): None,
    ("run_id",): _HEX,
    ("signature", "inputs"): re.compile(r"\[.*\]", re.DOTALL),
    ("signature", "outputs"): re.compile(r"\[.*\]", re.DOTALL),
    ("signature", "params"): '[{"name": "reasons", "default": 0, "shape": null, "type": "long"}]',
    ("type_hint_from_example",): False,
    ("utc_time_created",): re.compile(r"[-0-9:. ]+"),
}
_WITH_EXAMPLE: dict[tuple[str, ...], object] = {
    (_EXAMPLE, "artifact_path"): EXAMPLES[0],
    (_EXAMPLE, "serving_input_path"): EXAMPLES[1],
    (_EXAMPLE, "type"): "json_object",
}


def surprises(files: Mapping[str, bytes]) -> list[str]:
    """What this project would not have written, one line each; nothing where the model is ours.

    The script must be this library's own, byte for byte: a model that an older library saved is a
    surprise, too. Package versions may be any; `environment_differences` compares them.
    """
    try:
        name = read_description(files[DESCRIPTION].decode("utf-8")).family if DESCRIPTION in files else ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        name = ""
    if name not in names():
        known = "does not describe a scorer of a known family" if DESCRIPTION in files else "is missing"
        return [f"{DESCRIPTION!r} {known}"]
    named = [*_about_names(files, model_path(name)), *_about_model(files, name)]
    if named:
        return named
    checks = (_about_script, _about_examples, _about_description, _about_environment)
    return [line for check in checks for line in check(files, name)]


def require_no_surprises(files: Mapping[str, bytes]) -> None:
    """Nothing if `surprises` finds nothing, else IntegrityError E422 naming each."""
    if found := surprises(files):
        raise IntegrityError(
            "E422",
            f"the model holds what this project never writes: {'; '.join(found)}; do not load it, ask who "
            "changed it, and run `make finalize FORCE=1`",
        )


def _about_names(files: Mapping[str, bytes], model: str) -> Iterator[str]:
    """`model` is the family's own file: what it holds is for the family to say."""
    needed = (*NEEDED, NO_BYTECODE, model)
    for name, content in sorted(files.items()):
        if name != model and (name.lower().endswith(PICKLES) or content.startswith(PICKLED)):
            yield f"{name!r} looks like a pickle"
        elif name not in {*needed, *EXAMPLES}:
            yield f"{name!r} is a file that no model has"
    yield from (f"{name!r} is missing" for name in needed if name not in files)
    if len([name for name in EXAMPLES if name in files]) == 1:
        yield f"one of {EXAMPLES[0]!r} and {EXAMPLES[1]!r} is missing"


def _about_model(files: Mapping[str, bytes], family_name: str) -> Iterator[str]:
    model = model_path(family_name)
    if model in files:
        yield from (f"{model!r} {fault}" for fault in family(family_name).faults(files[model]))


def _about_script(files: Mapping[str, bytes], family_name: str) -> Iterator[str]:
    if files[SCRIPT] != model_script(family_name):
        yield f"{SCRIPT!r} is not the script that this library writes"


def _about_examples(files: Mapping[str, bytes], _family_name: str) -> Iterator[str]:
    for name in (name for name in EXAMPLES if name in files):
        try:
            json.loads(files[name])
        except (ValueError, RecursionError):
            yield f"{name!r} is not JSON"


def _about_description(files: Mapping[str, bytes], family_name: str) -> Iterator[str]:
    expected = {**_DESCRIBED, **(_WITH_EXAMPLE if EXAMPLES[0] in files else {})}
    expected[(*_FLAVOR, "artifacts", "model", "path")] = model_path(family_name)
    try:
        found = dict(_leaves(plain_yaml(files["MLmodel"])))
    except ValueError as error:
        yield f"'MLmodel': {error}"
        return
    for path in sorted(set(expected) | set(found)):
        where = f"'MLmodel': {'.'.join(path)}"
        if path not in found:
            yield f"{where} is missing"
        elif path not in expected:
            yield f"{where} is an entry that no model has"
        elif not _meets(found[path], expected[path]):
            yield f"{where} is not what this library writes"


def _about_environment(files: Mapping[str, bytes], family_name: str) -> Iterator[str]:
    """What an environment that is made for the model would install beside the packages it needs."""
    try:
        pinned = declared(files["requirements.txt"].decode("utf-8"))
    except ValueError as error:
        yield f"'requirements.txt': {error}"
        return
    wanted = required(family_name)
    if tuple(pinned) != wanted:
        yield f"'requirements.txt' names other packages than {', '.join(wanted)}"
    lines = [f"{name}=={version}" for name, version in pinned.items()]
    expected = {
        "conda.yaml": r"channels=\['conda-forge'\] "
        rf"dependencies=\['python={_VERSION.pattern}', 'pip(<={_VERSION.pattern})?', "
        rf"{re.escape(repr({'pip': lines}))}\] name='mlflow-env'",
        "python_env.yaml": rf"build_dependencies=\['pip(=={_VERSION.pattern})?', "
        rf"'setuptools(=={_VERSION.pattern})?', 'wheel(=={_VERSION.pattern})?'\] "
        rf"dependencies=\['-r requirements\.txt'\] python='{_VERSION.pattern}'",
    }
    for name, pattern in expected.items():
        try:
            content = plain_yaml(files[name])
        except ValueError as error:
            yield f"{name!r}: {error}"
            continue
        if not re.fullmatch(pattern, " ".join(f"{key}={value!r}" for key, value in sorted(content.items()))):
            yield f"{name!r} asks for more than the model's requirements"


def plain_yaml(content: bytes) -> dict[str, Any]:
    """The mapping with text keys that MLflow would read; ValueError for anchors, tags and all else."""
    try:
        text = content.decode("utf-8")
        found = yaml.safe_load(text) if _is_plain(text) else None
    except (ValueError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ValueError("not plain YAML")
    return found


def _is_plain(text: str) -> bool:
    """Whether the YAML has no anchor and no tag, and is nested no deeper than `DEEPEST`."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if getattr(event, "anchor", None) or getattr(event, "tag", None) or depth > DEEPEST:
            return False
    return True


def _leaves(content: Mapping[Any, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def _meets(found: object, expected: object) -> bool:
    if isinstance(expected, re.Pattern):
        return type(found) in (str, int) and bool(expected.fullmatch(str(found)))
    return type(found) is type(expected) and found == expected
