"""The analyzer as a real process: what it answers, what its box forbids, and what kills it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hostagent.sql import framing
from hostagent.sql.analysis import Analysis, Kind, Name, Unanalyzed
from hostagent.sql.client import DEAD, analyze, rewrite
from hostagent.sql.masking.values import Mask, MaskKind, Masks, Needs, NeedsMore, Result, Rewritten, Unsafe
from hostagent.sql.postgres import MAX_TEXT

NOBODY = 65534


@dataclass
class Running:
    path: str
    process: subprocess.Popen[bytes]

    def ask(self, text: str, timeout: float = 20, **options: bool) -> Analysis | Unanalyzed:
        return asyncio.run(analyze(self.path, text, timeout, **options))


@contextmanager
def running(folder: Path, *prelude: str) -> Iterator[Running]:
    path = folder / "analyzer.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        owner = [str(NOBODY), str(NOBODY)] if os.geteuid() == 0 else []
        code = "\n".join(("import sys", "from hostagent.sql import analyzer", *prelude, "analyzer.main(sys.argv[1:])"))
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(listener.fileno()), *owner], pass_fds=[listener.fileno()]
        )
    try:
        yield Running(str(path), process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def analyzer(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as it:
        yield it


def test_it_answers_one_text_after_the_other(analyzer: Running) -> None:
    for text, kind in (("SELECT a FROM t", Kind.SELECT), ("DROP TABLE t", Kind.DROP), ("", Kind.EMPTY)):
        result = analyzer.ask(text)
        assert isinstance(result, Analysis), result
        assert result.statements[0].kinds == {kind}


def test_it_says_why_a_text_is_not_analyzed(analyzer: Running) -> None:
    assert analyzer.ask("SELEC 1") == Unanalyzed(
        "the statement cannot be parsed: syntax error at character 1", 'syntax error at or near "SELEC"', 1
    )
    assert analyzer.ask("SELECT '\udc80'") == Unanalyzed("the statement is not valid UTF-8")
    assert analyzer.ask("SELECT '\\'", standard_conforming_strings=False) != analyzer.ask("SELECT '\\'")


def test_it_rewrites_with_masks(analyzer: Running) -> None:
    masks = Masks((Mask("m", MaskKind.NULL, ("app.users.ssn",)),))

    def ask(text: str, catalog: str = "") -> Result:
        return asyncio.run(rewrite(analyzer.path, text, catalog, masks, 20))

    assert ask("SELECT 1") == Rewritten("SELECT 1", shape=(None,), lasting=True, pieces=("SELECT ", ""))
    assert ask("SELECT id FROM users") == NeedsMore(Needs(frozenset({Name("", "users")})))
    columns = [[1, "id", "pg_catalog.int4", "pg_catalog.int4", "N", True, None, False, None, True]]
    columns.append([2, "ssn", "pg_catalog.text", "pg_catalog.text", "S", False, None, False, None, True])
    relation = {"oid": 7, "schema": "app", "name": "users", "kind": "r", "columns": columns}
    relation |= {"definition": None, "uses": None, "family": None, "policies": None, "constraints": None}
    relation |= {"rules": False, "runs_on_read": None, "runs_on_write": None, "types": None}
    catalog = {"schemas": ["app"], "found": [["", "users", 7]], "relations": [relation], "functions": []}
    sent = 'SELECT id FROM (SELECT "id", CAST(NULL AS pg_catalog.text) AS "ssn" FROM "app"."users") AS "users"'
    assert ask("SELECT id FROM users", json.dumps(catalog | {"operators": [], "types": []})) == Rewritten(
        sent,
        masked=("app.users.ssn",),
        relations=(7,),
        shape=("id",),
        forbidden=((7, 2),),
        lasting=True,
        pieces=(sent,),
    )
    assert ask("DO $$$$") == Unsafe("what a DO block does cannot be seen", "send its statements one by one")
    assert ask("SELECT id FROM users", "{}") == Unsafe(DEAD.reason)
    assert ask("SELECT id FROM users", json.dumps(catalog)) == Unsafe(DEAD.reason)
    assert isinstance(analyzer.ask("SELECT 1"), Analysis)


def test_it_answers_several_workers(analyzer: Running) -> None:
    async def all_at_once() -> list[Analysis | Unanalyzed]:
        return await asyncio.gather(*(analyze(analyzer.path, f"SELECT {n} FROM t{n}", 20) for n in range(20)))

    results = asyncio.run(all_at_once())
    for n, result in enumerate(results):
        assert isinstance(result, Analysis), result
        assert {r.name for r in result.statements[0].reads} == {f"t{n}"}


def test_the_longest_text_is_answered_and_a_longer_one_refused(analyzer: Running) -> None:
    rows = "INSERT INTO t VALUES " + ",".join(["(1, 'a')"] * (MAX_TEXT // 9 - 10))
    assert isinstance(analyzer.ask(rows), Analysis)
    assert analyzer.ask("SELECT 1".ljust(MAX_TEXT + 1)) == Unanalyzed(f"the statement is longer than {MAX_TEXT} bytes")
    assert analyzer.ask("x" * framing.MAX_FRAME) == DEAD
    assert isinstance(analyzer.ask("SELECT 1"), Analysis)


def test_a_deep_text_is_analyzed_or_refused_and_it_lives_on(analyzer: Running) -> None:
    assert isinstance(analyzer.ask("SELECT " + "+".join(["a"] * 1000)), Analysis)
    deepest = "SELECT " + "+".join(["a"] * (MAX_TEXT // 2 - 10))
    assert analyzer.ask(deepest) == Unanalyzed("the statement is nested too deeply")
    for text in ("SELECT " + "(" * 100_000, "SELECT " + "a[" * 100_000, "SELECT " + "NOT " * 100_000 + "a"):
        assert isinstance(analyzer.ask(text), Unanalyzed)
    assert isinstance(analyzer.ask("SELECT 1"), Analysis)


def test_a_killed_analyzer_is_no_answer(analyzer: Running) -> None:
    assert isinstance(analyzer.ask("SELECT 1"), Analysis)
    analyzer.process.send_signal(signal.SIGKILL)
    analyzer.process.wait()
    assert analyzer.ask("SELECT 1") == DEAD


def test_a_text_that_takes_too_much_time_kills_it(tmp_path: Path) -> None:
    slow = "analyzer.CPU_SECONDS = 0.05"
    with running(tmp_path, slow) as it:
        assert isinstance(it.ask("SELECT 1"), Analysis)
        assert it.ask("SELECT " + ",".join(["f(a, b) + c"] * 80_000)) == DEAD
        assert it.process.wait(timeout=10) == -signal.SIGPROF


def test_time_between_requests_is_not_counted(tmp_path: Path) -> None:
    with running(tmp_path, "analyzer.CPU_SECONDS = 0.2") as it:
        for _ in range(6):
            assert isinstance(it.ask("SELECT " + ",".join(["f(a)"] * 2_000)), Analysis)


def test_a_request_that_is_none_ends_its_connection_alone(analyzer: Running) -> None:
    assert isinstance(analyzer.ask("SELECT 1"), Analysis)
    for garbage in (b"", b"\0", b"\0\0\0\2{}", b"\0\0\0\1x", b"\xff\xff\xff\xff", framing.encode({"text": 1})):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(analyzer.path)
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
    assert isinstance(analyzer.ask("SELECT 1"), Analysis)


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_its_box_is_closed(analyzer: Running) -> None:
    assert isinstance(analyzer.ask("SELECT 1"), Analysis)
    facts = status(analyzer.process.pid)
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    assert int(facts["CapEff"], 16) == 0
    assert int(facts["CapPrm"], 16) == 0
    if os.geteuid() == 0:
        assert facts["Uid"].split() == [str(NOBODY)] * 4
        assert facts["Gid"].split() == [str(NOBODY)] * 4
        assert facts["Groups"] == ""
        net = Path(f"/proc/{analyzer.process.pid}/ns/net").readlink()
        assert net != Path("/proc/self/ns/net").readlink()
    limits = Path(f"/proc/{analyzer.process.pid}/limits").read_text()
    for name, value in (
        ("Max processes", "0"),
        ("Max file size", "0"),
        ("Max open files", "16"),
        ("Max core file", "0"),
    ):
        (line,) = [line for line in limits.splitlines() if line.startswith(name)]
        assert line.removeprefix(name).replace("size", "", 1).split()[:2] == [value, value]


CONFINED = """
import os, socket, sys
from hostagent.sql import analyzer
def attempt(name, call):
    try:
        call()
        print(name, "works")
    except OSError as e:
        print(name, type(e).__name__)
for _ in range(2):
    attempt("inet", lambda: socket.socket(socket.AF_INET).close())
    attempt("unix", lambda: socket.socket(socket.AF_UNIX).close())
    attempt("fork", lambda: os.fork() or os._exit(0))
    attempt("exec", lambda: os.execv("/nonexistent", ["x"]))
    if _ == 0:
        analyzer.confine(*[int(a) for a in sys.argv[1:]])
        analyzer.resource.setrlimit(analyzer.resource.RLIMIT_NPROC, (0, 0))
"""


def test_what_its_box_forbids_worked_before() -> None:
    owner = [str(NOBODY), str(NOBODY)] if os.geteuid() == 0 else []
    done = subprocess.run([sys.executable, "-c", CONFINED, *owner], capture_output=True, text=True, timeout=30)
    assert done.stdout.split("\n") == [
        "inet works",
        "unix works",
        "fork works",
        "exec FileNotFoundError",
        "inet PermissionError",
        "unix PermissionError",
        "fork BlockingIOError",
        "exec PermissionError",
        "",
    ], done.stderr


def test_as_root_it_needs_a_user_to_become() -> None:
    code = "from hostagent.sql import analyzer; analyzer.os.geteuid = lambda: 0; analyzer.confine()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "it was started as root" in done.stderr


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'hostagent.sql.analyzer', *sys.argv[1:]], close_fds=False)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    path = tmp_path / "analyzer.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        fd = str(listener.fileno())
        owner = [str(NOBODY), str(NOBODY)] if os.geteuid() == 0 else []
        parent = subprocess.Popen(
            [sys.executable, "-c", code, fd, *owner], pass_fds=[listener.fileno()], stdout=subprocess.PIPE
        )
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
    assert isinstance(asyncio.run(analyze(str(path), "SELECT 1", 20)), Analysis)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}/status").exists() and status(child)["State"][0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert asyncio.run(analyze(str(path), "SELECT 1", 5)) == DEAD
