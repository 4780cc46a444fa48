"""Whatever bytes come: a PeerError or an end, no other exception, and no undecided byte for the server."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.errors import PeerError
from hostagent.protocols.base import Decide
from hostagent.protocols.mysql.approval import bound_values
from hostagent.protocols.mysql.handshake import Answer, Greeting
from hostagent.protocols.mysql.packets import (
    MAX_PAYLOAD,
    as_lenenc,
    as_lenenc_bytes,
    lenenc,
    lenenc_bytes,
    packet,
    text_row,
)
from hostagent.protocols.mysql.results import read_err, read_ok, read_prepared
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.protocols.mysql.settings import Settings, version_number
from hostagent.protocols.mysql.statements import Statement
from hostagent.values.decision import Decision, Ruling, Verdict
from tests.unit.protocols.mysql.wire import CLIENT, answer, config, greeting, ok, probe_result, query, started

some = st.binary(max_size=200)
packets = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 5), some).map(lambda p: packet(*p)),
        st.tuples(st.sampled_from(range(256)), some).map(lambda p: packet(0, bytes((p[0],)) + p[1])),
        some,
    ),
    max_size=6,
)


@given(st.integers(0, (1 << 64) - 1))
def test_lengths_come_back(number: int) -> None:
    assert lenenc(as_lenenc(number), 0) == (number, len(as_lenenc(number)))


@given(st.lists(st.one_of(st.none(), some)))
def test_rows_come_back(values: list[bytes | None]) -> None:
    payload = b"".join(b"\xfb" if value is None else as_lenenc_bytes(value) for value in values)
    assert text_row(payload) == values


def test_a_long_payload_is_cut_into_packets() -> None:
    whole = packet(3, b"x" * MAX_PAYLOAD)
    assert whole[:4] == b"\xff\xff\xff\x03"
    assert whole[-4:] == b"\0\0\0\x04"


@given(some)
def test_decoders_read_or_say_that_the_peer_is_wrong(data: bytes) -> None:
    statement = Statement("SELECT ?, ?", Settings())
    statement.parameters = 2
    for decode in (
        lambda: Greeting.read(data), lambda: Greeting.read(data).encode(), lambda: Answer.read(data, 0xFFFFFFFF),
        lambda: read_ok(b"\0" + data), lambda: read_err(b"\xff" + data),
        lambda: read_prepared(b"\0" + data), lambda: text_row(data), lambda: lenenc_bytes(data, 0),
        lambda: bound_values(data, statement, "utf-8"), lambda: version_number(data.decode("latin-1")),
    ):  # fmt: skip
        with suppress(PeerError):
            decode()


@given(some, st.booleans())
def test_session_state_is_read_or_the_peer_is_wrong(data: bytes, expected: bool) -> None:
    from hostagent.protocols.mysql.denial import Refused

    with suppress(PeerError, Refused):
        Settings().tracked(data, expected)


@given(packets, st.integers(1, 30))
def test_any_bytes_of_a_client_reach_the_server_only_when_they_were_decided(data: list[bytes], cut: int) -> None:
    session = started()
    stream = b"".join(data)
    with suppress(PeerError):
        for start in range(0, len(stream), cut):
            session.client_data(stream[start : start + cut])
            if any(isinstance(command, Decide) for command in session.commands):
                break
    sent = b"".join(session.to_upstream)
    assert not sent or sent[4] in (0x01, 0x09, 0x0E, 0x1F)  # quit, statistics, ping, reset


@given(packets, st.integers(1, 30))
@settings(max_examples=200)
def test_any_bytes_of_a_server_after_a_statement(data: list[bytes], cut: int) -> None:
    session = started()
    session.client_data(query("SELECT 1"))
    asked = session.commands.pop()
    assert isinstance(asked, Decide)
    session.decided(asked.request, Decision("d1", Ruling(Verdict.ALLOW, "r", "", ("call",))))
    stream = b"".join(data)
    with suppress(PeerError):
        for start in range(0, len(stream), cut):
            session.upstream_data(stream[start : start + cut])


@given(packets, st.integers(0, 4), st.integers(1, 30))
@settings(max_examples=200)
def test_any_bytes_during_the_opening(data: list[bytes], place: int, cut: int) -> None:
    session = MysqlSession(config())
    session.connected()
    good = [greeting(), packet(1, answer(CLIENT).encode()), ok(2), ok(1), probe_result(True)]
    with suppress(PeerError):
        for index, whole in enumerate(good[:place]):
            (session.client_data if index == 1 else session.upstream_data)(whole)
        stream = b"".join(data)
        feed = session.client_data if place == 1 else session.upstream_data
        for start in range(0, len(stream), cut):
            feed(stream[start : start + cut])
    assert b"secret" not in b"".join(session.to_client) + b"".join(session.to_upstream)
