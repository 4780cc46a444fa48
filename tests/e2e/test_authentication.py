"""Logging in: relayed where the client can do it itself, else with a held credential; and no secret anywhere."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from tests.e2e.world import SECRETS, World, target, world

TYPED = "typed-s3cret-f00d"
WRONG = "wr0ng-s3cret-dead"
TARGETS = [
    target("relayed", 2),
    target("relayed-plain", 3, "off"),
    target("held", 4, credential="app"),
    target("held-plain", 5, "off", credential="app"),
    target("held-md5", 6, credential="md5er"),
    target("held-clear", 7, credential="plain"),
    target("held-clear-plain", 8, "off", credential="plain"),
    target("wrong", 9, credential="wrong"),
    target("nowhere", 10, credential="nowhere"),
]
RULES = [{"name": "all", "actors": "*", "targets": "*", "allow": {"kinds": "any", "functions": "*"}}]
WHO = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="hostagent-e2e-") as directory:
        secrets = {**{name: SECRETS[name] for name in ("app", "md5er", "plain")}, "wrong": WRONG}
        for name, secret in secrets.items():
            file = Path(directory) / name
            file.write_text(secret)
            file.chmod(0o600)
        credentials = [
            {"name": name, "user": "app" if name in ("wrong", "nowhere") else name, "file": f"{directory}/{name}"}
            for name in (*secrets, "nowhere")
        ]
        with world({"targets": TARGETS, "credentials": credentials, "rules": RULES}) as made:
            yield made


def log_in(here: World, number: int, user: str, mode: str, password: str = "") -> tuple[str, str]:
    """What psql prints when it logs in and asks who it is: its output and its errors."""
    dsn = f"host=10.77.0.{number} dbname=postgres user={user} sslmode={mode}"
    done = here.governed("psql", "-X", "-A", "-t", "-w", dsn, "-c", WHO, env={**os.environ, "PGPASSWORD": password})
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("mode", ["disable", "require"])
@pytest.mark.parametrize(("number", "encrypted"), [(2, "t"), (3, "f")])
@pytest.mark.parametrize("user", ["trusting", "plain", "md5er"])
def test_a_client_logs_in_itself(here: World, user: str, number: int, encrypted: str, mode: str) -> None:
    assert log_in(here, number, user, mode, SECRETS.get(user, ""))[0] == f"{user}|{encrypted}"


@pytest.mark.parametrize("user", ["plain", "md5er", "scram"])
def test_a_wrong_password_of_the_client_is_told_in_the_servers_words(here: World, user: str) -> None:
    output, errors = log_in(here, 2, user, "disable", "guess-s3cret")
    assert output == "" and f'password authentication failed for user "{user}"' in errors


@pytest.mark.parametrize(("number", "mode"), [(2, "disable"), (2, "prefer"), (3, "disable"), (3, "require")])
def test_scram_is_relayed_where_no_channel_is_bound(here: World, number: int, mode: str) -> None:
    assert log_in(here, number, "scram", mode, SECRETS["scram"])[0] == f"scram|{'t' if number == 2 else 'f'}"


def test_scram_between_two_tls_legs_is_refused_with_what_to_do(here: World) -> None:
    output, errors = log_in(here, 2, "scram", "require", SECRETS["scram"])
    assert output == ""
    assert "target relayed demands SCRAM with channel binding, which cannot be relayed over TLS" in errors
    assert "Give the target a credential in the policy" in errors


@pytest.mark.parametrize("mode", ["disable", "require"])
@pytest.mark.parametrize(
    ("number", "answer"),
    [(4, "app|t"), (5, "app|f"), (6, "md5er|t"), (7, "plain|t")],
    ids=["scram-plus", "scram", "md5", "clear"],
)
def test_a_held_credential_logs_in_for_whoever_asks(here: World, number: int, answer: str, mode: str) -> None:
    assert log_in(here, number, "somebody", mode)[0] == answer


def test_a_held_credential_never_goes_out_in_clear(here: World) -> None:
    output, errors = log_in(here, 8, "somebody", "disable")
    assert (
        output == "" and "target held-clear-plain demands a clear-text password over a connection without TLS" in errors
    )


def test_a_wrong_credential_names_the_target_and_no_secret(here: World) -> None:
    output, errors = log_in(here, 9, "somebody", "prefer")
    assert output == "" and "target wrong refused the credential that this host holds for it" in errors
    assert WRONG not in errors and "app" not in errors.replace("application", "")


def test_a_credential_that_cannot_be_read_is_said_to_be_so(here: World) -> None:
    output, errors = log_in(here, 10, "somebody", "disable")
    assert output == "" and "denied: " in errors and "nowhere" in errors


def test_the_session_names_both_users(here: World) -> None:
    log_in(here, 4, "agent", "disable")
    opened = [e["unmapped"]["session"] for e in here.events() if e["metadata"]["event_code"] == "session_opened"]
    session = next(s for s in opened if s["user"] == "agent")
    assert session["upstream_user"] == "app" and session["database"] == "postgres"


def test_no_secret_is_in_any_record_log_or_process(here: World) -> None:
    for number, user, mode, password in (
        (4, "somebody", "require", ""), (6, "somebody", "disable", ""), (7, "somebody", "disable", ""),
        (9, "somebody", "disable", ""), (2, "plain", "require", SECRETS["plain"]),
        (2, "scram", "disable", SECRETS["scram"]),
    ):  # fmt: skip
        log_in(here, number, user, mode, password)
    dsn = "host=10.77.0.4 dbname=postgres user=somebody"
    here.psql(dsn, f"CREATE USER typed PASSWORD '{TYPED}';", f"ALTER USER typed PASSWORD '{TYPED}'; SELECT 1;")
    here.psql(dsn, "SELECT dblink('host=x', 'SELECT 1');", f"SELECT dblink('password={TYPED}', 'SELECT 1');")
    assert here.postgres.sql("SELECT count(*) FROM pg_user WHERE usename = 'typed'") == "1"
    recorded = "".join(e["query_info"]["query_string"] for e in here.events() if "query_info" in e)
    assert "CREATE USER typed PASSWORD '***'" in recorded and "SELECT dblink('***', 'SELECT 1')" in recorded
    secrets = [*SECRETS.values(), WRONG, TYPED]
    assert [found for found in places(here.agent.directory) if any(s.encode() in found[1] for s in secrets)] == []


def test_the_search_for_secrets_finds_what_is_there(here: World) -> None:
    dsn = "host=10.77.0.4 dbname=postgres user=somebody"
    assert here.psql(dsn, "SELECT 'plain-needle-41';").stdout == "plain-needle-41\n"
    found = [name for name, data in places(here.agent.directory) if b"plain-needle-41" in data]
    assert {Path(name).suffix for name in found} == {".ndjson", ".rec"}


def places(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Everything below the daemon's directory, recordings decompressed, and what /proc shows of every other process."""
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield str(path), decompressed(data) if path.suffix == ".rec" else data
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) != os.getpid():
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    yield f"{process}/{name}", (process / name).read_bytes()


def decompressed(data: bytes) -> bytes:
    """All frames, as far as they are whole: a session that goes on has an unfinished one."""
    pieces = []
    with contextlib.suppress(zstandard.ZstdError), zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(data), read_across_frames=True
    ) as reader:  # fmt: skip
        while piece := reader.read(1 << 16):
            pieces.append(piece)
    return b"".join(pieces)
