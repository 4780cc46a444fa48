"""Stock SSH clients through the real daemon to a real sshd: nothing configured, decided, recorded, logged in for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ssh_world import CREDENTIALS, SshWorld, ssh_world, target
from tests.e2e.world import eventually
from tests.lab.sshd import Sshd, fingerprint

COMMANDS = ["id **", "echo **", "cat **", "true", "false", "tty", "env"]
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
POLICY: dict[str, Any] = {
    "credentials": CREDENTIALS,
    "targets": [
        target("web", 2),
        target("rsa", 3, "rsa"),
        target("certificate", 4, "certificate"),
        target("fixed", 5, "fixed"),
        target("changed", 6, host_keys={"pinned": OTHER_KEY}),
        target("other-port", 2, port=2222),
    ],
    "rules": [
        {"name": "work", "actors": "*", "targets": "*",
         "allow": {"kinds": ["exec", "interactive"], "commands": COMMANDS, "logins": ["root", "postgres"]}},
        {"name": "jump", "actors": "*", "targets": "web",
         "allow": {"kinds": "forward_local", "destinations": ["10.77.0.4:22"], "logins": "root"}},
    ],
}  # fmt: skip
LOUD = ("LogLevel=INFO",)


@pytest.fixture(scope="module")
def here() -> Iterator[SshWorld]:
    with ssh_world(POLICY, Sshd(ports=(22, 2222))) as made:
        yield made


def test_a_command_runs_and_its_events_say_who(here: SshWorld) -> None:
    done = here.ssh(2, "echo", "hello from web")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello from web\n", "")
    (decided,) = here.decided("echo hello from web")
    facts = decided["unmapped"]
    assert (facts["verdict"], facts["kind"], facts["login"], facts["channel"]) == ("allow", "exec", "root", 1)
    assert decided["actor"]["process"]["file"]["path"].endswith("/ssh") and decided["class_uid"] == 4007
    assert "rides" in facts and facts["target"] == "web" and facts["session"]["client"].startswith("SSH-2.0-OpenSSH")
    finished = here.finished(facts["decision"])
    assert (finished["unmapped"]["exit_status"], finished["unmapped"]["bytes_out"]) == (0, len(done.stdout))
    here.agent.hostagent("audit", "verify", "--state-dir", here.agent.state)


def test_input_and_exit_status_pass_on_any_port(here: SshWorld) -> None:
    done = here.ssh(2, "-p", "2222", "cat", input="some\ninput\n")
    assert (done.returncode, done.stdout) == (0, "some\ninput\n")
    assert here.ssh(2, "false").returncode == 1


def test_a_terminal_is_one(here: SshWorld) -> None:
    done = here.ssh(2, "-tt", "tty", options=("LogLevel=QUIET",))
    assert done.returncode == 0 and done.stdout.startswith("/dev/pts/")


def test_a_denied_command_says_why_and_the_connection_goes_on(here: SshWorld) -> None:
    with here.shared() as shared:
        done = here.ssh(2, "uname", "-a", options=shared)
        found = re.fullmatch(r"hostagent: (.+) \(decision (\S+)\)\n", done.stderr)
        assert done.returncode == 126 and done.stdout == "" and found is not None, done.stderr
        again = here.ssh(2, "echo", "goes on", options=shared)
        assert (again.returncode, again.stdout, again.stderr) == (0, "goes on\n", "")
    (denied,) = here.decided("uname -a")
    (allowed,) = here.decided("echo goes on")
    assert denied["unmapped"]["decision"] == found[2] and denied["unmapped"]["verdict"] == "deny"
    assert denied["unmapped"]["flow"] == allowed["unmapped"]["flow"] and allowed["unmapped"]["channel"] > 1


LOGINS = [(2, "root", "root"), (3, "root", "root"), (4, "postgres", "postgres"), (5, "nobody", "postgres")]


@pytest.mark.parametrize(("number", "user", "who"), LOGINS, ids=["key", "rsa", "certificate", "fixed"])
def test_each_kind_of_credential_logs_in(here: SshWorld, number: int, user: str, who: str) -> None:
    done = here.ssh(number, "id", "-un", user=user)
    assert (done.returncode, done.stdout) == (0, f"{who}\n"), done.stderr


def test_a_login_name_that_no_rule_names_is_denied(here: SshWorld) -> None:
    done = here.ssh(2, "id", "-un", user="mail")
    assert done.returncode == 126 and "mail" in done.stderr


def test_no_key_that_is_pinned_for_the_host_clashes(here: SshWorld, tmp_path: Path) -> None:
    (tmp_path / "pinned").write_text(f"10.77.0.2 {OTHER_KEY}\n")
    done = here.ssh(2, "echo", "x", options=(f"UserKnownHostsFile={tmp_path}/pinned", "StrictHostKeyChecking=yes"))
    assert (done.returncode, done.stdout) == (0, "x\n"), done.stderr


def test_a_client_that_forces_plain_keys_is_told_what_to_change(here: SshWorld) -> None:
    done = here.ssh(2, "echo", "x", options=("HostKeyAlgorithms=ssh-ed25519", *LOUD))
    assert done.returncode == 255 and "leave HostKeyAlgorithms at its default" in done.stderr


def test_a_changed_host_key_is_refused_with_both_fingerprints(here: SshWorld, tmp_path: Path) -> None:
    done = here.ssh(6, "echo", "x", options=LOUD)
    (tmp_path / "other.pub").write_text(OTHER_KEY)
    known, shown = fingerprint(tmp_path / "other.pub"), here.sshd.fingerprint
    assert done.returncode == 255 and known in done.stderr and shown in done.stderr and "has changed" in done.stderr

    def recorded() -> bool:
        reasons = [e["unmapped"].get("reason", "") for e in here.events("flow_closed")]
        return any(known in reason and shown in reason for reason in reasons)

    assert eventually(recorded)


def test_what_no_target_covers_is_told_so(here: SshWorld) -> None:
    done = here.ssh(9, "echo", "x", options=LOUD)
    assert done.returncode == 255 and "denied: no target of the policy covers 10.77.0.9:22" in done.stderr


def test_a_jump_is_a_flow_of_its_own(here: SshWorld) -> None:
    def through(host: int) -> tuple[str, ...]:
        jump = ["ssh", *here.options(*LOUD), "-W", "%h:%p", "root@10.77.0.2"]
        return (f"ProxyCommand={shlex.join(jump)}",)

    done = here.ssh(4, "echo", "behind the jump", options=through(4))
    assert (done.returncode, done.stdout) == (0, "behind the jump\n"), done.stderr
    (inner,) = here.decided("echo behind the jump")
    assert inner["unmapped"]["target"] == "certificate" and "channel 1" in inner["unmapped"]["session"]["through"]
    assert inner["actor"]["process"]["file"]["path"].endswith("/ssh")
    denied = here.ssh(3, "echo", "x", options=through(3))
    assert denied.returncode == 255 and "administratively prohibited" in denied.stderr
    assert here.decided("connect to 10.77.0.3:22")[0]["unmapped"]["verdict"] == "deny"


def test_no_private_key_is_in_any_record_or_log(here: SshWorld) -> None:
    secrets = [(here.sshd.directory / name).read_text().splitlines()[3] for name in ("user_key", "rsa_key", "user_ca")]
    seen = [here.agent.log(), *(p.read_text(errors="replace") for p in here.agent.records.rglob("*") if p.is_file())]
    assert not any(secret in text for secret in secrets for text in seen)


def test_the_ca_line_is_taken_out_again(here: SshWorld, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    assert "installed" in here.agent.hostagent("ca", "install", "--ssh-known-hosts", file)
    key = here.agent.hostagent("ca", "--ssh").split()
    assert file.read_text() == f"@cert-authority * {key[0]} {key[1]} hostagent-ca\n"
    assert "removed" in here.agent.hostagent("ca", "uninstall", "--ssh-known-hosts", file)
    assert not file.exists()
    untrusted = here.ssh(2, "echo", "x", options=("GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes"))
    assert untrusted.returncode == 255 and untrusted.stdout == ""
