"""What a worker is given to log in with, and what the operator hears when there is nothing to give."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from hostagent.daemon.logins import Logins
from hostagent.daemon.policies import PolicyInForce
from hostagent.errors import HostError
from hostagent.protocols.postgres.scram import SaltedPasswords, ScramClient
from hostagent.protocols.postgres.scram_server import ScramServer, Verifier
from hostagent.runtime.channel import MAX_FRAME

PLACEHOLDER = "placeholder-s3cret"


class Stage:
    """A policy whose target logs in with everything that there is."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told: list[str] = []
        (directory / "policies.d").mkdir()
        leaf = trustme.CA().issue_cert("app.example")
        self.private("secret", "app-s3cret")
        self.private("placeholder", PLACEHOLDER)
        self.private("key", leaf.private_key_pem.bytes().decode())
        self.private("cert", "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems))
        self.write()
        self.policies = PolicyInForce(directory / "policies.d")
        self.logins = Logins(self.policies, self.told.append)

    def private(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def write(self, **changed: Any) -> None:
        at = self.directory
        target = {
            "name": "orders", "protocol": "postgres", "match": {"hosts": "orders.example"}, "credential": "app",
            "tls": {"cert_file": f"{at}/cert", "key_file": f"{at}/key"},
            "client_auth": "scram", "placeholder_password": {"file": f"{at}/placeholder"},
        }  # fmt: skip
        bare = {"name": "bare", "protocol": "postgres", "match": {"hosts": "bare.example"}}
        credential = {"name": "app", "user": "svc", "file": f"{at}/secret"} | changed
        policy = {"version": 1, "targets": [target, bare], "credentials": [credential]}
        (at / "policies.d" / "a.yaml").write_text(json.dumps(policy, indent=1))

    def login(self, target: str = "orders") -> dict[str, Any]:
        answer = asyncio.run(self.logins.of(target))
        assert len(json.dumps(answer)) < MAX_FRAME
        return answer


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_login_has_secret_certificate_and_what_checks_a_placeholder(stage: Stage) -> None:
    answer = stage.login()
    assert answer["credential"] == {"user": "svc", "secret": "app-s3cret"}
    assert "PRIVATE KEY" in answer["client_pem"] and "BEGIN CERTIFICATE" in answer["client_pem"]
    assert PLACEHOLDER not in json.dumps(answer)
    server = ScramServer(Verifier.from_json(answer["placeholder"]), b"\x01" * 18)
    client = ScramClient(PLACEHOLDER, b"\x02" * 18, SaltedPasswords())
    first = client.first()
    challenge = server.first(b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first)
    client.verify(server.final(client.final(challenge)))


def test_a_target_with_nothing_of_ours_has_an_empty_login(stage: Stage) -> None:
    assert stage.login("bare") == {"credential": None, "placeholder": None, "client_pem": ""}


def test_the_salt_stays_until_the_placeholder_changes(stage: Stage) -> None:
    first = stage.login()["placeholder"]
    assert stage.login()["placeholder"] == first
    stage.private("placeholder", "another")
    assert stage.login()["placeholder"]["salt"] != first["salt"]


def test_an_unknown_target_is_refused(stage: Stage) -> None:
    with pytest.raises(HostError, match="no target"):
        stage.login("../etc/shadow")


@pytest.mark.parametrize(
    ("file", "place", "why"),
    [
        ("secret", "a.yaml:29:3: ", "credential app"),
        ("placeholder", "a.yaml:4:3: ", "target orders: placeholder_password"),
        ("key", "a.yaml:4:3: ", "target orders: tls.key_file"),
    ],
)  # fmt: skip
def test_the_worker_hears_one_sentence_and_the_operator_where_and_why(
    stage: Stage, file: str, place: str, why: str
) -> None:
    (stage.directory / file).chmod(0o644)
    with pytest.raises(HostError) as caught:
        stage.login()
    assert str(stage.directory) not in str(caught.value)
    assert place in stage.told[0] and why in stage.told[0] and "chmod o=" in stage.told[0]


def test_another_policy_forgets_what_it_does_not_name(stage: Stage) -> None:
    command = {"command": ["/bin/echo", "x-s3cret"], "user": "nobody"}
    stage.write(file=None, exec=command)
    text = (stage.directory / "policies.d" / "a.yaml").read_text().replace('"file": null,', "")
    (stage.directory / "policies.d" / "a.yaml").write_text(text)
    assert stage.policies.reload(), stage.policies.error
    assert stage.login()["credential"] == {"user": "svc", "secret": "x-s3cret"}
    assert list(stage.logins.credentials._held) == ["app"]
    stage.write()
    assert stage.policies.reload()
    stage.logins.reloaded()
    assert stage.logins.credentials._held == {} and stage.login()["credential"]["secret"] == "app-s3cret"
