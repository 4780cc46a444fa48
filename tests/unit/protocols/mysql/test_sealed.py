"""The second lock: results that are not what a masked statement promises end the session, however they are cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hostagent.content.detector import Detector
from hostagent.protocols.base import Close, Decide, Finished
from hostagent.protocols.mysql.packets import MAX_PAYLOAD, as_lenenc_bytes, packet
from hostagent.protocols.mysql.rows import MAX_HELD
from hostagent.protocols.mysql.sealed import MASKED, OTHER
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.sql.masking.values import Mask, MaskKind, Masks
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from tests.unit.protocols.mysql.wire import command, eof, ok, query, started

SSN = b"987-65-4321"
CARD = b"4111111111111111"
STARS = b"*" * len(CARD)
MASKS = Masks((Mask("m", MaskKind.REDACT, ("shop.users.ssn",)),))
TEXT, LONG, DATE, NULL = 0xFD, 0x03, 0x0A, 0x06
ID = (b"id", LONG, b"shop", b"users", b"id")
MADE = (b"ssn", TEXT, b"", b"users", b"ssn")
RAW = (b"ssn", TEXT, b"shop", b"users", b"ssn")

Column = tuple[bytes, int, bytes, bytes, bytes]


def definition(sequence: int, column: Column) -> bytes:
    name, kind, schema, table, origin = column
    parts = b"".join(as_lenenc_bytes(part) for part in (b"def", schema, b"t", table, name, origin))
    return packet(sequence, parts + b"\x0c" + b"\x2d\0" + bytes(4) + bytes((kind,)) + bytes(5))


def answered(columns: list[Column], *rows: bytes, end: int = 0xFE, start: int = 1, status: int = 2) -> bytes:
    """A result with rows as payloads."""
    parts = [packet(start, bytes((len(columns),)))]
    parts += [definition(start + 1 + i, column) for i, column in enumerate(columns)]
    at = start + 1 + len(columns)
    for payload in rows:
        parts.append(packet(at, payload))
        at += 1 + len(payload) // MAX_PAYLOAD
    return b"".join([*parts, ok(at, status, kind=end)])


def text(*values: bytes | None) -> bytes:
    return b"".join(b"\xfb" if value is None else as_lenenc_bytes(value) for value in values)


def binary(nulls: bytes, *values: bytes) -> bytes:
    return b"\0" + nulls + b"".join(values)


def ruling(
    shape: tuple[str | None, ...] | None = None, constants: tuple[str | None, ...] = (), **more: object
) -> Ruling:
    made = {"rewritten": "SELECT 1", "shape": shape, "constants": constants} | more
    return Ruling(Verdict.ALLOW, "r", "", ("select",), **made)  # type: ignore[arg-type]


PROMISED = ruling(("id", "ssn"), (None, "***"))


def asked(given: Ruling, sealed: bool = True, detector: Detector | None = None) -> MysqlSession:
    """A session whose query was sent as that ruling has it."""
    session = started()
    assert isinstance(session, MysqlSession)
    session.sealed, session.masks = sealed, MASKS if sealed else None
    session.look_through(detector)
    session.client_data(query("SELECT * FROM users"))
    return decided(session, given)


def decided(session: MysqlSession, given: Ruling) -> MysqlSession:
    waiting = next(c for c in reversed(session.commands) if isinstance(c, Decide))
    session.commands.clear()
    session.decided(waiting.request, Decision("d1", given))
    session.to_client.clear()
    return session


def fed(make: Callable[[], MysqlSession], data: bytes) -> bytes:
    """What the client gets, the same wherever the server's bytes are cut, unless the session ends."""
    session = make()
    session.upstream_data(data)
    whole = b"".join(session.to_client)
    ends = any(isinstance(c, Close) for c in session.commands)
    for cut in range(1, len(data), max(1, len(data) // 150)):
        again = make()
        again.upstream_data(data[:cut])
        if not any(isinstance(c, Close) for c in again.commands):
            again.upstream_data(data[cut:])
        given = b"".join(again.to_client)
        assert any(isinstance(c, Close) for c in again.commands) is ends, cut
        assert SSN not in given and (ends or given == whole), cut
    return whole


def test_what_was_promised_passes_untouched() -> None:
    data = answered([ID, MADE], text(b"1", b"***"), text(b"2", None))
    assert fed(lambda: asked(PROMISED), data) == data


@pytest.mark.parametrize(
    ("columns", "rows", "told"),
    [
        ([ID], [text(b"1")], OTHER),
        ([ID, (b"name", TEXT, b"", b"", b"")], [text(b"1", b"***")], OTHER),
        ([ID, RAW], [text(b"1", SSN)], MASKED),
        ([ID, (b"ssn", TEXT, b"SHOP", b"Users", b"SSN")], [text(b"1", SSN)], MASKED),
        ([ID, (b"ssn", LONG, b"", b"users", b"ssn")], [text(b"1", b"7")], MASKED),
        ([ID, MADE], [text(b"1", b"***"), text(b"2", SSN)], MASKED),
        ([ID, MADE], [text(b"1", b"*" * 4)], MASKED),
        ([ID, MADE], [text(b"1" * 300, SSN)], MASKED),
    ],
)
def test_what_was_not_promised_ends_the_session(columns: list[Column], rows: list[bytes], told: str) -> None:
    given = fed(lambda: asked(PROMISED), answered(columns, *rows))
    assert SSN not in given
    assert told.encode() in given
    at = given.index(told.encode()) - 9
    sequence, before = given[at - 1], given[: at - 4]
    assert sequence == (1 if not before else _last(before) + 1), "an ERR out of order is none to a client"


def _last(data: bytes) -> int:
    pos = sequence = 0
    while pos < len(data):
        sequence = data[pos + 3]
        pos += 4 + int.from_bytes(data[pos : pos + 3], "little")
    return sequence


def test_without_a_promise_the_origin_still_counts() -> None:
    data = answered([RAW], text(SSN))
    assert MASKED.encode() in fed(lambda: asked(ruling()), data)
    named_so = ruling(derived=("users",))
    plain = answered([RAW], text(b"of another relation"))
    assert fed(lambda: asked(named_so), plain) == plain
    system = answered([(b"ssn", TEXT, b"information_schema", b"users", b"ssn")], text(b"x"))
    assert fed(lambda: asked(ruling()), system) == system


def test_a_further_result_is_not_what_was_promised_but_shows_nothing_masked() -> None:
    first = answered([ID, MADE], text(b"1", b"***"), status=0x000A)
    second = answered([(b"other", LONG, b"", b"", b"")], text(b"7"), start=6)
    assert fed(lambda: asked(PROMISED), first + second) == first + second
    assert MASKED.encode() in fed(lambda: asked(PROMISED), first + answered([RAW], text(SSN), start=6))


BINARY = [ID, MADE, (b"d", DATE, b"", b"", b"")]
PREPARED = packet(1, b"\0" + (5).to_bytes(4, "little") + (3).to_bytes(2, "little") + bytes(5)) + b"".join(
    definition(2 + i, column) for i, column in enumerate(BINARY)
)
THREE = ruling(("id", "ssn", "d"), ("0", "***", "1970-01-01"))
DAY = b"\x04\xb2\x07\x01\x01"


def executed(flags: int = 0) -> MysqlSession:
    session = started()
    assert isinstance(session, MysqlSession)
    session.sealed, session.masks = True, MASKS
    session.client_data(command(0x16, b"SELECT * FROM users"))
    decided(session, THREE)
    session.upstream_data(PREPARED)
    assert b"".join(session.to_client) == PREPARED
    session.client_data(command(0x17, (5).to_bytes(4, "little") + bytes((flags,)) + (1).to_bytes(4, "little")))
    return decided(session, THREE)


def test_binary_rows_show_the_constants() -> None:
    rows = [binary(b"\0", bytes(4), b"\x03***", DAY), binary(b"\x08", bytes(4), DAY)]
    data = answered(BINARY, *rows)
    assert fed(executed, data) == data
    for bad in (binary(b"\0", bytes(4), as_lenenc_bytes(SSN), DAY), binary(b"\0", b"\x01\0\0\0", b"\x03***", DAY)):
        assert MASKED.encode() in fed(executed, answered(BINARY, rows[0], bad))


def test_rows_of_a_cursor_have_no_definitions_and_are_looked_at_all_the_same() -> None:
    def fetching() -> MysqlSession:
        session = executed(flags=1)
        session.upstream_data(answered(BINARY, status=0x0042))
        session.client_data(command(0x1C, (5).to_bytes(4, "little") + (2).to_bytes(4, "little")))
        session.to_client.clear()
        return session

    good = packet(1, binary(b"\0", bytes(4), b"\x03***", DAY)) + ok(2, 0x0042, kind=0xFE)
    assert fed(fetching, good) == good
    bad = packet(1, binary(b"\0", bytes(4), as_lenenc_bytes(SSN), DAY)) + eof(2)
    assert MASKED.encode() in fed(fetching, bad)


def test_a_prepared_statement_that_would_show_a_masked_column_ends_the_session() -> None:
    session = started()
    session.sealed, session.masks = True, MASKS
    session.client_data(command(0x16, b"SELECT ssn FROM users"))
    assert isinstance(session, MysqlSession)
    decided(session, ruling(("ssn",), ("***",)))
    session.upstream_data(packet(1, b"\0\5\0\0\0\1\0\0\0\0\0\0") + definition(2, RAW))
    assert MASKED.encode() in b"".join(session.to_client)


@pytest.mark.parametrize("size", [MAX_HELD + 5, MAX_PAYLOAD - 20, MAX_PAYLOAD + 7])
def test_a_long_row_is_looked_at_as_it_comes(size: int) -> None:
    columns = [(b"id", 0xFC, b"", b"", b""), MADE]
    for value, passes in ((b"***", True), (SSN, False), (None, True)):
        session = asked(ruling((None, "ssn"), (None, "***")))
        data = answered(columns, text(b"x" * size, value), text(b"1", b"***"))
        for at in range(0, len(data), 1 << 18):
            if not any(isinstance(c, Close) for c in session.commands):
                session.upstream_data(data[at : at + (1 << 18)])
        given = b"".join(session.to_client)
        assert (given == data) is passes
        assert SSN not in given


# --- detectors ------------------------------------------------------------------------------------------------


def netted(data: bytes, detector: Detector | None = None, given: Ruling | None = None) -> bytes:
    chosen = detector or Detector(["card"])
    return fed(lambda: asked(given or ruling(), sealed=False, detector=chosen), data)


@pytest.mark.parametrize("beside", [b"", b"9", b"." * 46, b"0" * 48, b"1" * 52, b"x" * 300])
def test_a_card_number_is_overwritten_whatever_stands_beside_its_value(beside: bytes) -> None:
    columns = [(b"a", TEXT, b"", b"", b"")] * 3

    def with_(card: bytes) -> bytes:
        return answered(
            columns, text(beside, b"to " + card + b".", None), text(card, beside, card), text(b"x", b"y", b"")
        )

    assert netted(with_(CARD)) == with_(STARS)


def test_what_was_found_is_counted_with_the_result() -> None:
    session = asked(ruling(), sealed=False, detector=Detector(["card"], ["us_ssn"]))
    session.upstream_data(answered([MADE], text(CARD + b" and " + CARD), text(b"078-05-1120")))
    assert b"078-05-1120" in b"".join(session.to_client)
    (finished,) = (c for c in session.commands if isinstance(c, Finished))
    assert finished.outcome == Outcome(2, 37 + 1 + 12, "", {"card": 2, "us_ssn": 1})


def test_numbers_that_belong_together_stay() -> None:
    data = answered([MADE, MADE], text(b"0." + CARD, b"1" + CARD), text(CARD[:8], CARD[8:]))
    assert netted(data) == data


def test_binary_strings_are_looked_at_and_binary_numbers_are_not() -> None:
    number = int.from_bytes(CARD[:8], "little").to_bytes(8, "little")
    columns = [(b"n", 0x08, b"", b"", b""), MADE, (b"d", DATE, b"", b"", b""), MADE]
    session = started()
    assert isinstance(session, MysqlSession)
    session.look_through(Detector(["card"]))
    session.client_data(command(0x16, b"SELECT 1"))
    decided(session, Ruling(Verdict.ALLOW, "r", "", ("select",)))
    session.upstream_data(packet(1, b"\0\5\0\0\0\0\0\0\0\0\0\0"))
    session.client_data(command(0x17, (5).to_bytes(4, "little") + b"\0" + (1).to_bytes(4, "little")))
    decided(session, Ruling(Verdict.ALLOW, "r", "", ("select",)))
    data = answered(columns, binary(b"\0", number, as_lenenc_bytes(b"x" + CARD[:4]), DAY, as_lenenc_bytes(CARD)))
    session.upstream_data(data)
    assert b"".join(session.to_client) == data.replace(CARD, STARS)


@pytest.mark.parametrize("size", [MAX_HELD, MAX_PAYLOAD - 30])
def test_a_long_value_is_looked_through_as_it_comes(size: int) -> None:
    data = answered([MADE, MADE], text(b"x" * size + b" " + CARD, CARD), text(CARD, b"y"))
    session = asked(ruling(), sealed=False, detector=Detector(["card"]))
    for at in range(0, len(data), 100_003):
        session.upstream_data(data[at : at + 100_003])
    assert b"".join(session.to_client) == data.replace(CARD, STARS)


def test_errors_and_infos_are_looked_through() -> None:
    error = packet(1, b"\xff\x26\x04#23000Duplicate entry '" + CARD + b"'")
    assert netted(error) == error.replace(CARD, STARS)
    info = ok(1, info=b"Records: " + CARD)
    assert netted(info) == info.replace(CARD, STARS)
