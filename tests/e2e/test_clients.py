"""Real clients, governed, do what they do ungoverned: the same program gives the same output both ways."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import Done, World, target, world

POLICY = {
    "targets": [target("orders", 2), target("dumped", 3), target("careful", 4)],
    "rules": [
        {"name": "work", "actors": "*", "targets": "orders", "allow": {"kinds": "any", "functions": "*"}},
        {
            "name": "dump",
            "actors": "*",
            "targets": "dumped",
            "allow": {"kinds": ["read", "session", "lock"], "functions": "*", "settings": "*"},
        },
        {
            "name": "ordinary",
            "actors": "*",
            "targets": "careful",
            "allow": {"kinds": ["read", "write", "session"], "functions": "*"},
        },
        {"name": "no-files", "actors": "*", "targets": "*", "deny": {"kinds": "server_file"}},
    ],
}
DSN = "host=10.77.0.2 dbname=postgres user=trusting"
CAREFUL = "host=10.77.0.4 dbname=postgres user=trusting"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY) as made:
        made.psql(
            DSN, "CREATE TABLE described (id serial PRIMARY KEY, owner int REFERENCES accounts, note text NOT NULL);"
        )
        yield made


def same(governed: Done, direct: Done) -> str:
    """What both printed, but for the random word of a dump. Raises AssertionError when they differ."""
    printed = [re.sub(r"restrict \w+", "restrict", done.stdout) for done in (governed, direct)]
    assert printed[0] == printed[1]
    assert (governed.stderr, governed.returncode) == (direct.stderr, direct.returncode)
    return printed[0]


PSQL = {
    "catalogs": ["\\d described", "\\dt", "\\di", "\\df lower", "\\du trusting", "\\dn", "\\l postgres"],
    "statements": [
        "TABLE accounts;", "\\x", "SELECT 1 AS a, NULL AS b;", "SELECT 1/0;", "\\errverbose", "\\gdesc",
        "SELECT id, owner FROM accounts \\gdesc", "SELECT 1 \\; SELECT 2;",
        "\\set FETCH_COUNT 2", "SELECT * FROM generate_series(1, 7);", "SELECT 'a' AS got \\gset", "\\echo :got",
        "\\timing off", "SHOW server_version_num;", "\\encoding", "SET search_path TO public;",
        "SELECT * FROM accounts;",
    ],
    "copies": [
        "CREATE TEMP TABLE c (id int, note text);", "COPY c FROM STDIN;", "1\tone", "2\ttwo", "\\.",
        "\\copy c TO '{tmp}/out.csv' CSV", "\\copy c FROM '{tmp}/out.csv' CSV", "SELECT count(*) FROM c;",
        "COPY c TO STDOUT (FORMAT csv, HEADER);", "\\copy (SELECT 7) TO STDOUT", "COPY missing FROM STDIN;",
        "COPY c (id) FROM STDIN;", "no number", "\\.", "SELECT count(*) FROM c;",
    ],
    "transactions": [
        "BEGIN;", "\\set PROMPT1 ''", "SAVEPOINT s;", "SELECT 1/0;", "ROLLBACK TO s;", "SELECT 1;", "COMMIT;",
        "\\set ON_ERROR_ROLLBACK on", "BEGIN;", "SELECT 1/0;", "SELECT 2;", "COMMIT;", "\\set AUTOCOMMIT off",
        "SELECT 3;", "ROLLBACK;",
    ],
    "watched": ["CREATE TEMP SEQUENCE w;", "SELECT 1 / (4 - nextval('w')) \\watch 0.05"],
    "prepared": [
        "PREPARE p AS SELECT owner FROM accounts WHERE id = $1;", "EXECUTE p(2);", "DEALLOCATE p;", "EXECUTE p(1);",
    ],
    "cursors": [
        "BEGIN;", "DECLARE c CURSOR FOR SELECT * FROM accounts;", "FETCH 1 FROM c;", "MOVE 1 IN c;", "CLOSE c;", "END;",
    ],
    "explain": ["EXPLAIN (COSTS OFF) SELECT * FROM accounts WHERE id = 1;", "EXPLAIN (COSTS OFF) DELETE FROM scratch;"],
}  # fmt: skip


@pytest.mark.parametrize("name", PSQL)
def test_psql(here: World, name: str, tmp_path: Path) -> None:
    script = [line.format(tmp=tmp_path) if "{tmp}" in line else line for line in PSQL[name]]
    governed = here.psql(DSN, *script)
    output = same(governed, here.psql(DSN, *script, run=here.direct))
    assert output


def test_a_large_object_is_a_call_by_number_and_is_denied_while_the_session_goes_on(
    here: World, tmp_path: Path
) -> None:
    file = tmp_path / "object"
    file.write_bytes(b"large")
    script = (f"\\lo_import '{file}'", "SELECT 'goes on';")
    allowed, denied = here.psql(DSN, *script), here.psql(CAREFUL, *script)
    assert "lo_import" in allowed.stdout and not allowed.stderr
    assert "denied by policy" in denied.stderr
    assert denied.stdout == "goes on\n"


def test_a_file_of_the_server_is_denied(here: World) -> None:
    script = ("COPY accounts TO '/tmp/hate2e-server-file';", "COPY accounts TO STDOUT;")
    done = here.psql(DSN, *script)
    assert "denied by policy" in done.stderr and "no-files" in done.stderr
    assert done.stdout == "1\tada\n2\tbob\n"


@pytest.mark.parametrize("mode", ["disable", "prefer"])
def test_psycopg(here: World, mode: str) -> None:
    dsn = f"{DSN} sslmode={mode}"
    done = here.python("psycopg_forms.py", dsn)
    assert done.returncode == 0, done.stderr
    same(done, here.python("psycopg_forms.py", dsn, run=here.direct))


def test_asyncpg(here: World) -> None:
    done = here.python("asyncpg_forms.py", "10.77.0.2")
    assert done.returncode == 0, done.stderr
    same(done, here.python("asyncpg_forms.py", "10.77.0.2", run=here.direct))


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(here: World, mode: str) -> None:
    environment = {**os.environ, "PGHOST": "10.77.0.2", "PGUSER": "trusting", "PGDATABASE": "postgres"}
    if mode == "simple":
        made = here.governed("pgbench", "-i", "-q", "-s", "1", env=environment)
        assert made.returncode == 0, made.stderr
    done = here.governed("pgbench", "-n", "-M", mode, "-c", "4", "-j", "2", "-T", "2", env=environment)
    assert done.returncode == 0, done.stderr
    assert "number of failed transactions: 0 (0.000%)" in done.stdout
    processed = re.search(r"actually processed: (\d+)", done.stdout)
    assert processed and int(processed[1]) > 20


def test_a_dump_needs_all_settings(here: World) -> None:
    """pg_dump sets one through a name that it reads from the catalog: only `settings: "*"` covers what is not known."""

    def dump(host: str) -> tuple[str, ...]:
        return ("pg_dump", "-t", "accounts", "-t", "described", "-h", host, "-U", "trusting", "postgres")

    done = here.governed(*dump("10.77.0.3"))
    assert done.returncode == 0, done.stderr
    assert "ada" in same(done, here.direct(*dump("10.77.0.3")))
    refused = here.governed(*dump("10.77.0.4"))
    assert refused.returncode == 1 and "denied by policy: no rule allows" in refused.stderr
