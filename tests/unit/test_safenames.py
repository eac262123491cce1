from __future__ import annotations

import pytest

from churnlib.safenames import (
    check_alias,
    check_name,
    check_path,
    check_readable,
    check_upstream,
    holds_credentials,
    looks_secret,
)


@pytest.mark.parametrize("name", ["streamflow", "xgb-09-lr0.03-d7", "v1", "2024-03", "a_b", "x" * 100])
def test_ordinary_name_is_kept(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("alias", ["champion", "challenger-2", "vintage", "v", "latest2"])
def test_ordinary_alias_is_kept(alias: str) -> None:
    assert check_alias(alias) == alias


@pytest.mark.parametrize("path", ["build/a", "build/scratch/data", "build/a/b/c.d"])
def test_folder_below_build_is_kept(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path", ["build", "a/b", "build//a", "build/./a", "build/a/", "./build/a", "build/" + "a/" * 150 + "a"]
)
def test_anything_but_a_plain_folder_below_build_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        check_path(path)


def test_upstream_is_a_result_below_build_or_a_run() -> None:
    for value in ("build/a/data/result.json", "run:" + "0123456789abcdef" * 2):
        assert check_upstream(value) == value
    for value in (
        "build/a/../../x/result.json",
        "result.json",
        "run:" + "0" * 31,
        "run:" + "G" * 32,
        "run:" + "0" * 32 + "\n",
    ):
        with pytest.raises(ValueError, match="expected"):
            check_upstream(value)


def test_source_may_be_any_file_of_the_user_but_holds_no_control_character() -> None:
    for value in ("generate:streamflow", "../data/customers.csv", "/data/customers 2024.parquet"):
        assert check_readable(value) == value
    for value in ("", "a\nb.csv", "a\0.csv", "x" * 1001):
        with pytest.raises(ValueError, match="expected generate:<name>"):
            check_readable(value)


def test_secrets_are_known_by_name_or_by_a_password_in_an_address() -> None:
    for text in (
        "DB_PASSWORD",
        "apikey",
        "api_key",
        "auth_token",
        "https://user:pw@host/x",
        "postgresql://:pw@h",
    ):
        assert looks_secret(text), text
    for text in ("n_rows", "https://host:8080/a@b", "seed", "keep_columns", "mailto:a@b"):
        assert not looks_secret(text), text
    assert not holds_credentials("password")
