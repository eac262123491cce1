"""Known secrets are blotted out of texts; everything else stays as it was."""

from __future__ import annotations

from churnlib.masks import Masks

SECRET = "c4n4ry-7f3a"  # noqa: S105 - planted
MASKS = Masks({"AWS_SECRET_ACCESS_KEY": SECRET, "DB_PASSWORD": "short", "MAX_TOKENS": "12345678"})


def test_the_value_of_a_secret_variable_is_masked_wherever_it_stands() -> None:
    assert MASKS.text(f"a{SECRET}b {SECRET}") == "a***b ***"


def test_the_user_and_password_of_an_address_are_masked() -> None:
    assert MASKS.text("no route to https://ann:pw@h:1/x") == "no route to https://***@h:1/x"
    assert MASKS.text("https://ghp_token@github.example/a.git") == "https://***@github.example/a.git"


def test_what_is_no_secret_stays_as_it_is() -> None:
    plain = "12345678 rows, a short word, mail ann@example.org, http://127.0.0.1:5000/#/a@b, file:///a@b"
    assert MASKS.text(plain) == plain
    assert Masks({"API_TOKEN_FILE": "/run/secrets/token"}).text("/run/secrets/token") == "/run/secrets/token"


def test_every_text_of_an_output_is_masked_and_a_picture_is_not() -> None:
    outputs = [
        {"output_type": "stream", "text": SECRET},
        {"output_type": "error", "ename": "E", "evalue": SECRET, "traceback": [f"1 {SECRET}", "2"]},
        {
            "data": {
                "text/html": f"<b>{SECRET}</b>",
                "application/x": {"a": [SECRET, 1]},
                "image/png": SECRET,
            }
        },
    ]
    MASKS.outputs(outputs)
    assert outputs == [
        {"output_type": "stream", "text": "***"},
        {"output_type": "error", "ename": "E", "evalue": "***", "traceback": ["1 ***", "2"]},
        {"data": {"text/html": "<b>***</b>", "application/x": {"a": ["***", 1]}, "image/png": SECRET}},
    ]
