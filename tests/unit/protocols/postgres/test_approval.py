"""What a held PostgreSQL statement shows: its bound values exactly, a notice, and the last word."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.approvals.values import CANCELLED, Bound
from hostagent.errors import PeerError
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.approval import bind_values, not_approved, notice
from hostagent.values.decision import Decision, Ruling, Verdict


def bind(values: list[bytes | None], formats: list[int], results: list[int] | None = None) -> bytes:
    """The body of a Bind message."""
    body = b"portal\0statement\0" + struct.pack(f">H{len(formats)}H", len(formats), *formats)
    body += struct.pack(">H", len(values))
    for value in values:
        body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
    results = results or []
    return body + struct.pack(f">H{len(results)}H", len(results), *results)


@pytest.mark.parametrize(
    ("values", "formats", "codec", "shown"),
    [
        ([], [], "utf-8", ()),
        ([b"7", None, b""], [], "utf-8", (Bound("text", "7"), Bound("null"), Bound("text", ""))),
        ([b"7", b"\xc3\xbc"], [0], "utf-8", (Bound("text", "7"), Bound("text", "ü"))),
        ([b"\xfc"], [0], "latin-1", (Bound("text", "ü"),)),
        ([b"\xfc"], [0], "utf-8", (Bound("hex", "fc"),)),
        ([b"\0\0\0\x2a", b"x"], [1], "utf-8", (Bound("hex", "0000002a"), Bound("hex", "78"))),
        ([b"7", b"\x01", None], [0, 1, 1], "utf-8", (Bound("text", "7"), Bound("hex", "01"), Bound("null"))),
    ],
)
def test_values_are_shown_exactly(
    values: list[bytes | None], formats: list[int], codec: str, shown: tuple[Bound, ...]
) -> None:
    assert bind_values(bind(values, formats), codec) == shown
    assert bind_values(bind(values, formats, [1, 0]), codec) == shown


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"portal",
        b"portal\0statement",
        b"portal\0statement\0",
        bind([b"7"], [0])[:-1],
        bind([b"7"], [0]) + b"x",
        bind([b"7"], [2]),
        bind([b"7", b"8", b"9"], [0, 1]),
        bind([b"7"], []).replace(b"\0\0\0\x017", b"\xff\xff\xff\xfe7"),
        bind([b"7"], []).replace(b"\0\0\0\x017", b"\x7f\xff\xff\xff7"),
    ],
)
def test_what_cannot_be_read_is_the_peers_error(body: bytes) -> None:
    with pytest.raises(PeerError):
        bind_values(body, "utf-8")


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(body: bytes) -> None:
    try:
        bind_values(b"\0\0" + body, "utf-8")
    except PeerError:
        pass


@given(st.lists(st.none() | st.binary(max_size=20), max_size=10), st.sampled_from([[], [0], [1]]))
def test_nothing_of_a_value_is_lost(values: list[bytes | None], formats: list[int]) -> None:
    def back(bound: Bound) -> bytes | None:
        return {"null": None, "hex": None if bound.form != "hex" else bytes.fromhex(bound.value)}.get(
            bound.form, bound.value.encode()
        )

    assert [back(bound) for bound in bind_values(bind(values, formats), "utf-8")] == values


def test_the_notice_names_the_decision_and_how_long() -> None:
    whole = notice("f-1.1", 300, 2)
    kind, length = messages.HEADER.unpack_from(whole)
    assert (kind, length) == (messages.NOTICE, len(whole) - 1)
    fields = messages.error_fields(whole[messages.HEADER_SIZE :])
    assert (fields["S"], fields["V"], fields["C"]) == ("NOTICE", "NOTICE", "00000")
    assert fields["M"] == "this statement waits for 2 humans to approve it: decision f-1.1, for at most 300 s"
    assert "hostagent approvals show f-1.1" in fields["H"]
    assert "waits for a human" in messages.error_fields(notice("f-1.1", 300, 1)[5:])["M"]


def test_a_cancelled_statement_reads_as_the_server_says_it() -> None:
    cancelled = not_approved(Decision("f-1.1", Ruling(Verdict.DENY, "writes", CANCELLED)))
    assert (cancelled.sqlstate, cancelled.text) == ("57014", "canceling statement due to user request")
    denied = not_approved(Decision("f-1.1", Ruling(Verdict.DENY, "writes", "denied by bob (uid 1): no")))
    assert (denied.sqlstate, denied.text) == ("42501", "denied by policy: denied by bob (uid 1): no (rule writes)")
