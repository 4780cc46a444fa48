"""The session between real clients (psql, psycopg, asyncpg) and a real PostgreSQL, through a small blocking pump."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest
import trustme

from hostagent.protocols.base import Credential, Leg, Phase, Request
from hostagent.protocols.postgres import PostgresConfig, SaltedPasswords
from hostagent.values.decision import Ruling, Verdict
from hostagent.values.target import UpstreamTls
from tests.e2e.postgres_pump import BIN, Pump, Server, random_bytes

HBA = """
hostssl all scramtls 127.0.0.1/32 scram-sha-256
host all scram 127.0.0.1/32 scram-sha-256
host all clear 127.0.0.1/32 password
host all md5user 127.0.0.1/32 md5
host all boss 127.0.0.1/32 trust
"""


def policy(request: Request) -> Ruling:
    """What names `forbidden` is denied; what says `too_late` only when it runs. Kinds are the first words."""
    text = request.text.lower()
    words = text.replace("(", " ").split() or [""]
    settings = (words[1],) if words[0] == "set" and len(words) > 1 else ()
    deny = "forbidden" in text or ("too_late" in text and request.phase is Phase.EXECUTE) or request.wire != ""
    return Ruling(Verdict.DENY if deny else Verdict.ALLOW, "r", "no", (words[0],), settings=settings)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: trustme.LeafCert) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("pg")
    for parent in (directory.parent, directory.parent.parent):  # pytest's own; the next one is everybody's
        parent.chmod(0o755)
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(directory / "cert.pem"), append=True)
    (directory / "key.pem").chmod(0o600)
    owner = directory.joinpath("key.pem")
    server = Server(
        directory,
        HBA,
        ("-c", "ssl=on", "-c", f"ssl_key_file={owner}", "-c", f"ssl_cert_file={directory / 'cert.pem'}"),
    )
    with psycopg.connect(f"host=127.0.0.1 port={server.port} user=boss dbname=postgres", autocommit=True) as db:
        for name in ("scram", "clear", "scramtls"):
            db.execute(f"create role {name} login superuser password 'pencil'")
        db.execute("set password_encryption = md5")
        db.execute("create role md5user login superuser password 'pencil'")
    yield server
    server.stop()


def new_config(
    tls: UpstreamTls = UpstreamTls.OFF, credential: Credential | None = None, client_tls: bool = False
) -> PostgresConfig:
    return PostgresConfig("shop", tls, credential, SaltedPasswords(), random_bytes, client_tls)


@pytest.fixture(params=[65536, 1], ids=["chunks", "bytes"])
def pump(server: Server, request: pytest.FixtureRequest) -> Iterator[Pump]:
    pump = Pump(new_config(), server.port, policy, chunk=request.param)
    yield pump
    pump.close()
    assert not pump.seen.errors
    assert b"forbidden" not in pump.seen.upstream


def dsn(pump: Pump, user: str = "boss", extra: str = "") -> str:
    return f"host=127.0.0.1 port={pump.port} user={user} dbname=postgres {extra}"


def psql(pump: Pump, script: str) -> str:
    done = subprocess.run(
        ["psql", "-XqAt", dsn(pump)], input=script, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout + done.stderr


def test_psql(pump: Pump) -> None:
    out = psql(
        pump,
        """create temp table t(a int);
        begin; insert into t values (1);
        select 'forbidden';
        select 'after';
        rollback;
        select count(*) from t;
        select 'forbidden';
        select 'usable';
        \\copy t from stdin
1
2
\\.
        copy t to stdout;
        copy t from stdin;
x
\\.
        select 1/0;
        listen c; notify c, 'p';
        do $$ begin raise notice 'note'; end $$;
        select sum(a) from t;
        """,
    )
    assert out.count("denied by policy: no (rule r)") == 2
    assert "current transaction is aborted" in out
    for words in ("\nusable\n", "1\n2\n", "invalid input syntax", "division by zero", "note", '"p"', "\n3\n"):
        assert words in out or out.startswith(words.lstrip("\n"))
    assert "after" not in out.replace("select 'after'", "")


def test_psql_describes(pump: Pump) -> None:
    assert "tables" in psql(pump, "\\d\n\\dt pg_catalog.*\n\\l\n\\du\n select 1 as tables \\gdesc\n")


def test_psycopg(pump: Pump) -> None:
    with psycopg.connect(dsn(pump), prepare_threshold=1) as db:
        for n in range(5):
            assert db.execute("select %s::int + 1", (n,)).fetchone() == (n + 1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as raised:
            db.execute("select 'forbidden', %s", (1,))
        assert raised.value.diag.message_primary == "denied by policy: no (rule r)"
        assert "decision" in (raised.value.diag.message_hint or "")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            db.execute("select 1")
        db.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("select 'too_late', %s", (1,))
        db.rollback()
        with db.cursor("named") as cursor:
            cursor.execute("select * from generate_series(1, 500)")
            assert len(cursor.fetchall()) == 500
        assert db.info.transaction_status.name == "INTRANS"


def test_psycopg_binary_and_large(pump: Pump) -> None:
    big = b"x" * (200_000 if pump.chunk > 1 else 5_000)
    with psycopg.connect(dsn(pump)) as db:
        assert db.execute("select %b::bytea", (big,), binary=True).fetchone() == (big,)


def test_psycopg_pipeline_denied_in_the_middle(pump: Pump) -> None:
    with psycopg.connect(dsn(pump), autocommit=True) as db:
        db.execute("create temp table p(a int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.pipeline():
            db.execute("insert into p values (1)")
            db.execute("select 'forbidden'")
            db.execute("insert into p values (2)")
        assert db.execute("select count(*) from p").fetchone() == (0,)


def test_psycopg_copy(pump: Pump) -> None:
    rows = 2000 if pump.chunk > 1 else 50
    with psycopg.connect(dsn(pump), autocommit=True) as db:
        db.execute("create temp table c(a int, b text)")
        with db.cursor() as cursor:
            with cursor.copy("copy c from stdin") as copy:
                for n in range(rows):
                    copy.write_row((n, "text"))
            with cursor.copy("copy c to stdout") as copy:
                assert len(list(copy.rows())) == rows
            with pytest.raises(psycopg.errors.BadCopyFileFormat), cursor.copy("copy c from stdin") as copy:
                copy.write(b"1\n" * 10)
            with pytest.raises(psycopg.errors.InsufficientPrivilege), cursor.copy("copy forbidden from stdin") as copy:
                copy.write(b"1\n")
        assert db.execute("select count(*) from c").fetchone() == (rows,)


def test_psycopg_deallocates_and_reuses(pump: Pump) -> None:
    with psycopg.connect(dsn(pump), prepare_threshold=0, autocommit=True) as db:
        db.prepared_max = 3
        for n in range(12):
            assert db.execute(f"select {n} + %s", (1,)).fetchone() == (n + 1,)
        db.execute("discard all")
        for n in range(12):
            assert db.execute(f"select {n} + %s", (2,)).fetchone() == (n + 2,)


def test_asyncpg(pump: Pump) -> None:
    async def run() -> None:
        db = await asyncpg.connect(host="127.0.0.1", port=pump.port, user="boss", database="postgres", ssl=False)
        try:
            assert await db.fetchval("select $1::int + 1", 41) == 42
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.fetch("select 'forbidden' where $1", True)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.fetch("select 'too_late' where $1", True)
            await db.execute("create temp table t(a int)")
            await db.executemany("insert into t values ($1)", [(n,) for n in range(500)])
            async with db.transaction():
                assert len([r async for r in db.cursor("select a from t", prefetch=7)]) == 500
            async with db.transaction():
                cursor = await db.cursor("select a from t order by a")
                assert [r["a"] for r in await cursor.fetch(3)] == [0, 1, 2]
                assert [r["a"] for r in await cursor.fetch(2)] == [3, 4]
            await db.copy_records_to_table("t", records=[(n,) for n in range(10)])
            assert await db.fetchval("select count(*) from t") == 510
            with pytest.raises(asyncpg.DivisionByZeroError):
                await db.fetchval("select 1 / $1::int", 0)
            assert await db.fetchval("select 1") == 1
        finally:
            await db.close()

    asyncio.run(run())


def test_rows_and_bytes_are_reported(server: Server) -> None:
    pump = Pump(new_config(), server.port, policy)
    with psycopg.connect(dsn(pump), autocommit=True) as db:
        db.execute("create temp table r(a int)")
        db.execute("insert into r select generate_series(1, 10)")
        db.execute("select * from r")
        with pytest.raises(psycopg.errors.DivisionByZero):
            db.execute("select 1/0")
    pump.close()
    ends = [(f.outcome.rows, f.outcome.error) for f in pump.seen.finished()]
    assert ends == [(0, ""), (10, ""), (10, ""), (0, "22012")]
    assert all(r.schemas == ("public",) for r in pump.seen.requests()[:1])


def test_function_call_messages_are_denied_and_the_session_goes_on(server: Server) -> None:
    def policy(request: Request) -> Ruling:
        return Ruling(Verdict.ALLOW if request.function_oid is None else Verdict.DENY, "r", "calls", ("select",))

    pump = Pump(new_config(), server.port, policy)
    libpq = ctypes.CDLL("libpq.so.5")  # its large object functions send FunctionCall messages
    libpq.PQconnectdb.restype = ctypes.c_void_p
    libpq.PQerrorMessage.restype = ctypes.c_char_p
    connection = ctypes.c_void_p(libpq.PQconnectdb(dsn(pump, extra="sslmode=disable").encode()))
    for _ in range(2):
        assert libpq.lo_creat(connection, 0x60000) == 0
        assert b"denied by policy: calls" in libpq.PQerrorMessage(connection)
    libpq.PQfinish(connection)
    pump.close()
    assert not pump.seen.errors


def test_cancel_goes_by_our_own_key(server: Server) -> None:
    pump = Pump(new_config(), server.port, policy)
    command = ["psql", "-XqAt", dsn(pump), "-c", "select pg_sleep(20)"]
    client = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    client.send_signal(signal.SIGINT)
    assert "canceling statement due to user request" in client.communicate(timeout=10)[1]
    pump.close()
    assert pump.seen.keys
    assert all(issued != upstream for issued, upstream in pump.seen.keys.items())


# --- logging in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["scram", "clear", "md5user"])
def test_authentication_is_relayed(server: Server, user: str) -> None:
    pump = Pump(new_config(), server.port, policy)
    with psycopg.connect(dsn(pump, user, "password=pencil sslmode=disable")) as db:
        assert db.execute("select current_user").fetchone() == (user,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(dsn(pump, user, "password=wrong sslmode=disable"))
    pump.close()
    assert not any(b"pencil" in data for _, data in pump.seen.captured)


def contexts(ca: trustme.CA, certificate: trustme.LeafCert) -> tuple[ssl.SSLContext, ssl.SSLContext, bytes]:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(client)
    upstream = ssl.create_default_context()
    ca.configure_trust(upstream)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    return client, upstream, hashlib.sha256(der).digest()


@pytest.mark.parametrize("user", ["scramtls", "scram", "clear", "md5user"])
def test_a_held_credential_logs_in_over_tls(
    server: Server, ca: trustme.CA, certificate: trustme.LeafCert, user: str, tmp_path: Path
) -> None:
    client, upstream, binding = contexts(ca, certificate)
    settings = new_config(UpstreamTls.VERIFY_FULL, Credential(user, "pencil"), client_tls=True)
    pump = Pump(settings, server.port, policy, client, upstream, binding)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    extra = f"sslmode=verify-full sslrootcert={tmp_path / 'ca.pem'}"
    with psycopg.connect(dsn(pump, "anyone", extra)) as db:
        assert db.execute("select current_user, current_database()").fetchone() == (user, "postgres")
        ssl_row = db.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
        assert ssl_row == (True,)
    pump.close()
    assert b"pencil" not in pump.seen.upstream or user == "clear"
    assert not any(b"pencil" in data for leg, data in pump.seen.captured if leg in Leg)
    assert not pump.seen.errors


def test_a_wrong_credential_is_told_clearly(server: Server) -> None:
    pump = Pump(new_config(credential=Credential("scram", "wrong-secret")), server.port, policy)
    with pytest.raises(psycopg.OperationalError, match="target shop refused the credential") as raised:
        psycopg.connect(dsn(pump, "anyone"))
    assert "wrong-secret" not in str(raised.value)
    pump.close()


def test_scram_between_two_tls_legs_is_refused_at_once(
    server: Server, ca: trustme.CA, certificate: trustme.LeafCert
) -> None:
    client, upstream, binding = contexts(ca, certificate)
    settings = new_config(UpstreamTls.VERIFY_FULL, client_tls=True)
    pump = Pump(settings, server.port, policy, client, upstream, binding)
    with pytest.raises(psycopg.OperationalError, match="Give the target a credential"):
        psycopg.connect(dsn(pump, "scram", "password=pencil sslmode=require"))
    with psycopg.connect(dsn(pump, "scram", "password=pencil sslmode=disable")) as db:  # plaintext leg: relayed
        assert db.execute("select 1").fetchone() == (1,)
    pump.close()


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(server: Server, mode: str) -> None:
    pump = Pump(new_config(), server.port, policy)
    base = [str(BIN / "pgbench"), "-h", "127.0.0.1", "-p", str(pump.port), "-U", "boss"]
    subprocess.run([*base, "-i", "-s", "1", "-q", "postgres"], check=True, capture_output=True, timeout=60)
    done = subprocess.run(
        [*base, "-c", "2", "-t", "200", "-M", mode, "postgres"], check=True, capture_output=True, text=True, timeout=60
    )
    assert "number of failed transactions: 0" in done.stdout
    assert "400/400" in done.stdout
    pump.close()
    assert not pump.seen.errors
