"""What a statement costs that was never seen, and what a mask costs in a large result; through the real path.

Run as root: `python -m tests.bench.bench_statements`. Prints µs for each of a few hundred distinct statements on one
connection, direct and through hostagent, without and with masks in force: distinct in their text, in their literals,
and in these in a session that moved its search_path. And rows a second of one query unmasked and masked, and directly
as it is sent masked; the runs take turns, and the statement was seen before. TLS on both legs.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from hostagent.sql.masking.catalog import Catalog, decode
from hostagent.sql.masking.query import catalog_query
from hostagent.sql.masking.rewrite import rewrite
from hostagent.sql.masking.values import Mask, MaskKind, Masks, NeedsMore, Rewritten
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
FORMS = {  # name: statement, and what the session says first
    "never seen": ("SELECT id, name, ssn AS never_seen_{} FROM people LIMIT 1", "SELECT 1"),
    "other literals": ("SELECT id, name, ssn FROM people WHERE id <> {} LIMIT 1", "SELECT 1"),
    "the same, own path": ("SELECT id, name, ssn FROM people WHERE id <> {} LIMIT 1", "SET search_path TO public"),
}
WHOLE = "SELECT id, name, ssn, card FROM people"
AGAIN = 3  # times that a query is run and timed, once it was seen
MASKS = """
masks:
  - {name: people, targets: bench, columns: [public.people.ssn, public.people.card], mask: redact}
"""
CLIENT = """
import json, psycopg, sys, time
times = []
with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=None) as conn:
    conn.execute(sys.argv[5])
    for n in range(int(sys.argv[2])):
        started = time.perf_counter_ns()
        conn.execute(sys.argv[4].format(f"{sys.argv[3]}{n:03}")).fetchall()
        times.append((time.perf_counter_ns() - started) / 1000)
print(json.dumps(times))
"""


@contextlib.contextmanager
def with_masks(made: Stage) -> Iterator[Way]:
    """hostagent with masks in force."""
    with ways.hostagent(made, True, MASKS) as way:
        yield way


def sent_masked(made: Stage) -> str:
    """What is sent in the place of WHOLE."""
    masks = Masks((Mask("people", MaskKind.REDACT, ("public.people.ssn", "public.people.card")),))
    catalog = Catalog()
    while isinstance(result := rewrite(WHOLE, catalog, masks), NeedsMore):
        catalog = decode(made.postgres.sql(catalog_query(result.needs)))
    assert isinstance(result, Rewritten)
    return result.text


def statements(way: Way, number: int, form: str) -> list[float]:
    """µs of each of DISTINCT statements of a form."""
    dsn = f"host={way.address} port={way.port} dbname=postgres user={USER} sslmode=require"
    argv = [*way.command, sys.executable, "-c", CLIENT, dsn, str(DISTINCT), str(number), *FORMS[form]]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    times: list[float] = json.loads(done.stdout)
    return times


def rows_per_second(way: Way, text: str) -> float:
    """Of the whole table, at psql; starting it, and what the statement costs when it is seen first, is taken off."""
    psql = ["psql", "-X", "-q", "-A", "-t", "-h", way.address, "-p", str(way.port), "-d", "postgres", "-o", "/dev/null"]
    took = []
    for times in (1, 1 + AGAIN):
        started = time.monotonic()
        subprocess.run(
            [*way.command, *psql, *(["-c", text] * times)],
            check=True, stdin=subprocess.DEVNULL, env=environment(True), timeout=120,
        )  # fmt: skip
        took.append(time.monotonic() - started)
    return AGAIN * ROWS / (took[1] - took[0])


def main() -> None:
    """Print both tables."""
    makers = {"direct": ways.direct, "hostagent": ways.hostagent, "masked": lambda made, _tls: with_masks(made)}
    times: dict[tuple[str, str], list[float]] = {(form, name): [] for form in FORMS for name in makers}
    rates: dict[str, list[float]] = {name: [] for name in ("direct", "direct, as sent masked", "hostagent", "masked")}
    with stage() as made:
        made.postgres.sql(PEOPLE)
        as_sent = sent_masked(made)
        for number in range(ROUNDS):
            for name, make in makers.items():
                with kernel_lock(), make(made, True) as way:
                    for form in FORMS:
                        times[form, name] += statements(way, number, form)
                    rates[name].append(rows_per_second(way, WHOLE))
                    if name == "direct":
                        rates["direct, as sent masked"].append(rows_per_second(way, as_sent))
    for (form, name), each in times.items():
        p50, p99 = (quantile(sorted(each), part) for part in (0.5, 0.99))
        print(f"{form + ', ' + name:30} p50 {p50:7.0f} µs   p99 {p99:7.0f} µs")
    medians = {name: statistics.median(of) for name, of in rates.items()}
    for name, rate in medians.items():
        print(f"{'whole table, ' + name:36} {rate:10,.0f} rows/s")
    print(f"masked / unmasked: {medians['masked'] / medians['hostagent']:.2f}", end=", ")
    print(f"at the server alone: {medians['direct, as sent masked'] / medians['direct']:.2f}")


if __name__ == "__main__":
    main()
