"""Bad input that a running daemon meets: one clear error for whoever it concerns, and everything else goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
import trustme

from tests.e2e.failure_lab import Stage, scratch, staged, until
from tests.e2e.world import target
from tests.lab.agent import AS_NOBODY, BIN


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with scratch() as directory:
        secret, other_ca = directory / "secret", directory / "other-ca.pem"
        secret.write_text("not-the-password")
        secret.chmod(0o600)
        (directory / "open").write_text("for all to see")
        trustme.CA().cert_pem.write_to_path(str(other_ca))
        verified = {"upstream": "verify-full", "ca_file": "{ca}"}
        policy = {
            "targets": [
                target("orders", 2),
                target("wrong", 3, credential="wrong"),
                target("gone", 4, credential="gone"),
                target("open", 5, credential="open"),
                target("nameless", 6, credential="nobody"),
                target("misnamed", 7) | {"tls": verified | {"server_name": "billing.lab.test"}},
                target("mistrusted", 8)
                | {"tls": {**verified, "ca_file": str(other_ca), "server_name": "orders.lab.test"}},
                target("no-ca", 9) | {"tls": {**verified, "ca_file": str(directory / "none.pem")}},
                target("down", 10) | {"match": {"addresses": "10.77.0.10/32", "ports": 5999}},
            ],
            "credentials": [
                {"name": "wrong", "user": "app", "file": str(secret)},
                {"name": "gone", "user": "app", "file": str(directory / "none")},
                {"name": "open", "user": "app", "file": str(directory / "open")},
                {"name": "nobody", "user": "nobody-of-that-name", "file": str(secret)},
            ],
            "rules": [{"name": "all", "actors": "*", "targets": "*", "allow": {"kinds": "any", "relations": "*"}}],
        }
        with staged(policy=policy) as made:
            yield made


MET = {
    "the twin": (2, 5432, "1"),
    "wrong credential": (3, 5432, "target wrong refused the credential"),
    "credential of a user that is not there": (6, 5432, "target nameless refused the credential"),
    "credential file missing": (4, 5432, "the credential of this target cannot be read"),
    "credential file that others can read": (5, 5432, "the credential of this target cannot be read"),
    "certificate of another name": (7, 5432, "certificate could not be verified"),
    "certificate of an unknown authority": (8, 5432, "certificate could not be verified"),
    "CA file missing": (9, 5432, "CA file"),
    "upstream down": (10, 5999, "10.77.0.10:5999 cannot be reached"),
    "no target": (11, 5432, "no target of the policy covers 10.77.0.11:5432"),
}


@pytest.mark.parametrize("case", MET)
def test_a_session_is_told(stage: Stage, case: str) -> None:
    number, port, wanted = MET[case]
    dsn = f"host=10.77.0.{number} port={port} user=trusting dbname=postgres connect_timeout=10"
    said = stage.said(stage.governed, "psql", "-X", "-A", "-t", dsn, "-c", "select 1")
    assert wanted in said, said
    assert "not-the-password" not in said
    assert "for all to see" not in said + stage.agent.log()
    assert "not-the-password" not in stage.agent.log()
    assert len(said.splitlines()) == 1 if case == "the twin" else "FATAL" in said, said
    assert stage.way(stage.governed) == "way t"


def test_the_operator_learns_what_is_wrong_with_a_credential(stage: Stage) -> None:
    dsn = "host=10.77.0.5 user=trusting dbname=postgres"
    stage.said(stage.governed, "psql", "-X", dsn, "-c", "select 1")
    assert "other users can read the file" in until(lambda: stage.status()["last_error"])


def test_the_control_socket_is_for_root_and_its_group(stage: Stage) -> None:
    command = ["hostagent", "--socket", str(stage.agent.control), "status"]
    done = subprocess.run([*AS_NOBODY, BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode in (os.EX_UNAVAILABLE, os.EX_NOPERM)
    assert "permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert stage.status()["state"] == "ready"


def test_no_daemon_at_the_control_socket() -> None:
    done = subprocess.run(
        [BIN / "hostagent", "--socket", "/nowhere.sock", "status"], capture_output=True, text=True, check=False
    )
    assert done.returncode == os.EX_UNAVAILABLE
    assert "no daemon answers at /nowhere.sock" in done.stderr
    assert "is hostagentd running?" in done.stderr


def test_a_second_daemon_of_the_same_name(stage: Stage) -> None:
    """It must not disturb the first: neither its rules nor its sockets."""
    command = [*stage.agent.enter(), BIN / "hostagentd", "--config", stage.agent.config]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == os.EX_UNAVAILABLE
    assert "port 15001 is taken" in done.stderr
    assert stage.status()["state"] == "ready"
    assert stage.way(stage.governed) == "way t"


def test_a_bad_policy_at_reload_changes_nothing(stage: Stage) -> None:
    good = stage.agent.policies / "policy.yaml"
    bad = stage.agent.policies / "z.yaml"
    version = stage.status()["policy"]["version"]
    bad.write_text("version: 1\nrules:\n  - {name: x, actors: ghost, targets: '*', allow: {kinds: any}}\n")
    try:
        done = subprocess.run(stage.agent.command("policy", "reload"), capture_output=True, text=True, check=False)
        assert done.returncode == os.EX_UNAVAILABLE
        assert f"{bad}:3:23: " in done.stderr
        assert "ghost" in done.stderr
        assert stage.status()["policy"]["version"] == version
        assert stage.way(stage.governed) == "way t"
    finally:
        bad.unlink()
    assert good.exists()
