"""What fails while governed sessions run: the analyzer, the server, the disk; and many who cancel at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.runtime.flow import ESTABLISH_DEADLINE
from tests.e2e.failure_lab import POLICY, Stage, psql_command, scratch, staged, until
from tests.lab.dies import witness
from tests.netns.topology import DATABASE, inside

DISK = 24 << 20
CANCELLING = 100
SILENT = 5999
DENIED = "denied by policy"

# ADDRESS COUNT: so many sessions sleep, all cancel at once, all ask again; prints how they fared
CANCELLER = r"""
import asyncio, collections, struct, sys
address, count = sys.argv[1], int(sys.argv[2])
async def message(reader):
    kind, size = struct.unpack(">cI", await reader.readexactly(5))
    return kind, await reader.readexactly(size - 4)
async def until(reader, *kinds):
    found = {}
    while True:
        kind, body = await message(reader)
        found[kind] = body
        if kind in kinds:
            return found
def query(text):
    return b"Q" + struct.pack(">I", len(text) + 5) + text + b"\0"
async def session(asleep, go):
    reader, writer = await asyncio.open_connection(address, 5432)
    body = struct.pack(">I", 196608) + b"user\0trusting\0database\0postgres\0\0"
    writer.write(struct.pack(">I", len(body) + 4) + body)
    key = (await until(reader, b"Z"))[b"K"]
    writer.write(query(b"select pg_sleep(40)"))
    asleep.release()
    await go.wait()
    _, canceller = await asyncio.open_connection(address, 5432)
    canceller.write(struct.pack(">II", len(key) + 8, 80877102) + key)
    error = (await until(reader, b"Z"))[b"E"].split(b"\0C")[1].split(b"\0")[0]
    writer.write(query(b"select 7"))
    row = (await until(reader, b"Z")).get(b"D", b"")[6:]
    canceller.close()
    writer.close()
    return error.decode() + " " + row.decode()
async def main():
    asleep, go = asyncio.Semaphore(0), asyncio.Event()
    async with asyncio.timeout(30):
        tasks = [asyncio.create_task(session(asleep, go)) for _ in range(count)]
        for _ in tasks:
            await asleep.acquire()
        await asyncio.sleep(0.5)
        go.set()
        print(*collections.Counter(await asyncio.gather(*tasks)).items())
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A small file system of its own for the state directory."""
    with scratch() as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "none", directory], check=True)
        yield directory
        subprocess.run(["umount", directory], check=True)


@pytest.fixture(scope="module")
def stage(disk: Path) -> Iterator[Stage]:
    silent = {"name": "silent", "protocol": "postgres", "match": {"addresses": "10.77.0.12", "ports": SILENT}}
    policy = {**POLICY, "targets": [*POLICY["targets"], silent]}
    with staged(policy=policy, state_directory=str(disk / "state")) as made:
        made.agent.state = disk / "state"
        yield made


@pytest.fixture(scope="module", autouse=True)
def patient(stage: Stage) -> Iterator[tuple[float, subprocess.Popen[str]]]:
    """When a client of a server that takes connections and says nothing began, and that client: it waits meanwhile."""
    with inside(stage.lab.db):
        silent = socket.create_server(("10.77.0.12", SILENT))
    command = ["psql", "-X", f"host=10.77.0.12 port={SILENT} user=trusting dbname=postgres", "-c", "select 1"]
    process = stage.spawn(stage.governed, *command)
    stage.started.remove(process)
    with silent, process:
        yield time.monotonic(), process
        process.kill()


@pytest.fixture(autouse=True)
def alone(stage: Stage) -> Iterator[None]:
    """No client outlives its test."""
    yield
    stage.end_clients()


def test_analyzer_killed_in_the_middle_of_a_statement(stage: Stage) -> None:
    """That statement is denied, its session goes on, and so does what waited for the analyzer meanwhile."""
    session, waiting = stage.session(), stage.session()
    assert [s.ask("select 10 as before") for s in (session, waiting)] == ["10", "10"]
    analyzer = stage.child("analyzers")
    idle = cpu_ticks(analyzer)
    session.send("insert into scratch values " + ", ".join(f"({n})" for n in range(80_000)))
    until(lambda: cpu_ticks(analyzer) > idle + 5)
    waiting.send("select 11 as meanwhile")
    os.kill(analyzer, signal.SIGKILL)
    answer = session.answer()
    assert DENIED in answer and "analyzer did not answer" in answer, answer
    assert waiting.answer() == "11"
    assert stage.child("analyzers") != analyzer
    assert session.ask("select 12 as after") == "12"
    assert stage.postgres.sql("select count(*) from scratch") == "0"
    governed = "the statement that it had is denied; its session goes on, others wait"
    witness(30, "the analyzer (SIGKILL)", governed, "replaced; what is new is decided again")


def cpu_ticks(pid: int) -> int:
    """CPU time of a process so far, proc_pid_stat(5)."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def test_no_analyzer_at_all_is_a_denial_in_time(stage: Stage) -> None:
    session = stage.session()
    assert session.ask("select 20 as before") == "20"
    analyzer = stage.child("analyzers")
    os.kill(analyzer, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert DENIED in session.ask("select 21 as hung")
        assert time.monotonic() - began < 8
        assert session.ask("select 22 as before".replace("22", "20")) == "20", "what is remembered needs no analyzer"
    finally:
        os.kill(analyzer, signal.SIGCONT)
    assert until(lambda: session.ask("select 23 as after") == "23")
    governed = "what was decided before goes on; what is new is denied within 8 s"
    witness(31, "every analyzer, hung", governed, "goes on when one answers; sessions stay")


def test_server_restarted_in_the_middle_of_a_session(stage: Stage) -> None:
    session = stage.session()
    assert session.ask("select 30") == "30"
    stage.postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where client_addr is not null")
    assert "(gone)" in session.ask("select 31") + session.ask("select 31")
    crashed = stage.session()
    assert crashed.ask("select 32") == "32"
    backend = stage.postgres.sql("select pid from pg_stat_activity where client_addr is not null")
    os.kill(int(backend), signal.SIGKILL)  # the postmaster ends all others, and starts over
    assert "(gone)" in crashed.ask("select 33") + crashed.ask("select 33")
    until(lambda: stage.way(stage.governed) == "way t")
    assert "the server closed the connection" in [e["unmapped"]["reason"] for e in stage.events("flow_closed")]
    witness(
        60,
        "the upstream server (restart, crash)",
        "their sessions end, as without us",
        "they connect again when it is back",
    )


def test_server_stalls(stage: Stage) -> None:
    """Who is connected waits, and who connects, as without us; all goes on as it was."""
    session = stage.session()
    assert session.ask("select 40") == "40"
    pids = [stage.postgres.process.pid, *children(stage.postgres.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        session.send("select 41")
        new = stage.spawn(stage.governed, *psql_command(), "-c", "select 42")
        time.sleep(1)
        assert new.poll() is None
        assert stage.status()["state"] == "ready"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert session.answer() == "41"
    witness(61, "the upstream server, stalled", "they wait, as without us", "they go on when it does")
    assert new.communicate(timeout=20)[0] == "42\n"
    assert stage.way(stage.governed) == "way t"


def children(pid: int) -> list[int]:
    """The children of a process."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_disk_full(stage: Stage, disk: Path) -> None:
    """Nothing goes on unrecorded; what is free again works again, and the records are whole."""
    session = stage.session()
    assert session.ask("select 50 as before") == "50"
    filler = disk / "filler"
    try:
        fill(filler)
        # more than the room that the journal holds in reserve
        answers = [session.ask(f"insert into scratch values ({n})") for n in range(300)]
        refused = [answer for answer in answers if answer]
        assert refused[-1:] == answers[-1:]
        inserted = int(stage.postgres.sql("select count(*) from scratch where note is null"))
        assert inserted == answers.count("")
        told = [a for a in refused if "could not be recorded" in a or "(gone)" in a]
        assert told == refused, refused
        assert stage.way(stage.governed).startswith("refused ")
        assert stage.status()["state"] == "ready"
    finally:
        filler.unlink()
    assert until(lambda: stage.way(stage.governed) == "way t")
    after = stage.session()
    assert after.ask("select 51 as after") == "51"
    decided = [e["query_info"]["query_string"] for e in stage.events("decided")]
    assert sum("insert into scratch" in text for text in decided) >= inserted
    verified = stage.agent.hostagent("audit", "verify", "--state-dir", stage.agent.state, check=False)
    assert verified.splitlines()[-1].startswith("intact"), verified
    governed = "statements are denied, new connections are refused: nothing goes on unrecorded"
    witness(50, "room for records (disk full)", governed, "goes on when there is room; the chain is whole")


def fill(path: Path) -> None:
    """Take all that is left on a file system."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_many_cancel_at_once(stage: Stage) -> None:
    """Each cancels its own statement and no other's; all sessions go on."""
    began = time.monotonic()
    said = stage.said(stage.governed, sys.executable, "-I", "-c", CANCELLER, DATABASE[4], CANCELLING, seconds=60)
    assert said == f"('57014 7', {CANCELLING})"
    assert time.monotonic() - began < 30
    until(lambda: stage.status()["flows"]["open"] <= 1, 20)  # the patient client stays


def test_a_server_that_says_nothing_is_given_up(stage: Stage, patient: tuple[float, subprocess.Popen[str]]) -> None:
    began, process = patient
    _, said = process.communicate(timeout=ESTABLISH_DEADLINE + 10)
    assert time.monotonic() - began < ESTABLISH_DEADLINE + 10
    assert "closed" in said, said
    reasons = [e["unmapped"]["reason"] for e in stage.events("flow_closed")]
    assert f"no session within {ESTABLISH_DEADLINE:g} s" in reasons
    witness(
        62,
        "the upstream server, silent after connect",
        f"given up after {ESTABLISH_DEADLINE:g} s",
        "nothing is left open",
    )
    assert stage.status()["flows"]["open"] == 0


def test_what_was_open_when_governing_began_is_ended_and_counted(stage: Stage) -> None:
    stage.agent.hostagent("teardown")
    stage.agent.process.wait(20)
    assert stage.way(stage.governed) == "way f", "nothing is governed"
    held, free = [stage.session() for _ in range(3)], stage.session(stage.free)
    assert [s.ask("select 60") for s in (*held, free)] == ["60"] * 4
    stage.agent.launch()
    assert stage.status()["swept"] == len(held)
    for session in held:
        assert "(gone)" in session.ask("select 61") + session.ask("select 61")
    assert free.ask("select 62") == "62"
    then = "they connect again, and are intercepted; counted as swept"
    witness(14, "nothing: governing begins while connections are open", "those connections end", then)
    assert stage.way(stage.governed) == "way t"
