"""What matters of a session, against PostgreSQL 13, 15, 17 and 18: governed clients see what they see directly."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import SECRETS, Done, World, target, world
from tests.lab.postgres import Postgres
from tests.lab.postgres_versions import VERSIONS, home

POLICY = {
    "targets": [target("orders", 2), target("held", 4, credential="app"), target("careful", 5)],
    "rules": [
        {"name": "all", "actors": "*", "targets": ["orders", "held"], "allow": {"kinds": "any", "functions": "*"}},
        {"name": "reads", "actors": "*", "targets": "careful", "allow": {"kinds": ["read", "session"]}},
    ],
}
DSN = "host=10.77.0.2 dbname=postgres user=trusting"
SCRIPT = (
    "CREATE TEMP TABLE t (id int, note text);", "INSERT INTO t SELECT g, 'n' || g FROM generate_series(1, 5) g;",
    "TABLE t;", "SELECT 1 \\; SELECT 2;", "SELECT 1/0;", "SELECT no_such;", "\\errverbose",
    "COPY t FROM STDIN;", "6\tsix", "\\.", "COPY t TO STDOUT;", "COPY t FROM STDIN;", "no number", "\\.",
    "BEGIN;", "SELECT 1/0;", "SELECT 1;", "ROLLBACK;", "\\d t", "\\dt accounts", "\\du trusting",
    "\\set FETCH_COUNT 2", "TABLE t;", "DO $$ BEGIN RAISE NOTICE 'note'; END $$;", "SHOW server_version_num;",
)  # fmt: skip


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def here(version: str) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="hostagent-e2e-") as directory:
        file = Path(directory) / "app"
        file.write_text(SECRETS["app"])
        file.chmod(0o600)
        credentials = [{"name": "app", "user": "app", "file": str(file)}]
        with world({**POLICY, "credentials": credentials}, Postgres(("*",), home=home(version))) as made:
            (made.agent.directory / "host-ca.pem").write_text(made.agent.hostagent("ca"))
            yield made


def same(governed: Done, direct: Done) -> str:
    """What both printed. Raises AssertionError when they differ."""
    assert (governed.stdout, governed.stderr, governed.returncode) == (direct.stdout, direct.stderr, direct.returncode)
    return governed.stdout


@pytest.mark.parametrize("mode", ["disable", "require"])
def test_psql(here: World, version: str, mode: str) -> None:
    dsn = f"{DSN} sslmode={mode}"
    printed = same(here.psql(dsn, *SCRIPT), here.psql(dsn, *SCRIPT, run=here.direct))
    assert printed.splitlines()[-1].startswith(version)


def test_a_denial(here: World) -> None:
    done = here.psql("host=10.77.0.5 dbname=postgres user=trusting", "BEGIN;", "DROP TABLE accounts;", "SELECT 1;",
                     "ROLLBACK;", "SELECT count(*) FROM accounts;")  # fmt: skip
    assert "denied by policy" in done.stderr and "current transaction is aborted" in done.stderr
    assert done.stdout == "BEGIN\nROLLBACK\n2\n"


@pytest.mark.parametrize("mode", ["disable", "require"])
def test_psycopg(here: World, mode: str) -> None:
    """Simple and extended protocol, binary, pipelines, cursors, COPY both ways, cancel, notifications, large rows."""
    dsn = f"{DSN} sslmode={mode}"
    assert same(here.python("psycopg_forms.py", dsn), here.python("psycopg_forms.py", dsn, run=here.direct))


def test_asyncpg(here: World) -> None:
    assert same(
        here.python("asyncpg_forms.py", "10.77.0.2"), here.python("asyncpg_forms.py", "10.77.0.2", run=here.direct)
    )


@pytest.mark.parametrize("wanted", ["3.0", "3.2"])
@pytest.mark.parametrize("mode", ["disable", "require"])
def test_protocol_versions(here: World, version: str, wanted: str, mode: str) -> None:
    """A server before 18 negotiates down to 3.0. A longer cancel key cancels, and so does a short one."""
    dsn = f"{DSN} sslmode={mode} max_protocol_version={wanted}"
    done = here.python("protocol.py", dsn)
    printed = same(done, here.python("protocol.py", dsn, run=here.direct))
    got = "30002" if (wanted, version) == ("3.2", "18") else "30000"
    assert printed.splitlines() == [got, "('trusting', 2)", "57014", "('goes on',)"], done.stderr


def test_cancelling_many(here: World) -> None:
    assert here.python("cancels.py", DSN).stdout == "12\n"


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_a_verified_server(here: World, version: str, negotiation: str) -> None:
    """The client's leg takes TLS without being asked for it (17's way) whatever the server's version."""
    options = f"sslmode=verify-full sslrootcert={here.agent.directory}/host-ca.pem sslnegotiation={negotiation}"
    dsn = f"host=orders.lab.test hostaddr=10.77.0.2 dbname=postgres user=trusting {options}"
    done = here.python("protocol.py", dsn)
    assert done.stdout.endswith("57014\n('goes on',)\n"), done.stderr


def test_direct_tls_as_the_server_has_it(here: World, version: str) -> None:
    """What 17 and 18 take directly they take governed; older ones refuse it to those who come directly."""
    dsn = f"{DSN} sslmode=require sslnegotiation=direct"
    direct = here.python("protocol.py", dsn, run=here.direct)
    assert (direct.returncode == 0) is (int(version) >= 17)
    assert here.python("protocol.py", dsn).returncode == 0


@pytest.mark.parametrize("mode", ["disable", "require"])
def test_scram_plus_with_a_held_credential(here: World, mode: str) -> None:
    who = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();"
    done = here.psql(f"host=10.77.0.4 dbname=postgres user=anyone sslmode={mode}", who)
    assert done.stdout == "app|t\n", done.stderr


def test_scram_relayed(here: World) -> None:
    given = {**os.environ, "PGPASSWORD": SECRETS["scram"]}
    dsn = "host=10.77.0.2 dbname=postgres user=scram sslmode=disable"
    assert here.governed("psql", "-XAtw", dsn, "-c", "SELECT current_user", env=given).stdout == "scram\n"
    wrong = here.governed("psql", "-XAtw", dsn, "-c", "SELECT 1", env={**given, "PGPASSWORD": "guess"})
    assert "password authentication failed" in wrong.stderr


def test_large_results(here: World) -> None:
    rows = "SELECT g, repeat(md5(g::text), 32) FROM generate_series(1, 65536) g"
    psql = f'psql -XAtq "{DSN} sslmode=require" -c'
    script = f'{psql} "{rows}" | sha256sum; {psql} "COPY ({rows}) TO STDOUT" | wc -c'
    printed = same(here.governed("sh", "-c", script), here.direct("sh", "-c", script))
    assert int(printed.split()[-1]) > 64 << 20
