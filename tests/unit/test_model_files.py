"""A model is loaded only if each file is as recorded, and holds nothing but what this project writes."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
import yaml

from churnlib.errors import IntegrityError
from churnlib.models.manifest import (
    DESCRIPTION,
    differences,
    file_hashes,
    load_verified,
    manifest_sha256,
    model_path,
    require_whole,
)
from churnlib.models.requirements import environment_differences
from churnlib.tracking.allowed import require_no_surprises, surprises
from churnlib.tracking.deployment_checks import deployment_checks, safe_to_load
from churnlib.tracking.models import NO_BYTECODE, model_files, verified_files
from churnlib.tracking.reload import Reloaded, start_fresh_process
from tests.unit.saved_model import Saved, save

BOOSTER = model_path("xgboost")
FLAVOR = "python_function"
FREE = {"artifact_path", "uri"}  # where the model was made: nothing reads it when the model is loaded


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Saved:
    root = tmp_path_factory.mktemp("saved")
    shutil.copy(empty_store, root)
    return save(root)


@pytest.fixture
def no_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hands bytes to XGBoost fails the test."""

    def reached(*_: object) -> None:
        raise AssertionError("XGBoost was given bytes")

    monkeypatch.setattr(xgboost.Booster, "load_model", reached)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_recorded_files_give_the_scorer_that_was_saved(saved: Saved) -> None:
    scorer = load_verified(saved.files, saved.manifest)
    assert scorer.predict(saved.rows)["churn_probability"].tolist() == saved.probabilities
    assert scorer.threshold == 0.3


def test_D1_every_single_flipped_bit_is_refused_before_it_is_parsed(saved: Saved, no_parsing: None) -> None:
    rng = random.Random(1)  # noqa: S311 - places, not secrets
    flips = 0
    for name, content in saved.files.items():
        last = 8 * len(content) - 1
        for bit in {0, last, *(rng.randint(0, last) for _ in range(60))}:
            with pytest.raises(IntegrityError, match=f"CHURN-E413: the model: {name}: sha256"):
                load_verified({**saved.files, name: flipped(content, bit)}, saved.manifest)
            flips += 1
    assert flips >= 500


def test_D1_a_file_that_was_cut_short_is_refused_before_it_is_parsed(saved: Saved, no_parsing: None) -> None:
    for length in range(0, len(saved.files[BOOSTER]), 97):
        with pytest.raises(IntegrityError, match="E413"):
            load_verified({**saved.files, BOOSTER: saved.files[BOOSTER][:length]}, saved.manifest)


@pytest.mark.parametrize(
    ("mutate", "told"),
    [
        (lambda files: {**files, "code/evil.py": b"pass"}, "code/evil.py was added"),
        (lambda files: {**files, "artifacts/registered_model_meta": b""}, "registered_model_meta was added"),
        (lambda files: _without(files, BOOSTER, other="m.ubj"), f"{BOOSTER} was renamed to m.ubj"),
        (lambda files: {**files, "MLmodel": b"flavors: {}"}, "MLmodel: sha256 "),
        (lambda files: {**_without(files, NO_BYTECODE), "__pycache__/m.pyc": b""}, "__pycache__ is missing;"),
    ],
)
def test_D2_a_changed_added_or_renamed_file_is_refused_by_name(
    saved: Saved, no_parsing: None, mutate: Callable[[dict[str, bytes]], dict[str, bytes]], told: str
) -> None:
    with pytest.raises(IntegrityError, match="CHURN-E413: the model: ") as caught:
        load_verified(mutate(saved.files), saved.manifest)
    assert told in caught.value.message


def _without(files: dict[str, bytes], name: str, *, other: str = "") -> dict[str, bytes]:
    kept = {key: content for key, content in files.items() if key != name}
    return {**kept, other: files[name]} if other else kept


def test_D2_of_what_lies_beside_a_model_only_mlflows_own_note_is_tolerated(saved: Saved) -> None:
    notes = [saved.folder / "registered_model_meta", saved.folder / "artifacts" / "registered_model_meta"]
    try:
        notes[0].write_text("model_name: m")
        assert model_files(saved.model_id) == saved.files
        notes[1].write_text("model_name: m")
        with pytest.raises(IntegrityError, match=r"E413.*artifacts/registered_model_meta was added"):
            verified_files(saved.model_id, saved.manifest)
    finally:
        for note in notes:
            note.unlink(missing_ok=True)


def test_A3_missing_files_are_counted_and_named(saved: Saved) -> None:
    kept = {name: saved.files[name] for name in sorted(saved.files)[:3]}
    with pytest.raises(IntegrityError, match="CHURN-E401: model m-1 is not whole") as caught:
        require_whole(kept, saved.manifest, what="model m-1")
    assert f"(3 of {len(saved.manifest)} files)" in caught.value.message
    assert "churn_model.py is missing" in caught.value.message


def test_C9_a_model_that_is_not_on_record_is_told_without_a_stack(saved: Saved) -> None:
    with pytest.raises(IntegrityError, match=r"CHURN-E402: model m-0+ is not on record"):
        verified_files("m-" + "0" * 32, saved.manifest)


def test_D4_a_file_edited_with_its_manifest_gives_another_hash_of_the_manifest(saved: Saved) -> None:
    edited = {**saved.files, BOOSTER: flipped(saved.files[BOOSTER], 1000)}
    assert differences(edited, file_hashes(edited)) == []
    assert manifest_sha256(file_hashes(edited)) != manifest_sha256(saved.manifest)
    assert manifest_sha256({**saved.manifest, "code/evil.py": "0" * 64}) != manifest_sha256(saved.manifest)
    assert manifest_sha256(dict(reversed(saved.manifest.items()))) == manifest_sha256(saved.manifest)
    # {"a/ü":"00","b":"11"} with the umlaut as \u00fc, hashed by another program
    known = "3ea18cc2b861f38f767e430f63f65f19455e9414abba131f3670d35d707fe425"
    assert manifest_sha256({"b": "11", "a/ü": "00"}) == known


def described(saved: Saved) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(saved.files["MLmodel"])
    return content


def with_description(saved: Saved, description: dict[str, Any], **more: bytes) -> dict[str, bytes]:
    return {**saved.files, "MLmodel": yaml.safe_dump(description).encode(), **more}


def evil(marker: Path) -> bytes:
    return f"import pathlib; pathlib.Path({str(marker)!r}).touch()\nclass E: ...\n".encode()


def attack(kind: str, saved: Saved, marker: Path) -> dict[str, bytes]:
    """The model's files with one way in which an edited MLmodel makes MLflow run other code."""
    description = described(saved)
    flavor = description["flavors"][FLAVOR]
    module: dict[str, bytes] = {}
    match kind:
        case "loader_module":
            flavor |= {"loader_module": "evil1", "code": "code"}
            module = {"code/evil1.py": evil(marker)}
        case "model_class":
            description["flavors"]["xgboost"] = {"model_class": "evil2.E", "code": "code", "data": BOOSTER}
            module = {"code/evil2.py": evil(marker)}
        case "code":
            outside = marker.parent / "outside"
            outside.mkdir(exist_ok=True)
            (outside / "evil3.py").write_bytes(evil(marker))
            flavor |= {"loader_module": "evil3", "code": str(outside)}
        case "skops_trusted_types":
            description["flavors"]["sklearn"] = {"skops_trusted_types": ["evil4.E"], "code": None}
            flavor |= {"loader_module": "mlflow.sklearn", "model_path": "model.skops"}
            module = {"model.skops": b"PK\x03\x04"}
    return with_description(saved, description, **module)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("loader_module", "'code/evil1.py' is a file that no model has"),
        ("model_class", "'code/evil2.py' is a file that no model has"),
        ("code", "flavors.python_function.code is not what this library writes"),
        ("skops_trusted_types", "'model.skops' looks like a pickle"),
    ],
)
def test_D3_an_edited_mlmodel_is_refused_even_where_the_manifest_was_edited_too(
    saved: Saved, tmp_path: Path, kind: str, told: str
) -> None:
    marker = tmp_path / "marker"
    files = attack(kind, saved, marker)
    with pytest.raises(IntegrityError, match="CHURN-E413"):
        require_whole(files, saved.manifest, what="the model")
    with pytest.raises(IntegrityError, match="CHURN-E422") as caught:
        start_fresh_process(files, saved.rows)  # as if the manifest agreed
    assert told in caught.value.message
    only = {name: files[name] for name in saved.files}  # MLmodel alone is edited
    assert surprises(only)
    with pytest.raises(IntegrityError, match=r"CHURN-E422: .*'MLmodel': flavors"):
        start_fresh_process(only, saved.rows)
    assert not marker.exists()


def test_D3_every_entry_of_mlmodel_that_loading_reads_is_held_to_what_is_written(saved: Saved) -> None:
    def paths(content: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        deeper = [
            paths(value, (*above, name)) if isinstance(value, dict) else [(*above, name)]
            for name, value in content.items()
        ]
        return [path for group in deeper for path in group]

    held = [path for path in paths(described(saved)) if path[-1] not in FREE]
    assert len(held) > 20
    for path in held:
        for change in ("evil\nevil", True, None, {"code": "code"}):
            description = described(saved)
            place = description
            for name in path[:-1]:
                place = place[name]
            if place[path[-1]] is change:
                continue
            place[path[-1]] = change
            assert any(".".join(path) in line for line in surprises(with_description(saved, description)))
    description = described(saved)
    description["flavors"][FLAVOR]["python_model"] = "python_model.pkl"
    told = ["'MLmodel': flavors.python_function.python_model is an entry that no model has"]
    assert surprises(with_description(saved, description)) == told


@pytest.mark.parametrize(
    ("name", "edit", "told"),
    [
        ("churn_model.py", lambda text: text + b"\n", "not the script that this library writes"),
        ("MLmodel", lambda text: b"a: &x 1\nb: *x\n" + text, "'MLmodel': not plain YAML"),
        ("MLmodel", lambda text: b"!!python/none {}", "'MLmodel': not plain YAML"),
        ("MLmodel", lambda text: b"[" * 5000, "'MLmodel': not plain YAML"),
        ("MLmodel", lambda text: b"\xff", "'MLmodel': not plain YAML"),
        ("requirements.txt", lambda text: text + b"\nevil==1.0", "names other packages"),
        ("requirements.txt", lambda text: b"-r other.txt", "'-r other.txt' is not name==version"),
        ("conda.yaml", lambda text: text.replace(b"conda-forge", b"evil"), "asks for more"),
        ("conda.yaml", lambda text: text.replace(b"xgboost", b"xgbooost"), "asks for more"),
        ("python_env.yaml", lambda text: text + b"- evil\n", "asks for more"),
        (DESCRIPTION, lambda text: b"[]", "does not describe a scorer"),
        (DESCRIPTION, lambda text: text.replace(b"levels", b"level"), "does not describe a scorer"),
        (DESCRIPTION, lambda text: text.replace(b"xgboost", b"oracle"), "of a known family"),
        (BOOSTER, lambda text: b"\x80\x04" + text, "begins with b'\\x80\\x04', expected b'{L' as UBJ does"),
        (BOOSTER, lambda text: b"binf" + text, "begins with b'bi', expected b'{L' as UBJ does"),
        ("input_example.json", lambda text: b"cos\nsystem\n", "is not JSON"),
    ],
)
def test_D3_what_this_library_would_not_write_is_named(
    saved: Saved, name: str, edit: Callable[[bytes], bytes], told: str
) -> None:
    found = surprises({**saved.files, name: edit(saved.files[name])})
    assert [line for line in found if repr(name) in line and told in line]


@pytest.mark.parametrize("name", ["python_model.pkl", "a.JOBLIB", "../MLmodel", "/etc/passwd", "code/x.py"])
def test_G8_no_file_is_tolerated_that_the_library_does_not_write(saved: Saved, name: str) -> None:
    assert [line for line in surprises({**saved.files, name: b"x"}) if repr(name) in line]


def test_a_model_as_this_library_saves_it_holds_no_surprise(saved: Saved) -> None:
    require_no_surprises(saved.files)
    plain = save(saved.folder.parents[3], example=False)
    require_no_surprises(plain.files)
    assert set(saved.files) - set(plain.files) == {"input_example.json", "serving_input_example.json"}
    for name in plain.files:
        assert surprises(_without(plain.files, name)) == [f"{name!r} is missing"]
    assert surprises(_without(saved.files, "input_example.json"))


def test_D9_each_package_that_is_not_as_the_model_needs_it_is_named() -> None:
    needed = "xgboost==3.4.1\npandas==3.1.1\nnumpy==2.5.5"
    installed = {"xgboost": "3.1.3", "numpy": "2.5.5"}
    assert environment_differences(needed, installed) == [
        "xgboost 3.1.3 is installed, the model needs 3.4.1",
        "pandas is not installed, the model needs 3.1.1",
    ]
    assert environment_differences(needed, {**installed, "xgboost": "3.4.1", "pandas": "3.1.1"}) == []
    for line in ("xgboost>=3", "-r more.txt", "xgboost", "", "a==1 # b"):
        with pytest.raises(ValueError, match="is not name==version"):
            environment_differences(f"{needed}\n{line}\n", installed)


def reloaded(saved: Saved, **changes: Any) -> Reloaded:
    packages = dict(line.split("==") for line in saved.files["requirements.txt"].decode().splitlines())
    fields = {"probabilities": np.array(saved.probabilities), "packages": packages, "python": "3.12"}
    return Reloaded(**{**fields, **changes})


def judged(saved: Saved, again: Reloaded | None, **files: bytes) -> dict[str, tuple[bool, str, str]]:
    """Each check's verdict, measurement and note, the manifest being that of the given files."""
    given = {**saved.files, **files}
    checks = deployment_checks(given, file_hashes(given), saved.rows, np.array(saved.probabilities), again)
    assert all(check.title and check.required for check in checks)
    return {check.name: (check.passed, check.measured, check.note) for check in checks}


def test_a_sound_model_passes_every_check_of_its_deployment(saved: Saved) -> None:
    assert safe_to_load(saved.files, saved.manifest) == []
    assert judged(saved, reloaded(saved)) == {
        "files": (True, "10 of 10 files as recorded", ""),
        "no_surprises": (True, "nothing else found", ""),
        "signature": (True, "5 columns", ""),
        "requirements": (True, "4 of 4 packages installed as declared", ""),
        "fresh_process": (True, "largest difference 0 over 20 rows", ""),
    }


def test_what_is_unsafe_to_load_fails_every_check_and_says_why(saved: Saved) -> None:
    files = {**saved.files, "code/evil.py": b"", BOOSTER: b"\x80"}
    assert len(safe_to_load(files, saved.manifest)) == 4
    checks = deployment_checks(files, saved.manifest, saved.rows, np.array(saved.probabilities), None)
    assert [check.passed for check in checks] == [False] * 5
    assert checks[0].measured == "9 of 10 files as recorded"
    assert checks[0].note.startswith("artifacts/model.ubj: sha256 ")
    assert checks[1].note == (
        "'code/evil.py' is a file that no model has; "
        "'artifacts/model.ubj' begins with b'\\x80', expected b'{L' as UBJ does"
    )
    assert {check.measured for check in checks[2:]} == {"not looked at: the files are not safe to load"}


@pytest.mark.parametrize("old", [b'"noise"', b"double", b'"churn_prediction"'])
def test_a_signature_that_is_not_the_models_own_fails_its_check(saved: Saved, old: bytes) -> None:
    changed = saved.files["MLmodel"].replace(old, old.replace(b"o", b"0"))
    assert changed != saved.files["MLmodel"]
    found = judged(saved, reloaded(saved), MLmodel=changed)
    assert [name for name, (passed, _, _) in found.items() if not passed] == ["signature"]
    assert "are not the model's own" in found["signature"][2]


def test_D9_another_version_in_the_fresh_process_fails_the_requirements(saved: Saved) -> None:
    found = judged(saved, reloaded(saved, packages={**reloaded(saved).packages, "xgboost": "3.1.3"}))
    assert found["requirements"][:2] == (False, "3 of 4 packages installed as declared")
    assert found["requirements"][2].startswith("xgboost 3.1.3 is installed, the model needs ")


@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        (
            {"probabilities": np.array([]), "error": "InputError: missing columns"},
            "InputError: missing columns",
        ),
        ({"probabilities": np.zeros(19)}, "19 probabilities for 20 rows, 20 recorded"),
        ({"probabilities": np.full(20, np.nan)}, "largest difference nan over 20 rows"),
    ],
)
def test_a_fresh_process_that_gives_anything_else_fails_its_check(
    saved: Saved, changes: dict[str, Any], measured: str
) -> None:
    assert judged(saved, reloaded(saved, **changes))["fresh_process"][:2] == (False, measured)


def test_one_bit_of_one_probability_fails_the_fresh_process(saved: Saved) -> None:
    almost = np.array(saved.probabilities)
    almost[3] = np.nextafter(almost[3], 1)
    passed, measured, note = judged(saved, reloaded(saved, probabilities=almost))["fresh_process"]
    assert (passed, note) == (False, "1 of 20 rows predicted otherwise")
    assert measured.startswith("largest difference 1.1e-16")
