"""`protocol: ssh` in a target, `host_keys:`, and `ssh:` of a credential: what they take, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hostagent.errors import FileError
from hostagent.policy.load import load_policy
from hostagent.policy.match import find_target, target_value
from hostagent.policy.model import Policy
from hostagent.values.flow import Endpoint

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtPQPGmM6b3Yp9cP5Lr3mM8FjKJ0bT1A2s3d4f5g6h7"
PIN = "SHA256:" + "A" * 43
GOOD: dict[str, Any] = {"name": "web", "protocol": "ssh", "match": {"hosts": "web.example"}, "credential": "key"}
CREDENTIAL: dict[str, Any] = {"name": "key", "file": "/k", "ssh": {"kind": "key"}}


def load(tmp_path: Path, target: dict[str, Any], credential: dict[str, Any] | None = None) -> Policy:
    policy = {"version": 1, "targets": [target], "credentials": [credential or CREDENTIAL]}
    (tmp_path / "p.yaml").write_text(json.dumps(policy))
    return load_policy(tmp_path)


@pytest.mark.parametrize(
    "host_keys",
    [{"pinned": PIN}, {"pinned": [KEY + " comment", PIN + "="]}, {"ca": KEY, "server_name": "web.corp"},
     {"known_hosts": "/etc/hostagent/known_hosts"}, {"first_use": True}],
)  # fmt: skip
def test_host_keys_in_each_form(tmp_path: Path, host_keys: dict[str, Any]) -> None:
    policy = load(tmp_path, {**GOOD, "host_keys": host_keys})
    again = Policy.from_json(policy.to_json())  # as a worker gets it
    assert again.targets == policy.targets and not target_value(policy.targets[0]).login
    pinned = again.targets[0].host_keys.pinned if again.targets[0].host_keys else None
    assert pinned is None or set(pinned) <= {KEY, PIN}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "`host_keys` is needed"),
        ({"host_keys": {}}, "no key is trusted unseen"),
        ({"host_keys": {"first_use": False}}, "no key is trusted unseen"),
        ({"host_keys": {"pinned": "SHA256:short"}}, "43 characters"),
        ({"host_keys": {"pinned": "MD5:aa:bb"}}, "a public key as OpenSSH writes it"),
        ({"host_keys": {"ca": "ssh-rsa " + KEY.split()[1]}}, "is not such a key"),
        ({"host_keys": {"pinned": PIN}, "tls": {"upstream": "off"}}, "`tls` does not go with `protocol: ssh`"),
        ({"host_keys": {"pinned": PIN}, "client_auth": "trust"}, "`client_auth` does not go with `protocol: ssh`"),
        ({"host_keys": {"pinned": PIN}, "credential": None}, "`credential` is needed"),
        ({"host_keys": {"pinned": PIN}, "protocol": "postgres"}, "`host_keys` goes with `protocol: ssh`"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    given = {name: value for name, value in {**GOOD, **more}.items() if value is not None}
    with pytest.raises(FileError, match=why):
        load(tmp_path, given)


@pytest.mark.parametrize(
    ("credential", "why"),
    [
        ({"name": "key", "user": "x", "file": "/k"}, "does not say `ssh`"),
        ({**CREDENTIAL, "ssh": {"kind": "key", "lifetime": 60}}, "goes with `kind: certificate_authority`"),
        ({**CREDENTIAL, "ssh": {"kind": "keyring"}}, "unknown word `keyring`"),
        ({"name": "c", "ssh": {"kind": "agent"}}, "`socket` and `public_key` are needed"),
        ({**CREDENTIAL, "ssh": {"kind": "key", "socket": "/a", "public_key": KEY}}, "go with nothing else"),
        ({**CREDENTIAL, "ssh": {"kind": "agent", "socket": "/a", "public_key": KEY}}, "stays in the agent"),
        ({"name": "c", "ssh": {"kind": "key"}}, "exactly one of"),
        ({**CREDENTIAL, "ssh": {"kind": "certificate_authority", "principals": ["a,b"]}}, "principals"),
    ],
)
def test_credentials_say_what_they_are_to_ssh(tmp_path: Path, credential: dict[str, Any], why: str) -> None:
    with pytest.raises(FileError, match=why):
        load(tmp_path, {**GOOD, "host_keys": {"pinned": PIN}}, credential)


def test_a_credential_of_ssh_is_none_for_a_database(tmp_path: Path) -> None:
    database = {"name": "db", "protocol": "postgres", "match": {"hosts": "db.example"}, "credential": "key"}
    with pytest.raises(FileError, match="credential `key` says `ssh`: postgres"):
        load(tmp_path, database)


def test_a_host_whose_address_is_not_known_is_found_by_its_name_alone(tmp_path: Path) -> None:
    policy = load(tmp_path, {**GOOD, "host_keys": {"pinned": PIN}})
    found = find_target(policy, Endpoint("", 22), frozenset({"WEB.example."}))
    assert found is not None and found.server_name == "web.example"
    both = {**GOOD, "match": {"hosts": "web.example", "addresses": "0.0.0.0/0"}, "host_keys": {"pinned": PIN}}
    assert find_target(load(tmp_path, both), Endpoint("", 22), frozenset({"web.example"})) is None
