"""What others do to a small query: a bulk stream in the same worker, and two thousand sessions that do nothing.

One worker, so that nothing can be put apart; pgbouncer has one process anyway. TLS on both legs.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import load
from tests.bench.stage import USER, environment
from tests.bench.ways import Way

CLIENTS = 4  # that query
STREAM = "COPY (SELECT line FROM generate_series(1, 1000), wide) TO STDOUT"  # 500 GB: it lasts as long as it is read
IDLE = 2_000
OPENING = 300  # seconds that the idle sessions may take to be made
BEGINNING = 0.5  # second from the stream's start until it is at its full speed


@dataclass(frozen=True, slots=True)
class Idle:
    """Of the workers, in kB: memory of their own (PSS) with none and with all idle sessions, for each of these."""

    sessions: int
    pss_kb: float
    rss_kb: float


@contextlib.contextmanager
def streaming(way: Way) -> Iterator[None]:
    """A bulk stream goes on meanwhile. Raises RuntimeError when it ended by itself."""
    psql = ["psql", "-X", "-q", "-h", way.address, "-p", str(way.port), "-d", "postgres", "-o", "/dev/null"]
    process = subprocess.Popen(
        [*way.command, *psql, "-c", STREAM],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(True),
        start_new_session=True,
    )
    try:
        time.sleep(BEGINNING)
        yield
        if process.poll() is not None:
            raise RuntimeError(f"the stream through {way.name} ended: {process.communicate()[1].decode()}")
    finally:
        _end(process)


@contextlib.contextmanager
def idle(way: Way, count: int = IDLE) -> Iterator[Idle]:
    """So many sessions stand there meanwhile, each after one query."""
    before = [memory(way, field) for field in ("Pss", "Rss")]
    program = str(Path(__file__).with_name("idle.py"))
    argv = [sys.executable, program, way.address, str(way.port), USER, str(count)]
    process = subprocess.Popen(
        [*way.command, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"idle sessions through {way.name}: {process.communicate(timeout=OPENING)[1][-2000:]}")
        after = [memory(way, field) for field in ("Pss", "Rss")]
        yield Idle(count, *((now - then) / count for now, then in zip(after, before, strict=True)))
    finally:
        _end(process)


def memory(way: Way, field: str) -> int:
    """kB of the processes that carry bytes together (proc(5), smaps_rollup)."""
    found = [
        re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M) for pid in way.workers
    ]
    return sum(int(match[1]) for match in found if match is not None)


def queries(way: Way, seconds: int) -> load.Load:
    """Small queries over prepared statements."""
    return load.pgbench(way, "prepared", CLIENTS, seconds, tls=True)


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """The command before the client's own may have made it a child."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
