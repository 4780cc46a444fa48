"""What is large goes through whole, and the worker's memory does not grow with it.

`HOSTAGENT_STREAM_MB` sets how much COPY moves each way; a single row is half of that, at most what a
server can send.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.failure_lab import Stage, staged
from tests.netns.topology import DATABASE

MIB = 1 << 20
STREAM = int(os.environ.get("HOSTAGENT_STREAM_MB", "256")) * MIB
ROW = min(STREAM // 2, 1000 * MIB)  # PostgreSQL builds a message in memory, of less than 1 GiB
GROWTH = 64 * MIB
LINE = 1024  # bytes, its end included
SECONDS = 60 + STREAM / (20 * MIB)

# ADDRESS SQL: how many bytes the DataRow messages hold, read without keeping them
READER = r"""
import socket, struct, sys
sock = socket.create_connection((sys.argv[1], 5432))
body = struct.pack(">I", 196608) + b"user\0trusting\0database\0postgres\0\0"
sock.sendall(struct.pack(">I", len(body) + 4) + body)
kept = bytearray(1 << 20)
def read(size):
    left = size
    while left:
        got = sock.recv_into(kept, min(left, len(kept)))
        if not got:
            sys.exit("the connection ended")
        left -= got
    return bytes(kept[:size]) if size <= 4096 else b""
def messages():
    while True:
        kind, size = struct.unpack(">cI", read(5))
        body = read(size - 4)
        if kind == b"E":
            sys.exit(body.decode())
        yield kind, size
        if kind == b"Z":
            return
list(messages())
sql = sys.argv[2].encode() + b"\0"
sock.sendall(b"Q" + struct.pack(">I", len(sql) + 4) + sql)
print(sum(size - 4 for kind, size in messages() if kind == b"D"))
"""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@contextmanager
def flat_memory(stage: Stage) -> Iterator[None]:
    """The worker's resident set grows by less than GROWTH meanwhile, at its highest."""
    assert stage.way(stage.governed) == "way t"  # what the first session loads is no growth
    worker = Path("/proc", str(stage.child("workers")))
    (worker / "clear_refs").write_text("5")  # the peak begins anew, proc(5)
    before = resident(worker, "VmHWM")
    yield
    grown = resident(worker, "VmHWM") - before
    assert grown < GROWTH, f"the worker grew by {grown // MIB} MiB"
    assert stage.child("workers") == int(worker.name)


def resident(process: Path, field: str) -> int:
    """A field of /proc/PID/status that is in kB, in bytes."""
    line = next(li for li in (process / "status").read_text().splitlines() if li.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def psql(mode: str, sql: str) -> str:
    """A shell command."""
    return f'psql -X -q "host={DATABASE[4]} user=trusting dbname=postgres sslmode={mode}" -c "{sql}"'


@pytest.mark.timeout(SECONDS + 240)
@pytest.mark.parametrize("mode", ["disable", "require"])
def test_copy_out(stage: Stage, mode: str) -> None:
    sql = f"COPY (SELECT repeat('x', {LINE - 1}) FROM generate_series(1, {STREAM // LINE})) TO STDOUT"
    with flat_memory(stage):
        assert stage.said(stage.governed, "sh", "-c", f"{psql(mode, sql)} | wc -c", seconds=SECONDS) == str(STREAM)


@pytest.mark.timeout(SECONDS + 240)
@pytest.mark.parametrize("mode", ["disable", "require"])
def test_copy_in(stage: Stage, mode: str) -> None:
    """The rows are checked by the server and kept nowhere."""
    lines = f"yes {'x' * (LINE - 1)} | head -c {STREAM}"
    sql = "COPY scratch (note) FROM STDIN WHERE length(note) <> 1023"
    seen = len(stage.events("finished"))
    with flat_memory(stage):
        assert stage.said(stage.governed, "sh", "-c", f"{lines} | {psql(mode, sql)}", seconds=SECONDS) == ""
    ended = [e["unmapped"] for e in stage.events("finished")[seen:]]
    assert [e["error"] for e in ended if e["bytes"] >= STREAM] in ([""], []), ended
    closed = stage.events("flow_closed")[-1]["unmapped"]
    assert closed["bytes_from"]["client"] >= STREAM


@pytest.mark.timeout(SECONDS + 240)
def test_one_large_row(stage: Stage) -> None:
    with flat_memory(stage):
        command = (sys.executable, "-I", "-c", READER, DATABASE[4], f"SELECT repeat('x', {ROW})")
        assert stage.said(stage.governed, *command, seconds=SECONDS) == str(ROW + 2 + 4)  # count of fields, length
    assert stage.events("finished")[-1]["unmapped"]["rows"] == 1
