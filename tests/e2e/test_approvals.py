"""Held for a human, end to end: real clients wait, a human answers over the control socket, and limits hold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import World, eventually, target, world

ANY = {"kinds": ["read", "write", "session"], "functions": "*"}
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [
        {"name": "work", "actors": "*", "targets": "orders", "allow": ANY},
        {
            "name": "writes",
            "actors": "*",
            "targets": "orders",
            "approve": {"kinds": ["insert", "update", "delete"], "grant": "1h"},
        },
    ],
    "limits": [
        {"name": "few", "actors": "*", "targets": "orders", "by": "class", "what": "statements", "max": 5,
         "per": "hour", "relations": "public.accounts"},
        {"name": "rows", "actors": "*", "targets": "orders", "by": "class", "what": "rows", "max": 500,
         "per": "hour", "kinds": "select", "relations": "public.many"},
    ],
}  # fmt: skip
DSN = "host=10.77.0.2 dbname=postgres user=trusting"
CLIENT = """
import psycopg, sys, threading, time
conn = psycopg.connect(sys.argv[1], autocommit=True)
conn.add_notice_handler(lambda n: print("NOTICE", n.message_primary, flush=True))
exec(sys.argv[2])
"""
BOB = 4711


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY, workers=2) as made:
        made.postgres.sql(
            "CREATE TABLE many AS SELECT g AS id, repeat('x', 200) AS v FROM generate_series(1, 100000) g"
        )
        yield made


def approvals(here: World, *args: str, login: int = BOB) -> tuple[int, Any]:
    """`hostagent approvals …` of root, as a human who logged in; its exit code, and its answer or its error."""
    command = [str(Path(sys.executable).parent / "hostagent")]
    shell = f'echo {login} > /proc/self/loginuid; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *command, "--socket", str(here.agent.control), "approvals", *args],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if "-o" in args else done.stdout + done.stderr


def waiting(here: World) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        requests = approvals(here, "list", "-o", "json")[1]["requests"]
        return requests[0] if requests else None

    return eventually(look)


def client(here: World, script: str) -> subprocess.Popen[str]:
    command = here.agent.command("run", "--", sys.executable, "-I", "-c", CLIENT, DSN, script)
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_psql_waits_is_told_and_goes_on(here: World) -> None:
    process = subprocess.Popen(
        here.agent.command("run", "--", "psql", "-X", DSN, "-c", "INSERT INTO scratch VALUES (1, 'one')"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    request = waiting(here)
    assert request["text"] == "INSERT INTO scratch VALUES (1, 'one')"
    assert here.psql(DSN, "SELECT count(*) FROM scratch").stdout == "0\n"  # others go on; nothing was written
    code, refused = approvals(here, "approve", request["id"], login=0xFFFFFFFF)
    assert (code, "nobody approves what they asked for" in refused) == (1, True)
    assert approvals(here, "approve", request["id"], "--reason", "ticket 7")[0] == 0
    out, _ = process.communicate(timeout=20)
    assert f"this statement waits for a human to approve it: decision {request['id']}" in out
    assert "INSERT 0 1" in out
    events = [e for e in here.events() if e["unmapped"].get("facts", {}).get("request") == request["id"]]
    codes = [e["metadata"]["event_code"] for e in events]
    assert codes == ["approval_asked", "approval_given", "approval_approved"]
    assert events[1]["unmapped"]["facts"]["login_uid"] == BOB
    verdicts = [e["unmapped"]["verdict"] for e in here.decided("INSERT INTO scratch VALUES (1, 'one')")]
    assert verdicts == ["approve", "allow"]


def test_bound_values_are_shown_and_a_denial_leaves_the_session_usable(here: World) -> None:
    process = client(
        here,
        """
try:
    conn.execute("INSERT INTO scratch VALUES (%s, %s)", (7, "seven"))
except psycopg.Error as error:
    print(error.sqlstate, error)
print(conn.execute("SELECT 1").fetchone(), conn.info.transaction_status.name)
""",
    )
    request = waiting(here)
    whole = approvals(here, "show", request["id"], "-o", "json")[1]
    assert whole["text"] == "INSERT INTO scratch VALUES ($1, $2)"
    assert whole["values"] == [{"form": "hex", "value": "0007"}, {"form": "text", "value": "seven"}]
    assert approvals(here, "deny", request["id"], "--reason", "not today")[0] == 0
    out, _ = process.communicate(timeout=20)
    assert "NOTICE this statement waits" in out
    assert f"42501 denied by policy: denied by root (uid 0, logged in as {BOB}): not today (rule writes)" in out
    assert "(1,) IDLE" in out


def test_a_client_cancels_what_it_waits_for(here: World) -> None:
    process = client(
        here,
        """
threading.Timer(1.0, conn.cancel).start()
try:
    conn.execute("DELETE FROM scratch WHERE id = 1")
except psycopg.Error as error:
    print(error.sqlstate, error)
print(conn.execute("SELECT 1").fetchone())
""",
    )
    out, _ = process.communicate(timeout=20)
    assert "57014 canceling statement due to user request" in out
    assert "(1,)" in out
    assert approvals(here, "list", "-o", "json")[1]["requests"] == []


def test_a_client_that_hangs_up_withdraws(here: World) -> None:
    process = client(here, "print(conn.info.backend_pid); conn.execute('DELETE FROM scratch')")
    request = waiting(here)
    os.kill(request_pid(here, request), signal.SIGKILL)
    process.wait(20)

    def settled() -> bool:
        requests = approvals(here, "list", "-a", "-o", "json")[1]["requests"]
        return any(r["id"] == request["id"] and r["state"] == "withdrawn" for r in requests)

    assert eventually(settled)
    assert approvals(here, "approve", request["id"])[0] == 1


def request_pid(here: World, request: dict[str, Any]) -> int:
    return int(request["actor"]["pid"])


def test_a_grant_lets_the_same_through_and_revoking_it_ends_the_session(here: World) -> None:
    process = client(
        here,
        """
for n in range(3):
    print("done", conn.execute("UPDATE scratch SET note = %s", (str(n),)).rowcount, flush=True)
time.sleep(2)
try:
    conn.execute("SELECT 1")
except psycopg.Error as error:
    print("ended", type(error).__name__)
""",
    )
    request = waiting(here)
    assert approvals(here, "approve", request["id"], "--for", "15m")[0] == 0
    assert process.stdout is not None
    assert "NOTICE" in process.stdout.readline()
    assert [process.stdout.readline() for _ in range(3)] == ["done 1\n"] * 3
    grant = approvals(here, "grants", "-o", "json")[1]["grants"][0]
    assert approvals(here, "revoke", grant["id"]) == (0, f"{grant['id']} is revoked; sessions ended: 1\n")
    out, _ = process.communicate(timeout=20)
    assert "ended OperationalError" in out


def test_what_is_prepared_cannot_be_run_around_the_human(here: World) -> None:
    process = client(
        here,
        """
def run(sql):
    try:
        conn.execute(sql)
        print("ran", sql)
    except psycopg.Error as error:
        print(error.sqlstate, error)
run("PREPARE p AS DELETE FROM scratch")
conn.pgconn.prepare(b"s1", b"DELETE FROM scratch")
run("EXECUTE s1")
run("SELECT 1")
""",
    )
    out, _ = process.communicate(timeout=20)
    assert "cannot be prepared in SQL" in out
    assert "EXECUTE is refused here" in out
    assert "ran SELECT 1" in out
    assert here.psql(DSN, "SELECT count(*) FROM scratch").stdout == "1\n"


def test_a_limit_holds_over_connections_and_says_when_it_starts_anew(here: World) -> None:
    outs = [here.psql(DSN, "SELECT count(*) FROM accounts") for _ in range(8)]
    assert [done.stdout for done in outs] == ["2\n"] * 5 + [""] * 3
    assert "limit few is used up: 5 statements an hour; it starts anew at " in outs[-1].stderr
    assert here.psql(DSN, "SELECT count(*) FROM scratch").stdout == "1\n"


def test_a_result_is_cut_off_where_its_limit_ends(here: World) -> None:
    half = here.psql(DSN, "SELECT id FROM many LIMIT 400")
    assert len(half.stdout.splitlines()) == 400
    much = client(
        here,
        """
n = 0
try:
    with conn.cursor() as cur:
        for row in cur.stream("SELECT * FROM many"):
            n += 1
except psycopg.Error as error:
    print(n, error.sqlstate, error)
""",
    )
    out, _ = much.communicate(timeout=20)
    count, _, text = out.partition(" ")
    assert int(count) <= 100 + 2 * (256 << 10) // 200, out  # what was read at once
    assert "limit rows is used up: 500 rows an hour; it starts anew at " in text
    again = here.psql(DSN, "SELECT id FROM many LIMIT 1")
    assert "limit rows is used up" in again.stderr
