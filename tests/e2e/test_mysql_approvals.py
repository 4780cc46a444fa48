"""Statements of MySQL held for a human, and results cut off by a limit: real clients wait, a human answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.mysql_world import MysqlWorld, address, target, world
from tests.e2e.test_approvals import BOB, approvals, waiting

POLICY = {
    "targets": [target("shop", 2)],
    "rules": [
        {"name": "work", "actors": "*", "targets": "shop",
         "allow": {"kinds": ["read", "write", "session"], "functions": "*", "settings": "*"}},
        {"name": "writes", "actors": "*", "targets": "shop", "approve": {"kinds": ["insert", "delete"]}},
    ],
    "limits": [
        {"name": "rows", "actors": "*", "targets": "shop", "by": "class", "what": "rows", "max": 500,
         "per": "hour", "kinds": "select", "relations": "shop.many"},
    ],
}  # fmt: skip
PYMYSQL = """
import pymysql, sys, threading, time
connect = lambda: pymysql.connect(host=sys.argv[1], user="trusting", database="shop", autocommit=True)
conn = connect()
def run(sql, conn=conn):
    with conn.cursor() as cursor:
        try:
            cursor.execute(sql)
            print(cursor.fetchall(), flush=True)
        except pymysql.MySQLError as error:
            print(*error.args, flush=True)
exec(sys.argv[2])
"""
CONNECTOR = """
import mysql.connector, sys
conn = mysql.connector.connect(host=sys.argv[1], user="trusting", database="shop", autocommit=True, use_pure=True)
exec(sys.argv[2])
"""


@pytest.fixture(scope="module")
def here() -> Iterator[MysqlWorld]:
    with world(POLICY) as made:
        made.mariadb.sql(
            "USE mysql; CREATE TABLE shop.many AS SELECT seq AS id, REPEAT('x', 200) AS v FROM seq_1_to_100000"
        )
        yield made


def client(here: MysqlWorld, script: str, driver: str = PYMYSQL) -> subprocess.Popen[str]:
    command = here.agent.command("run", "--", sys.executable, "-I", "-c", driver, address(2), script)
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_client_waits_and_goes_on(here: MysqlWorld) -> None:
    statement = "INSERT INTO scratch VALUES (1, 'one')"
    process = client(here, f'run("{statement}"); run("SELECT note FROM scratch")')
    request = waiting(here)
    assert request["text"] == statement
    assert here.mariadb.sql("SELECT COUNT(*) FROM shop.scratch") == "0"
    assert approvals(here, "approve", request["id"])[0] == 0
    out, _ = process.communicate(timeout=20)
    assert "(('one',),)" in out
    assert [e["unmapped"]["verdict"] for e in here.decided(statement)] == ["approve", "allow"]


def test_bound_values_are_shown_and_a_denial_leaves_the_session_usable(here: MysqlWorld) -> None:
    process = client(
        here,
        """
cursor = conn.cursor(prepared=True)
try:
    cursor.execute("INSERT INTO scratch VALUES (%s, %s)", (7, "seven"))
except mysql.connector.Error as error:
    print(error.errno, error.sqlstate, error.msg)
cursor.execute("SELECT id FROM accounts WHERE id = %s", (2,))
print(cursor.fetchall())
""",
        CONNECTOR,
    )
    request = waiting(here)
    whole = approvals(here, "show", request["id"], "-o", "json")[1]
    assert whole["text"] == "INSERT INTO scratch VALUES (?, ?)"
    assert whole["values"] == [{"form": "text", "value": "7"}, {"form": "text", "value": "seven"}]
    assert approvals(here, "deny", request["id"], "--reason", "not today")[0] == 0
    out, _ = process.communicate(timeout=20)
    assert f"1142 42000 denied by policy: denied by root (uid 0, logged in as {BOB}): not today (rule writes)" in out
    assert "[(2,)]" in out


def test_a_client_cancels_what_it_waits_for(here: MysqlWorld) -> None:
    process = client(
        here,
        """
other = connect()
def kill():
    while threading.main_thread().is_alive() and not done.is_set():
        run(f"KILL QUERY {conn.thread_id()}", other)
        done.wait(0.3)
done = threading.Event()
threading.Thread(target=kill, daemon=True).start()
run("DELETE FROM scratch WHERE id = 1")
done.set()
run("SELECT 'on'")
""",
    )
    out, _ = process.communicate(timeout=30)
    assert "1317 Query execution was interrupted while it waited for a human" in out
    assert "(('on',),)" in out
    assert approvals(here, "list", "-o", "json")[1]["requests"] == []


def test_a_result_is_cut_off_where_its_limit_ends(here: MysqlWorld) -> None:
    process = client(here, 'run("SELECT * FROM many")')
    out, _ = process.communicate(timeout=20)
    assert "1142" in out
    assert "limit rows is used up" in out
    process = client(here, 'run("SELECT * FROM many WHERE id = 1"); run("SELECT 1")')
    out, _ = process.communicate(timeout=20)
    assert "limit rows is used up" in out
    assert "((1,),)" in out
