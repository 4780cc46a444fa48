"""Whatever bytes come: only PeerError escapes, nothing undecided goes on, and nothing is kept beyond the limits."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.errors import PeerError
from hostagent.protocols.base import Connect, Decide, StartTls
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.postgres import PostgresSession
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.settings import parse_schemas
from hostagent.protocols.postgres.startup import read_packet
from hostagent.values.decision import Decision, Ruling, Verdict
from tests.unit.protocols.postgres import wire

MARK = b"denied-text"
CLIENT = [
    wire.query("select 1"),
    wire.query("denied-text"),
    wire.parse("select 2", "s"),
    wire.parse("denied-text", "s"),
    wire.bind("", "s"),
    wire.bind("p", "s"),
    wire.describe("S", "s"),
    wire.describe("P"),
    wire.execute(),
    wire.execute("p"),
    wire.close("S", "s"),
    wire.close("P", "p"),
    wire.SYNC,
    wire.FLUSH,
    wire.message("F", bytes(10)),
    wire.message("d", b"x"),
    wire.message("c"),
    wire.message("f", b"x\0"),
]
SERVER = [
    wire.PARSED,
    wire.BOUND,
    wire.CLOSED,
    wire.NO_DATA,
    wire.PARAMETERS,
    wire.COLUMNS,
    wire.row(b"1"),
    wire.tag("SELECT 1"),
    wire.EMPTY,
    wire.SUSPENDED,
    wire.READY,
    wire.READY_TX,
    wire.READY_FAILED,
    wire.SYNTAX,
    wire.error("22012"),
    wire.message("G", b"\0\0\0"),
    wire.message("H", b"\0\0\0"),
    wire.message("c"),
    wire.message("V", b"\0\0\0\0"),
    wire.message("N", b"\0"),
    wire.status("TimeZone", "UTC"),
    wire.status("client_encoding", "LATIN1"),
]
pieces = st.one_of(
    st.tuples(st.just("client"), st.sampled_from(CLIENT)),
    st.tuples(st.just("server"), st.sampled_from(SERVER)),
    st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=40)),
    st.tuples(st.just("decide"), st.just(b"")),
)


def obey(session: PostgresSession) -> None:
    """Carry out what the session wants, but for decisions."""
    commands, session.commands = session.commands, [c for c in session.commands if isinstance(c, Decide)]
    for command in commands:
        if isinstance(command, Connect):
            session.connected()
        elif isinstance(command, StartTls):
            session.tls_started(command.leg, b"")


def decide(session: PostgresSession) -> None:
    if session.commands:
        command = session.commands.pop(0)
        assert isinstance(command, Decide)
        verdict = Verdict.DENY if MARK.decode() in command.request.text else Verdict.ALLOW
        session.decided(command.request, Decision("d", Ruling(verdict, "", "")))


def play(session: PostgresSession, script: list[tuple[str, bytes]]) -> None:
    with contextlib.suppress(PeerError):
        for who, data in script:
            if who == "client":
                session.client_data(data)
            elif who == "server":
                session.upstream_data(data)
            else:
                decide(session)
            obey(session)
            assert len([c for c in session.commands if isinstance(c, Decide)]) <= 1
    assert MARK not in b"".join(session.to_upstream)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=40))
def test_a_logged_in_session(script: list[tuple[str, bytes]]) -> None:
    play(wire.logged_in().session, script)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(st.booleans(), st.booleans(), st.lists(pieces, max_size=10), st.binary(max_size=200))
def test_a_new_session(tls: bool, held: bool, script: list[tuple[str, bytes]], first: bytes) -> None:
    settings_ = wire.config(wire.FULL if tls else wire.OFF, wire.SECRET if held else None)
    play(PostgresSession(settings_), [("client", first), *script])
    play(PostgresSession(settings_), [("client", wire.startup()), ("server", b"S" if tls else b""), *script])


@given(st.binary(max_size=300))
def test_decoders_raise_peer_errors_only(data: bytes) -> None:
    for decoder in (
        m.parse_body,
        m.query_body,
        m.name_body,
        m.execute_body,
        m.parameter_status,
        m.authentication_body,
        m.mechanisms,
        m.first_column,
        m.error_fields,
        m.affected_rows,
    ):
        with contextlib.suppress(PeerError):
            decoder(data)


@given(st.binary(max_size=300), st.integers(1, 20))
def test_a_packet_is_read_whole_or_not_at_all(data: bytes, size: int) -> None:
    inbox = Inbox()
    for start in range(0, len(data), size):
        inbox.feed(data[start : start + size])
        before = len(inbox)
        try:
            packet = read_packet(inbox)
        except PeerError:
            return
        assert packet is not None or len(inbox) == before


@given(st.text(max_size=60))
def test_schemas_never_raise(text: str) -> None:
    parse_schemas("{" + text + "}")
    parse_schemas(text)


@given(st.lists(st.text(min_size=1, max_size=8)))
def test_schemas_round_trip(names: list[str]) -> None:
    quoted = ",".join('"' + n.replace("\\", "\\\\").replace('"', '\\"') + '"' for n in names)
    assert parse_schemas("{" + quoted + "}") == tuple(names)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 50))
def test_an_inbox_gives_back_what_it_took(chunks: list[bytes], need: int) -> None:
    inbox, taken = Inbox(), b""
    for chunk in chunks:
        inbox.feed(chunk)
        inbox.need = need
        while inbox.ready():
            taken += inbox.data[inbox.pos : inbox.pos + need]
            inbox.pos += need
    assert taken + inbox.take() == b"".join(chunks)
