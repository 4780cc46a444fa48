"""Credentials, the upstream's TLS and what clients show: what a policy file may say, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.errors import FileError
from hostagent.policy.load import load_policy
from hostagent.policy.locate import place_of
from hostagent.policy.model import Policy

SERVER = "address: 'https://vault.example:8200', mount: secret, path: team/orders, token_from: {file: /t}"
KV, DATABASE = f"{SERVER}, engine: kv2", f"{SERVER}, engine: database"
TARGET = "name: t, protocol: postgres, match: {hosts: db.example}"


def loaded(tmp_path: Path, credential: str = "user: app, file: /s", target: str = TARGET) -> Policy:
    file = tmp_path / "a.yaml"
    file.write_text(f"version: 1\ncredentials:\n  - {{name: c, {credential}}}\ntargets:\n  - {{{target}}}\n")
    return load_policy(file)


@pytest.mark.parametrize(
    "credential",
    [
        "user: app, systemd: orders",
        "exec: {command: [/usr/bin/aws, rds, generate-db-auth-token], user: hostagent-helper, lifetime: 840}",
        "user: app, exec: {command: [/bin/x], user: '990', timeout: 2.5}",
        f"vault: {{{KV}, namespace: team-a, ca_file: /ca.pem, lifetime: 60}}",
        f"user: app, vault: {{{KV}, password_field: pw}}",
        f"vault: {{{DATABASE}}}",
        "vault: {address: 'http://127.0.0.1:8100', engine: kv1, mount: kv, path: x, "
        "approle: {role_id: r, secret_id_from: {systemd: sid}}}",
        "vault: {address: 'http://[::1]:8100', engine: kv1, mount: kv, path: x, token_from: {file: /t}}",
    ],
)
def test_what_a_credential_may_say(tmp_path: Path, credential: str) -> None:
    policy = loaded(tmp_path, credential)
    assert Policy.from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    ("credential", "why"),
    [
        ("file: /s", "`user` is needed"),
        ("user: app", "exactly one of `file`, `systemd`, `exec` and `vault`"),
        ("user: app, file: /s, systemd: x", "exactly one of"),
        ("user: app, password: hunter2", "a secret never stands in a policy file"),
        ("exec: {command: aws, user: x}", "list"),
        ("exec: {command: [aws], user: x}", "absolute path of a program"),
        ("exec: {command: [], user: x}", "must not be empty"),
        ("exec: {command: [/bin/x], user: root}", "never runs as root"),
        ("exec: {command: [/bin/x], user: u, env: {A: b}}", "never stands in a policy file"),
        ("exec: {command: [/bin/x], user: u, shell: yes}", "there is no shell"),
        ("exec: {command: [/bin/x], user: u, timeout: 0}", "greater than 0"),
        ("exec: {command: [/bin/x], user: u, timeout: 41}", "less than or equal to 40"),
        (f"user: app, vault: {{{DATABASE}}}", "`user` is made by the database engine"),
        (f"vault: {{{DATABASE}, lifetime: 9}}", "leave out the fields of kv1 and kv2"),
        (f"vault: {{{KV}, token: hvs.x}}", "never stands in a policy file"),
        (f"vault: {{{KV}, approle: {{role_id: r, secret_id_from: {{file: /x}}}}}}", "exactly one of `token_from`"),
        (f"vault: {{{KV.replace('https', 'http')}}}", "https is needed"),
        (f"vault: {{{KV.replace(':8200', ':8200/v1/secret')}}}", "the rest goes into `mount` and `path`"),
        (f"vault: {{{KV.replace('https://', 'https://u:p@')}}}", "not a URL"),
        (f"vault: {{{KV.replace(':8200', ':99999')}}}", "not a URL"),
        (f"vault: {{{KV.replace('team/orders', '../sys/raw')}}}", "no `..`"),
        (f"vault: {{{KV.replace('mount: secret', 'mount: a%2fb')}}}", "no `?`, `#` or `%`"),
        (f"vault: {{{KV.replace('kv2', 'kv3')}}}", "did you mean"),
    ],
)  # fmt: skip
def test_what_a_credential_may_not_say(tmp_path: Path, credential: str, why: str) -> None:
    with pytest.raises(FileError, match=r"a\.yaml:3:\d+: credentials\[0\]") as caught:
        loaded(tmp_path, credential)
    assert why in str(caught.value), str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("client_auth: scram", "go together"),
        ("placeholder_password: {file: /p}", "go together"),
        ("client_auth: scram, placeholder_password: {file: /p}", "needs a `credential`"),
        ("client_auth: scram, credential: c, placeholder_password: hunter2", "mapping"),
        ("client_auth: scram, credential: c, placeholder_password: {file: /p, systemd: x}", "exactly one of"),
        ("client_auth: md5", "unknown word `md5`"),
        ("tls: {cert_file: /c}", "go together"),
        ("tls: {upstream: off, cert_file: /c, key_file: /k}", "leave out ca_file, server_name, cert_file and key_file"),
    ],
)
def test_what_a_target_may_not_say(tmp_path: Path, target: str, why: str) -> None:
    with pytest.raises(FileError, match=r"a\.yaml:5:\d+: targets\[0\]") as caught:
        loaded(tmp_path, target=f"{TARGET}, {target}")
    assert why in str(caught.value)


def test_what_a_target_may_say(tmp_path: Path) -> None:
    said = "credential: c, client_auth: scram, placeholder_password: {file: /p}, tls: {cert_file: /c, key_file: /k}"
    policy = loaded(tmp_path, target=f"{TARGET}, {said}")
    assert Policy.from_json(policy.to_json()) == policy and policy.targets[0].placeholder_password is not None


def test_entries_are_found_again_for_later_errors(tmp_path: Path) -> None:
    loaded(tmp_path)
    assert str(place_of(tmp_path, "credentials", "c")).endswith("a.yaml:3:5")
    assert str(place_of(tmp_path, "targets", "t")).endswith("a.yaml:5:5")
    assert place_of(tmp_path, "targets", "x") is None
    (tmp_path / "a.yaml").write_text("version: [")
    assert place_of(tmp_path, "targets", "t") is None
