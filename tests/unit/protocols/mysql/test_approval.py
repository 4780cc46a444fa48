from __future__ import annotations

import struct

import pytest

from hostagent.approvals.values import CANCELLED, Bound
from hostagent.errors import PeerError
from hostagent.protocols.base import AskHuman, Decide
from hostagent.protocols.mysql.approval import bound_values
from hostagent.protocols.mysql.config import Limits
from hostagent.protocols.mysql.packets import as_lenenc_bytes, packet
from hostagent.protocols.mysql.settings import Settings
from hostagent.protocols.mysql.statements import Statement
from hostagent.values.decision import Decision, Ruling, Verdict
from tests.unit.protocols.mysql.wire import column, command, started

HEAD = bytes(4) + b"\0" + (1).to_bytes(4, "little")
APPROVE = Ruling(Verdict.APPROVE, "r", "", approval="r")

VALUES = [
    (0x01, b"\xff", "-1"), (0x8001, b"\xff", "255"), (0x02, b"\x00\x80", "-32768"), (0x03, b"\x07\0\0\0", "7"),
    (0x8008, b"\xff" * 8, str(2**64 - 1)), (0x05, struct.pack("<d", 1.5), "1.5"),
    (0x04, struct.pack("<f", 0.25), "0.25"),
    (0x0A, b"\x04\xea\x07\x0b\x15", "2026-11-21"), (0x0C, b"\x07\xea\x07\x0b\x15\x0c\x01\x02", "2026-11-21 12:01:02"),
    (0x0C, b"\0", "0000-00-00"), (0x07, b"\x0b\xea\x07\x0b\x15\x0c\x01\x02\x01\0\0\0", "2026-11-21 12:01:02.000001"),
    (0x0B, b"\x08\x01\x01\0\0\0\x02\x03\x04", "-26:03:04"), (0xFD, as_lenenc_bytes("grüße".encode()), "grüße"),
]  # fmt: skip


def values_of(*parameters: tuple[int, bytes], count: int | None = None) -> tuple[Bound, ...]:
    statement = Statement("SELECT ?", Settings())
    statement.parameters = len(parameters) if count is None else count
    types = b"".join(kind.to_bytes(2, "little") for kind, _ in parameters)
    nulls = bytes((statement.parameters + 7) // 8)
    return bound_values(HEAD + nulls + b"\x01" + types + b"".join(raw for _, raw in parameters), statement, "utf-8")


@pytest.mark.parametrize(("kind", "raw", "shown"), VALUES)
def test_a_value_is_shown_as_it_is(kind: int, raw: bytes, shown: str) -> None:
    assert values_of((kind, raw)) == (Bound("text", shown),)


def test_bytes_that_are_no_text_are_shown_as_hex() -> None:
    assert values_of((0xFC, as_lenenc_bytes(b"\xff\x00"))) == (Bound("hex", "ff00"),)


def test_types_are_told_once() -> None:
    statement = Statement("SELECT ?, ?", Settings())
    statement.parameters = 2
    first = HEAD + b"\0\x01" + b"\x01\0\x01\0" + b"\x01\x02"
    assert bound_values(first, statement, "utf-8") == (Bound("text", "1"), Bound("text", "2"))
    again = HEAD + b"\x01\0" + b"\x03"
    assert bound_values(again, statement, "utf-8") == (Bound("null"), Bound("text", "3"))


@pytest.mark.parametrize("body", [HEAD, HEAD + b"\0\0", HEAD + b"\0\x01\x03\0\x01", HEAD + b"\0\x01\x01\0\x01\x02"])
def test_what_cannot_be_read_is_an_error(body: bytes) -> None:
    statement = Statement("SELECT ?", Settings())
    statement.parameters = 1
    with pytest.raises(PeerError):
        bound_values(body, statement, "utf-8")


def test_a_text_is_held_and_cancelled() -> None:
    session = started()
    session.client_data(command(3, b"DELETE FROM t"))
    (asked,) = session.commands
    assert isinstance(asked, Decide)
    session.commands.clear()
    session.hold(asked.request, Decision("d1", APPROVE))
    assert session.commands == [AskHuman(asked.request, Decision("d1", APPROVE), (), exact=True)]
    assert session.client_held
    session.notify(Decision("d1", APPROVE), 60, 1)
    session.decided(asked.request, Decision("d1", Ruling(Verdict.DENY, "", CANCELLED)))
    told = b"".join(session.to_client)
    assert told[5:7] == (1317).to_bytes(2, "little")
    assert told[7:13] == b"#70100"
    assert not session.to_upstream


@pytest.mark.parametrize(
    ("long_data", "held", "shown"), [(False, 1 << 18, True), (True, 1 << 18, False), (False, 8, False)]
)
def test_values_are_gathered_before_a_human_is_asked(long_data: bool, held: int, shown: bool) -> None:
    session = started(limits=Limits(held=held))
    session.client_data(command(0x16, b"DELETE FROM t WHERE id = ?"))
    session.decided(session.commands.pop().request, Decision("d1", Ruling(Verdict.ALLOW, "r", "")))  # type: ignore[union-attr]
    prepared = packet(1, b"\0" + (5).to_bytes(4, "little") + b"\0\0\x01\0\0\0\0") + column(2)
    session.upstream_data(prepared)
    number = (5).to_bytes(4, "little")
    if long_data:
        session.client_data(command(0x18, number + b"\0\0" + b"x"))
    whole = command(0x17, number + b"\0" + (1).to_bytes(4, "little") + b"\0\x01\x08\0" + (7).to_bytes(8, "little"))
    session.client_data(whole[:20])
    (asked,) = session.commands
    assert isinstance(asked, Decide)
    session.commands.clear()
    session.hold(asked.request, Decision("d2", APPROVE))
    if shown:
        assert session.commands == []
        assert not session.client_held
        session.client_data(whole[20:])
    values = (Bound("text", "7"),) if shown else None
    assert session.commands == [AskHuman(asked.request, Decision("d2", APPROVE), values, exact=True)]
