"""A database behind an SSH tunnel: the forwarded stream is a flow of its own, decided statement by statement."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.ssh_world import CREDENTIALS, SshWorld, ssh_world, target
from tests.e2e.world import eventually
from tests.lab.postgres import Postgres

DATABASE = "10.77.0.3"
LOCAL = 15432
POLICY = {
    "credentials": CREDENTIALS,
    "targets": [
        target("jump", 2),
        {"name": "orders", "protocol": "postgres", "match": {"addresses": DATABASE}, "tls": {"upstream": "off"}},
    ],
    "rules": [
        {"name": "tunnel", "actors": "*", "targets": "jump",
         "allow": {"kinds": "forward_local", "destinations": [f"{DATABASE}:5432"], "logins": "root"}},
        {"name": "read", "actors": "*", "targets": "orders",
         "allow": {"kinds": ["read", "session"], "relations": "*", "functions": "*"}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[SshWorld]:
    with ssh_world(POLICY) as made:
        database = Postgres(("*",), 5432, made.lab.db).start()
        try:
            database.sql(
                "CREATE ROLE trusting LOGIN SUPERUSER; CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)"
            )
            yield made
        finally:
            database.stop()


def psql(here: SshWorld, text: str) -> subprocess.CompletedProcess[str]:
    """Through the tunnel, from a process that nothing is asked of: who is decided for is who made the tunnel."""
    dsn = f"host=127.0.0.1 port={LOCAL} dbname=postgres user=trusting sslmode=disable"
    command = [*here.agent.enter(), "psql", "-X", "-A", "-t", dsn, "-c", text]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def test_a_database_behind_a_tunnel_is_decided_statement_by_statement(here: SshWorld) -> None:
    forward = f"127.0.0.1:{LOCAL}:{DATABASE}:5432"
    with here.running("ssh", *here.options("ExitOnForwardFailure=yes"), "-N", "-L", forward, "root@10.77.0.2"):
        answer = eventually(lambda: (done := psql(here, "SELECT id FROM kept")).returncode == 0 and done)
        assert answer.stdout == "7\n"
        denied = psql(here, "DROP TABLE kept")
        assert denied.returncode == 1 and "denied by policy" in denied.stderr
        assert psql(here, "SELECT id FROM kept").stdout == "7\n"
    (refused,) = [e for e in here.events("decided") if e.get("query_info", {}).get("query_string") == "DROP TABLE kept"]
    facts = refused["unmapped"]
    assert (facts["target"], facts["verdict"]) == ("orders", "deny")
    assert "channel" in facts["session"]["through"] and refused["actor"]["process"]["file"]["path"].endswith("/ssh")


def test_what_no_rule_forwards_to_is_refused(here: SshWorld) -> None:
    forward = f"127.0.0.1:{LOCAL + 1}:10.77.0.2:2222"
    with here.running("ssh", *here.options(), "-N", "-L", forward, "root@10.77.0.2"):
        probe = f"import socket; print(socket.create_connection(('127.0.0.1', {LOCAL + 1})).recv(9))"
        command = [*here.agent.enter(), "python3", "-c", probe]

        def closed() -> bool:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            return done.stdout == "b''\n"

        assert eventually(closed)
    assert [e for e in here.decided("connect to 10.77.0.2:2222") if e["unmapped"]["verdict"] == "deny"]
