"""What a worker gets for SSH: certificates, signatures, host keys, and never a private key."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hostagent.credentials import ssh_agent
from hostagent.credentials.secret import Unavailable
from hostagent.credentials.ssh_key import SshKey, blob_of, login_request
from hostagent.daemon.logins import Logins
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.ssh_calls import SshCalls
from hostagent.daemon.ssh_first_use import FirstUse
from hostagent.errors import HostError
from hostagent.pki.ssh_authority import SshAuthority
from tests.lab import sshd
from tests.lab.sshd import keygen

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtPQPGmM6b3Yp9cP5Lr3mM8FjKJ0bT1A2s3d4f5g6h7"


class Stage:
    """A policy with a target for each kind of credential."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told: list[str] = []
        keygen(directory / "key")
        keygen(directory / "ca")
        (directory / "word").write_text("w0rd-s3cret")
        (directory / "broken").write_text("br0ken-s3cret")
        (directory / "known").write_text("web ssh-ed25519 AAAA\n")
        for name in ("word", "broken"):
            (directory / name).chmod(0o600)
        (directory / "policies.d").mkdir()
        kinds = {"key": "key", "ca": "certificate_authority", "word": "password", "broken": "key"}
        ssh: dict[str, dict[str, Any]] = {name: {"kind": kind} for name, kind in kinds.items()}
        ssh["ca"] |= {"principals": ["deploy"], "lifetime": 120, "force_command": "uptime"}
        policy = {
            "version": 1,
            "credentials": [{"name": n, "file": f"{directory}/{n}", "ssh": how} for n, how in ssh.items()]
            + [{"name": "fixed", "user": "svc", "file": f"{directory}/word", "ssh": {"kind": "password"}},
               {"name": "sql", "user": "svc", "file": f"{directory}/word"}],
            "targets": [self.target(n, i) for i, n in enumerate((*ssh, "fixed"))]
            + [{"name": "sql", "protocol": "postgres", "match": {"hosts": "sql"}, "credential": "sql"}],
        }  # fmt: skip
        (directory / "policies.d" / "a.yaml").write_text(json.dumps(policy))
        self.policies = PolicyInForce(directory / "policies.d")
        self.authority = SshAuthority.load_or_create(directory / "host_ca")
        logins = Logins(self.policies, self.told.append)
        self.calls = SshCalls(self.authority, self.policies, logins, FirstUse(directory / "first_use"))

    def target(self, name: str, number: int) -> dict[str, Any]:
        host_keys = {"known_hosts": f"{self.directory}/known"} if name == "key" else {"first_use": True}
        match = {"hosts": f"h{number}"}
        return {"name": name, "protocol": "ssh", "match": match, "credential": name, "host_keys": host_keys}

    def ask(self, operation: str, **args: Any) -> dict[str, Any]:
        async def call() -> dict[str, Any]:
            return await self.calls.handlers()[f"ssh.{operation}"](args)

        answer = asyncio.run(call())
        json.dumps(answer)
        return answer

    def login(self, target: str, login: str = "root") -> dict[str, Any]:
        public = keygen(self.directory / f"user-{target}-{login}", "ecdsa")
        return self.ask("login", target=target, login=login, host="web", public_key=public, flow="f00-1")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_key_stays_here_and_signs(stage: Stage) -> None:
    answer = stage.login("key")
    assert answer["user"] == "root" and "PRIVATE" not in json.dumps(answer)
    assert answer["public_key"].split()[1] in (stage.directory / "key.pub").read_text()
    signed = stage.ask("sign", target="key", login="root", host="web", session_id="aa" * 32, algorithm="ssh-ed25519")
    assert bytes.fromhex(signed["signature"]).startswith(b"\0\0\0\x0bssh-ed25519")
    assert answer["host_keys"]["known_hosts"] == "web ssh-ed25519 AAAA\n"


@pytest.mark.parametrize(("kind", "algorithm"), [("ed25519", "ssh-ed25519"), ("rsa", "rsa-sha2-512")])
def test_a_key_of_an_ssh_agent_signs_there(tmp_path: Path, kind: str, algorithm: str) -> None:
    public = keygen(tmp_path / "held", kind)
    socket = tmp_path / "agent"

    async def sign() -> bytes:
        request = login_request(b"\xaa" * 32, "root", algorithm, public)
        return await ssh_agent.sign(str(socket), blob_of(public), request, algorithm)

    with sshd.ssh_agent(socket) as variable:
        with pytest.raises(Unavailable, match="did not sign"):
            asyncio.run(sign())
        subprocess.run(["env", variable, "ssh-add", "-q", tmp_path / "held"], check=True)
        signature = asyncio.run(sign())
    assert signature == SshKey((tmp_path / "held").read_text(), "held").sign_login(b"\xaa" * 32, "root", algorithm)
    with pytest.raises(Unavailable, match="did not answer"):
        asyncio.run(sign())


def test_a_ca_makes_a_certificate_for_the_workers_key(stage: Stage) -> None:
    answer = stage.login("ca")
    assert answer["certificate"].startswith("ecdsa-sha2-nistp256-cert-v01@openssh.com ")
    assert "PRIVATE" not in json.dumps(answer)


def test_a_password_is_handed_out_for_the_user_that_the_policy_says(stage: Stage) -> None:
    assert (stage.login("word")["user"], stage.login("word", "ada")["password"]) == ("root", "w0rd-s3cret")
    assert stage.login("fixed", "ada")["user"] == "svc"


@pytest.mark.parametrize("login", ["", "a b", "a,b", "*", "a\n", "x" * 256])
def test_no_user_by_an_impossible_name(stage: Stage, login: str) -> None:
    with pytest.raises(HostError, match="no user"):
        stage.ask("login", target="word", login=login, host="web", public_key="", flow="f")


def test_what_is_no_ssh_target_is_none(stage: Stage) -> None:
    for operation in ("login", "sign"):
        with pytest.raises(HostError, match="not logged in to over SSH"):
            stage.ask(operation, target="sql", login="x", host="h", session_id="aa", algorithm="x")
    with pytest.raises(HostError, match="no key that signs"):
        stage.ask("sign", target="word", login="x", host="h", session_id="aa", algorithm="x")


def test_a_broken_key_is_told_to_the_operator_alone(stage: Stage) -> None:
    with pytest.raises(HostError, match=r"^the credential of this target cannot be used$"):
        stage.login("broken")
    assert "credential broken" in stage.told[0] and "s3cret" not in "".join(stage.told)


def test_a_first_key_is_kept_until_its_line_is_removed(stage: Stage) -> None:
    file = stage.directory / "first_use"
    assert stage.login("word")["host_keys"]["first_used"] == ""
    assert stage.ask("first_use", target="word", host="web", key=KEY) == {"key": KEY}
    other = KEY[:-1] + "8"
    assert stage.ask("first_use", target="word", host="web", key=other) == {"key": KEY}
    assert stage.login("word", "bob")["host_keys"]["first_used"] == KEY
    assert file.stat().st_mode & 0o777 == 0o600 and file.read_text() == f"word web {KEY}\n"
    file.write_text("")
    assert stage.ask("first_use", target="word", host="web", key=other) == {"key": other}
    for host, key in (("a b", KEY), ("web", "two words more"), ("web", "x\ny z")):
        with pytest.raises(ValueError, match="no such host key"):
            stage.ask("first_use", target="word", host=host, key=key)
    with pytest.raises(HostError, match="no host key at its first use"):
        stage.ask("first_use", target="key", host="web", key=KEY)


def test_a_host_certificate_for_a_workers_key(stage: Stage) -> None:
    public = keygen(stage.directory / "host", "ecdsa")
    answer = stage.ask("host_certificate", public_key=public)
    assert {form: text.split()[0] for form, text in answer.items()} == dict.fromkeys(
        ("none", "pattern"), "ecdsa-sha2-nistp256-cert-v01@openssh.com"
    )
