"""Whatever bytes come: a PeerError or an end, no other exception, and no undecided byte for the server."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.content.detector import Detector
from hostagent.errors import PeerError
from hostagent.protocols.base import Decide
from hostagent.protocols.mysql.approval import bound_values
from hostagent.protocols.mysql.change_user import Request as Asked
from hostagent.protocols.mysql.denial import Refused
from hostagent.protocols.mysql.handshake import Answer, Greeting
from hostagent.protocols.mysql.net import Net
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
from hostagent.protocols.mysql.rows import Rows, RowStream
from hostagent.protocols.mysql.sealed import Definition
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.protocols.mysql.settings import Settings, version_number
from hostagent.protocols.mysql.statements import Statement
from hostagent.protocols.mysql.upload import Upload
from hostagent.sql.masking.values import Mask, MaskKind, Masks
from hostagent.values.decision import Decision, Ruling, Verdict
from tests.unit.protocols.mysql.wire import CLIENT, answer, config, greeting, ok, probe_result, query, started

MASKS = Masks((Mask("m", MaskKind.REDACT, ("*.*.ssn",)),))
DETECTOR = Detector(["card"])
GIVEN = Ruling(
    Verdict.ALLOW,
    "r",
    "",
    ("call",),
    rewritten="SELECT 1",
    shape=(None, "ssn"),
    constants=(None, "***"),
    derived=("t",),
)
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
        lambda: Definition(data, MASKS), lambda: Asked.read(data, CLIENT, "mysql_native_password"),
    ):  # fmt: skip
        with suppress(PeerError):
            decode()


@given(some, st.booleans())
def test_session_state_is_read_or_the_peer_is_wrong(data: bytes, expected: bool) -> None:
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
    assert not sent or sent[4] in (0x01, 0x09, 0x0E, 0x11, 0x1F)  # quit, statistics, ping, resets


TYPES = st.sampled_from([0x01, 0x03, 0x05, 0x07, 0x08, 0x0A, 0x0B, 0x0D, 0xF6, 0xFC, 0xFD, 0xFE])
CONSTANTS = st.sampled_from([None, b"***", b"0", b""])
EDGES = st.sampled_from(
    [b"***", b"0", b"4111111111111111", b"\xfb", b"\xfc\x03\x00***", b"\x03***", b"\x00\x00", b"\xfe"]
)


SIZES = {0x01: 1, 0x03: 4, 0x05: 8, 0x08: 8, 0x0D: 2}
VALUES = st.one_of(st.none(), EDGES, some)


def as_row(types: list[int], binary: bool, values: list[bytes | None]) -> bytes:
    """A row with these values, those of fixed size cut or filled."""
    if not binary:
        return b"".join(b"\xfb" if value is None else as_lenenc_bytes(value) for value in values)
    nulls = sum(1 << i + 2 for i, value in enumerate(values) if value is None)
    parts = [b"\0", nulls.to_bytes((len(values) + 9) // 8, "little")]
    for kind, value in zip(types, values, strict=True):
        if value is not None:
            size = SIZES.get(kind)
            parts.append(as_lenenc_bytes(value[:250]) if size is None else value[:size].ljust(size, b"\0"))
    return b"".join(parts)


@given(st.data(), st.lists(st.tuples(TYPES, CONSTANTS), min_size=1, max_size=5), st.booleans(), st.integers(1, 20))
@settings(max_examples=400)
def test_a_row_in_pieces_is_as_long_and_no_laxer_than_the_whole(
    data: st.DataObject, columns: list[tuple[int, bytes | None]], binary: bool, cut: int
) -> None:
    types = [kind for kind, _ in columns]
    likely = [VALUES if wanted is None else st.sampled_from([wanted, wanted, None, b"x"]) for _, wanted in columns]
    row = as_row(types, binary, [data.draw(one) for one in likely])
    row = data.draw(st.one_of(st.just(row), st.just(row[:-1]), st.just(row + b"\0"), some))
    rows = Rows(types, tuple(wanted for _, wanted in columns), binary, Net(DETECTOR))
    passes, whole, streamed = False, b"", b""
    with suppress(PeerError, Refused):
        stream = RowStream(rows)
        for at in range(0, len(row), cut):
            streamed += stream.feed(row[at : at + cut])
        streamed += stream.flush()
        stream.end()
        passes = True
    if not passes:
        return
    assert len(streamed) == len(row)
    rows.check(row, 0, len(row))
    framed = packet(1, row)
    whole = (rows.netted(framed, 0, len(framed)) or framed)[4:] if row else b""
    assert whole == streamed


@given(st.lists(some, max_size=5), st.integers(1, 20))
def test_a_file_in_pieces_is_what_it_is(parts: list[bytes], cut: int) -> None:
    stream = b"".join(packet(2 + i, part) for i, part in enumerate([p for p in parts if p])) + packet(9, b"")
    upload, pos, data = Upload("x"), 0, b""
    for at in range(0, len(stream), cut):
        data += stream[at : at + cut]
        pos = upload.take(data, pos)
    assert upload.done and pos == len(stream) and upload.size == sum(map(len, parts))
    assert upload.told().endswith(hashlib.sha256(b"".join(parts)).hexdigest())


@given(packets, st.integers(1, 30), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_any_bytes_of_a_server_after_a_statement(data: list[bytes], cut: int, sealed: bool, watched: bool) -> None:
    session = started()
    session.sealed, session.masks = sealed, MASKS if sealed else None
    session.look_through(DETECTOR if watched else None)
    session.client_data(query("SELECT 1"))
    asked = session.commands.pop()
    assert isinstance(asked, Decide)
    session.decided(asked.request, Decision("d1", GIVEN))
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
