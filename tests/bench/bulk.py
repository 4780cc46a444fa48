"""Bulk over one way: rows copied out and one row of a gigabyte, timed at the client, with the worker's memory."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.stage import WIDE_BYTES, WIDE_ROWS, environment
from tests.bench.ways import Way

GIGABYTE = 1_000_000_000  # a row of PostgreSQL holds at most 1 GiB
RESET_PEAK = "5"  # written to clear_refs: VmHWM begins again (proc(5))


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is asked for, and how many bytes that is."""

    name: str
    sql: str
    size: int


@dataclass(frozen=True, slots=True)
class Moved:
    """MB (10^6 bytes) a second, and the worker's resident memory in MB before and at its highest meanwhile."""

    mb_per_second: float
    before_mb: float
    peak_mb: float


TRANSFERS = (
    Transfer("COPY OUT, 500 MB", "COPY wide TO STDOUT", WIDE_ROWS * WIDE_BYTES),
    Transfer(
        "COPY OUT, 2 GB",
        "COPY (SELECT line FROM generate_series(1, 4), wide) TO STDOUT",
        4 * WIDE_ROWS * WIDE_BYTES,
    ),
    Transfer("one row, 1 GB", f"SELECT repeat('x', {GIGABYTE})", GIGABYTE),
)


def move(way: Way, transfer: Transfer, tls: bool) -> Moved:
    """Run it by psql into /dev/null. Raises RuntimeError when it failed."""
    for worker in way.workers:
        Path(f"/proc/{worker}/clear_refs").write_text(RESET_PEAK)
    before = _resident(way, "VmRSS")
    psql = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", way.address, "-p", str(way.port)]
    started = time.monotonic()
    done = subprocess.run(
        [*way.command, *psql, "-d", "postgres", "-o", "/dev/null", "-c", transfer.sql],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=environment(tls), check=False, timeout=120,
    )  # fmt: skip
    took = time.monotonic() - started - _overhead(way)
    if done.returncode:
        raise RuntimeError(f"{transfer.name} through {way.name}: {done.returncode}\n{done.stderr}")
    return Moved(transfer.size / took / 1e6, before, _resident(way, "VmHWM"))


def _overhead(way: Way) -> float:
    """Seconds that the command before psql takes by itself."""
    started = time.monotonic()
    subprocess.run([*way.command, "true"], check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - started


def _resident(way: Way, field: str) -> float:
    """MB of all workers together."""
    lines = [line for worker in way.workers for line in Path(f"/proc/{worker}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{field}:"))
