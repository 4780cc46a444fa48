"""Both logins: whom a client takes us for, and what a server is shown, by each kind of credential and host key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest

from tests.lab.sshd import Sshd, fingerprint, free_port, keygen, ssh_agent
from tests.unit.runtime.ssh.harness import Harness, play, policy, run

HELLO = (0, b"hello\n", b"")


@pytest.mark.parametrize("kind", ["key", "rsa", "ca"])
def test_each_kind_of_credential_logs_in(sshd: Sshd, tmp_path: Path, kind: str) -> None:
    async def scene(h: Harness) -> None:
        assert await h.ssh("echo", "hello") == HELLO
        code, output, _ = await h.ssh("id", "-un", user="postgres")
        assert (code, output) == (0, b"postgres\n")

    play(sshd, tmp_path, scene, policy(credential=kind))
    if kind == "ca":
        assert "Accepted publickey for postgres" in sshd.log() and "ID hostagent" in sshd.log()


def test_a_key_that_an_ssh_agent_holds_logs_in(sshd: Sshd, tmp_path: Path) -> None:
    socket = tmp_path / "agent"

    async def scene(h: Harness) -> None:
        code, _, errors = await h.ssh("echo", "hello", options=("LogLevel=INFO",))
        assert code == 255 and b"the credential of this target cannot be used" in errors
        added = await run("env", f"SSH_AUTH_SOCK={socket}", "ssh-add", "-q", str(sshd.user_key_file))
        assert added[0] == 0
        assert await h.ssh("echo", "hello") == HELLO

    how = {"kind": "agent", "socket": str(socket), "public_key": sshd.user_key}
    given = policy(credential="held")
    given["credentials"] = [{"name": "held", "ssh": how}]
    with ssh_agent(socket):
        play(sshd, tmp_path, scene, given)


def test_a_credential_with_a_user_logs_in_as_that_one(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, output, _ = await h.ssh("id", "-un", user="anybody")
        assert (code, output) == (0, b"postgres\n")
        facts = h.events("decided")[0]["unmapped"]
        assert (facts["login"], facts["requested_login"]) == ("postgres", "anybody")

    play(sshd, tmp_path, scene, policy(credential="fixed"))


def test_a_login_name_that_no_rule_lets_in_is_denied(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, output, errors = await h.ssh("echo", "hello", user="nobody")
        assert (code, output) == (126, b"") and b"nobody" in errors

    play(sshd, tmp_path, scene)


def test_a_refused_login_is_told(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, output, errors = await h.ssh("echo", "hello", options=("LogLevel=INFO",))
        assert (code, output) == (255, b"")
        assert b"the server of target lab refused the login as root" in errors
        (closed,) = h.events("flow_closed")
        assert "refused the login" in closed["unmapped"]["reason"]

    wrong = policy(credential="wrong")
    wrong["credentials"] = [{"name": "wrong", "file": "{directory}/host_ca", "ssh": {"kind": "key"}}]
    play(sshd, tmp_path, scene, wrong)


def test_a_client_may_show_whatever_it_likes(sshd: Sshd, tmp_path: Path) -> None:
    def paramiko_says(port: int, **how: Any) -> str:
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            client.connect("127.0.0.1", port, "root", allow_agent=False, look_for_keys=False, **how)
            _, output, _ = client.exec_command("echo hello")
            return str(output.read().decode())

    async def scene(h: Harness) -> None:
        key = paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "any"))
        for how in ({"password": "any"}, {"pkey": key}):
            assert await asyncio.to_thread(paramiko_says, h.port, **how) == "hello\n"
        known = f"@cert-authority * {(h.known_hosts).read_text().split(' ', 2)[2]}"
        for given in ({"password": "x", "client_keys": None}, {"client_keys": [str(tmp_path / "any")]}):
            async with asyncssh.connect(
                "127.0.0.1", h.port, username="root", known_hosts=known.encode(), config=None, **given
            ) as connection:
                done = await connection.run("echo hello")
                assert done.stdout == "hello\n"

    keygen(tmp_path / "any")
    play(sshd, tmp_path, scene)


def test_a_key_that_the_client_has_pinned_for_the_host_does_not_clash(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        other = keygen(tmp_path / "other")
        (tmp_path / "pinned").write_text(f"[127.0.0.1]:{h.port} {other}\n")
        options = (f"UserKnownHostsFile={tmp_path}/pinned",)
        assert await h.ssh("echo", "hello", options=options) == HELLO

    play(sshd, tmp_path, scene)


def test_a_client_that_takes_no_certificate_is_told_so(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        options = ("HostKeyAlgorithms=ssh-ed25519,ecdsa-sha2-nistp256", "LogLevel=INFO")
        code, _, errors = await h.ssh("echo", "hello", options=options)
        assert code == 255 and b"leave HostKeyAlgorithms at its default" in errors
        (closed,) = h.events("flow_closed")
        assert "HostKeyAlgorithms" in closed["unmapped"]["reason"]
        assert await h.ssh("echo", "hello") == HELLO

    play(sshd, tmp_path, scene)


def test_a_client_that_does_not_know_the_ca_refuses_us(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, _, errors = await h.ssh(
            "echo", "hello", options=("GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes")
        )
        assert code == 255 and b"verification failed" in errors

    play(sshd, tmp_path, scene)


@pytest.mark.parametrize("where", ["pinned", "pinned_key", "known_hosts", "ca", "first_use"])
def test_a_known_host_key_is_taken_and_a_changed_one_is_not(sshd: Sshd, tmp_path: Path, where: str) -> None:
    other = keygen(tmp_path / "other")
    good = {
        "pinned": {"pinned": sshd.fingerprint},
        "pinned_key": {"pinned": [other, sshd.host_key]},
        "known_hosts": {"known_hosts": str(tmp_path / "good")},
        "ca": {"known_hosts": str(tmp_path / "good")},
        "first_use": {"first_use": True},
    }[where]
    bad = {
        "pinned": {"pinned": fingerprint(tmp_path / "other.pub")},
        "pinned_key": {"pinned": other},
        "known_hosts": {"known_hosts": str(tmp_path / "bad")},
        "ca": {"ca": other},
        "first_use": {"first_use": True},
    }[where]
    (tmp_path / "good").write_text(f"127.0.0.1 {sshd.host_key}\n")
    (tmp_path / "bad").write_text(f"127.0.0.1 {other}\n")

    async def taken(h: Harness) -> None:
        assert await h.ssh("echo", "hello") == HELLO
        assert await h.ssh("echo", "hello") == HELLO

    async def refused(h: Harness) -> None:
        code, output, errors = await h.ssh("echo", "hello", options=("LogLevel=INFO",))
        assert (code, output) == (255, b"")
        said = errors.decode()
        assert sshd.fingerprint in said, said
        reason = h.events("flow_closed")[0]["unmapped"]["reason"]
        assert sshd.fingerprint in reason
        if where != "ca":
            assert "has changed" in said and fingerprint(tmp_path / "other.pub") in said

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    play(sshd, tmp_path / "one", taken, policy(host_keys=good))
    if where == "first_use":
        assert (tmp_path / "one" / "first_use").read_text() == f"lab 127.0.0.1 {sshd.host_key}\n"
        (tmp_path / "two" / "first_use").write_text(f"lab 127.0.0.1 {' '.join(other.split()[:2])}\n")
    play(sshd, tmp_path / "two", refused, policy(host_keys=bad))


def test_a_host_certificate_is_taken_for_its_name_alone(sshd: Sshd, tmp_path: Path) -> None:
    server = Sshd(ports=(free_port(),), listen=("127.0.0.1",)).prepare()
    server.certify("db1.corp.example")

    async def taken(h: Harness) -> None:
        assert await h.ssh("echo", "hello") == HELLO

    async def refused(h: Harness) -> None:
        code, _, errors = await h.ssh("echo", "hello", options=("LogLevel=INFO",))
        assert code == 255 and b"could not be verified" in errors

    try:
        server.start()
        for name, scene in (("db1.corp.example", taken), ("db2.corp.example", refused)):
            (tmp_path / name).mkdir()
            play(server, tmp_path / name, scene, policy(host_keys={"ca": "{host_ca}", "server_name": name}))
    finally:
        server.stop()


def test_what_no_target_covers_is_told_in_words(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, _, errors = await h.ssh("echo", "hello", options=("LogLevel=INFO",))
        assert code == 255 and b"denied: no target of the policy covers 127.0.0.1:22" in errors
        assert h.events("flow_refused")

    nowhere = policy(match={"addresses": "10.9.9.9"})
    play(sshd, tmp_path, scene, nowhere)


def test_no_private_key_reaches_the_worker(sshd: Sshd, tmp_path: Path) -> None:
    """What crosses the channel holds no private key, and a signature is of a login alone."""
    seen: list[str] = []

    async def scene(h: Harness) -> None:
        for name in [name for name in h.calls if name.startswith("ssh.")]:
            handler = h.calls[name]

            async def spy(args: Any, handler: Any = handler) -> Any:
                answer = await handler(args)
                seen.append(json.dumps(answer))
                return answer

            h.calls[name] = spy
        assert await h.ssh("echo", "hello") == HELLO

    play(sshd, tmp_path, scene)
    assert seen and not any("PRIVATE" in text for text in seen)
