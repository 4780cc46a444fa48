"""pgbench over one way: what it got done, how long each transaction took, and whose CPU it cost."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.stage import SCALE, environment
from tests.bench.ways import Way

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
SAMPLED = 0.1  # of the transactions are logged: enough for a p99, and too few to burden the client
TIME_FIELD = 2  # of a line in pgbench's log: client, transaction, µs it took, …


@dataclass(frozen=True, slots=True)
class Load:
    """One run. CPU is µs a transaction: the proxy's processes in user and system mode, and the whole machine's."""

    tps: float
    p50_us: float
    p99_us: float
    user_us: float
    system_us: float
    machine_us: float


def pgbench(way: Way, mode: str, clients: int, seconds: int, tls: bool, reconnect: bool = False) -> Load:
    """Run select-only for so many seconds. Raises RuntimeError when pgbench or a transaction failed."""
    with tempfile.TemporaryDirectory(prefix="pgbench-") as directory:
        options = ["-n", "-S", "-s", str(SCALE), "-M", mode, "-c", str(clients), "-j", "1", "-T", str(seconds)]
        options += ["-l", f"--sampling-rate={SAMPLED if not reconnect else 1}", f"--log-prefix={directory}/log"]
        options += ["-h", way.address, "-p", str(way.port), *(["-C"] if reconnect else []), "postgres"]
        before, machine = proxy_ticks(way.pids), machine_ticks()
        done = subprocess.run(
            [*way.command, "pgbench", *options],
            capture_output=True, text=True, check=False, env=environment(tls), stdin=subprocess.DEVNULL,
            timeout=seconds + 30,
        )  # fmt: skip
        machine = machine_ticks() - machine - _starting(way)
        user, system = (now - then for now, then in zip(proxy_ticks(way.pids), before, strict=True))
        count = _figure(r"actually processed: (\d+)", done)
        if done.returncode or not count or _figure(r"failed transactions: (\d+)", done):
            raise RuntimeError(f"pgbench through {way.name}: {done.returncode}\n{done.stdout}{done.stderr}")
        times = sorted(_times(Path(directory).glob("log.*")))
    tps = _figure(r"tps = ([\d.]+)", done)
    cpu = [ticks * TICK_US / count for ticks in (user, system, machine)]
    return Load(tps, quantile(times, 0.5), quantile(times, 0.99), *cpu)


def proxy_ticks(pids: Iterable[int]) -> tuple[int, int]:
    """Clock ticks in user and in system mode that these processes have used (proc(5), fields 14 and 15 of stat)."""
    user = system = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11])
        system += int(fields[12])
    return user, system


@functools.lru_cache(maxsize=64)
def _starting(way: Way) -> int:
    """Clock ticks of the machine that starting a client takes on this way, which is no query's cost."""
    before = machine_ticks()
    subprocess.run([*way.command, "pgbench", "--version"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return machine_ticks() - before


def machine_ticks() -> int:
    """Clock ticks that all processors were busy: everything of the first line of /proc/stat but idle and iowait."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


def quantile(ordered: list[float], part: float) -> float:
    """The value below which this part of them lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def _times(logs: Iterable[Path]) -> Iterable[float]:
    for log in logs:
        for line in log.read_text().splitlines():
            fields = line.split()
            if len(fields) > TIME_FIELD:
                yield float(fields[TIME_FIELD])


def _figure(pattern: str, done: subprocess.CompletedProcess[str]) -> float:
    found = re.search(pattern, done.stdout)
    return float(found[1]) if found else 0.0
