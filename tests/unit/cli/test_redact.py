"""The sieves: secrets go, in whatever form they come, and what helps stays."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.cli.redact import GONE, Redaction, secret_files, secrets_in

SECRET = "hunter2-of-the-lab"


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f"dsn: postgres://app:{SECRET}@db/x",
        f"https://host/hook?token={SECRET}&b=1",
        f'{{"api_key": "{SECRET}"}}',
        f"Authorization: Bearer {SECRET}",
        f"secret := '{SECRET}'",
        f"PGPASSWORD={SECRET} psql",
        f'password="a \\"{SECRET}\\" b"',
        f"{{'token': '{SECRET}'}}",
        f'password="cut off {SECRET}',
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET} cut off",
    ],
)
def test_what_looks_like_a_secret_goes(text: str) -> None:
    assert SECRET not in Redaction(()).text(text)


@pytest.mark.parametrize(
    "text",
    [
        "event=ready policy=3f2a swept=0",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "no rule allows select on public.accounts",
        "https://vault.example:8200 answers",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert Redaction((SECRET,)).text(text) == text


def test_the_secrets_of_this_host_go_wherever_they_are(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f'first "line"\n{SECRET}\n')
    redaction = Redaction(secrets_in([file, tmp_path / "absent"]))
    encoded = base64.b64encode(file.read_bytes()).decode()
    for form in (SECRET, 'first \\"line\\"', 'first "line"', encoded, file.read_bytes().hex()):
        assert redaction.text(f"before {form} after") == f"before {GONE} after"


@given(st.text(min_size=4), st.text(), st.text())
def test_a_known_secret_never_stays(secret: str, before: str, after: str) -> None:
    assert secret not in Redaction((secret,)).text(before + secret + after).replace(GONE, "")


def test_fields_go_by_their_name_and_places_stay() -> None:
    data = {
        "credentials": [
            {"name": "a", "user": "app", "file": "/etc/hostagent/secrets/a", "password": SECRET, "pin_token": 1234},
            {"name": "b", "exec": {"command": ["/usr/bin/print", SECRET], "user": "nobody"}},
            {"name": "c", "vault": {"approle": {"role_id": SECRET, "secret_id_from": {"systemd": "sid"}}}},
        ],
        "targets": [{"name": "orders", "credential": "a", "match": {"ports": [5432]}}],
        "enforcing": True,
    }
    found = Redaction(()).data(data)
    assert SECRET not in str(found)
    assert found["credentials"][0] == {
        "name": "a", "user": "app", "file": "/etc/hostagent/secrets/a", "password": GONE, "pin_token": GONE,
    }  # fmt: skip
    assert found["credentials"][1]["exec"] == {"command": ["/usr/bin/print", GONE], "user": "nobody"}
    assert found["credentials"][2]["vault"]["approle"] == {"role_id": GONE, "secret_id_from": {"systemd": "sid"}}
    assert (found["targets"], found["enforcing"]) == (data["targets"], True)


def test_every_file_with_a_secret_that_a_policy_names_is_found() -> None:
    data = {
        "credentials": [{"file": "/a"}, {"vault": {"token_from": {"file": "/b"}, "ca_file": "/public"}}],
        "targets": [{"tls": {"key_file": "/c", "cert_file": "/public"}, "placeholder_password": {"file": "/d"}}],
    }
    assert [str(path) for path in secret_files(data)] == ["/a", "/b", "/c", "/d"]


def test_json_stays_json() -> None:
    data = {"placeholder_password": {"file": "/a"}, "secret_id_from": [1], "password": SECRET, "token": None, "a": "b"}
    text = json.dumps(Redaction(()).data(data), indent=2)
    found = json.loads(Redaction(()).text(text))
    assert found == {**data, "password": GONE}
