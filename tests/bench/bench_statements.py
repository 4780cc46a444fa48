"""What a statement costs that was never seen, and what a mask costs in a large result; through the real path.

Run as root: `python -m tests.bench.bench_statements`. Prints µs for each of a few hundred distinct statements on one
connection, direct and through hostagent, without and with masks in force; and rows a second of one query unmasked and
masked, the runs taking turns. TLS on both legs.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench import ways
from tests.bench.load import quantile
from tests.bench.stage import USER, Stage, environment, stage
from tests.bench.ways import Way
from tests.lab.lock import kernel_lock

DISTINCT = 400
ROWS = 500_000
ROUNDS = 3
PEOPLE = f"""
CREATE TABLE people (id int, name text, ssn text, card text);
INSERT INTO people SELECT n, 'name ' || n, '987-65-' || n % 10000, '4111111111111111' FROM generate_series(1, {ROWS}) n;
VACUUM (FREEZE, ANALYZE) people;
"""
MASKS = """
masks:
  - {name: people, targets: bench, columns: [public.people.ssn, public.people.card], mask: redact}
"""
CLIENT = """
import json, psycopg, sys, time
times = []
with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=None) as conn:
    conn.execute("SELECT 1")
    for n in range(int(sys.argv[2])):
        started = time.perf_counter_ns()
        conn.execute(f"SELECT id, name, ssn AS never_seen_{sys.argv[3]}_{n} FROM people LIMIT 1").fetchall()
        times.append((time.perf_counter_ns() - started) / 1000)
print(json.dumps(times))
"""


@contextlib.contextmanager
def with_masks(made: Stage) -> Iterator[Way]:
    """hostagent with masks in force."""
    with ways.hostagent(made, True, MASKS) as way:
        yield way


def cold(way: Way, number: int) -> list[float]:
    """µs of each of DISTINCT statements that nobody sent before."""
    dsn = f"host={way.address} port={way.port} dbname=postgres user={USER} sslmode=require"
    argv = [*way.command, sys.executable, "-c", CLIENT, dsn, str(DISTINCT), str(number)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    times: list[float] = json.loads(done.stdout)
    return times


def rows_per_second(way: Way) -> float:
    """Of the whole table, at psql."""
    psql = ["psql", "-X", "-q", "-A", "-t", "-h", way.address, "-p", str(way.port), "-d", "postgres", "-o", "/dev/null"]
    took = []
    for text in ("SELECT 1", "SELECT id, name, ssn, card FROM people"):
        started = time.monotonic()
        subprocess.run(
            [*way.command, *psql, "-c", text], check=True, stdin=subprocess.DEVNULL, env=environment(True), timeout=120
        )
        took.append(time.monotonic() - started)
    return ROWS / (took[1] - took[0])


def main() -> None:
    """Print both tables."""
    makers = {"direct": ways.direct, "hostagent": ways.hostagent, "masked": lambda made, _tls: with_masks(made)}
    times: dict[str, list[float]] = {name: [] for name in makers}
    rates: dict[str, list[float]] = {name: [] for name in makers}
    with stage() as made:
        made.postgres.sql(PEOPLE)
        for number in range(ROUNDS):
            for name, make in makers.items():
                with kernel_lock(), make(made, True) as way:
                    times[name] += cold(way, number)
                    rates[name].append(rows_per_second(way))
    for name, each in times.items():
        p50, p99 = (quantile(sorted(each), part) for part in (0.5, 0.99))
        print(f"never seen, {name:10} p50 {p50:7.0f} µs   p99 {p99:7.0f} µs")
    for name, of in rates.items():
        print(f"whole table, {name:10} {statistics.median(of):10.0f} rows/s")
    print(f"masked / unmasked {statistics.median(rates['masked']) / statistics.median(rates['hostagent']):.2f}")


if __name__ == "__main__":
    main()
