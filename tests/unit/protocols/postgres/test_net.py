"""The net: values overwritten within the framing of messages, whole, in slices and in pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.content.detector import Detector
from hostagent.content.patterns import NAMES
from hostagent.errors import PeerError
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.net import Net
from tests.unit.content.samples import MATCHES

CARD = b"4111111111111111"
SSN = b"123-45-6789"
DETECTOR = Detector(NAMES)
STARS = b"*" * 16
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(4) + b"\0\0\0\5" + b"ext.."


def columns(*values: bytes | None) -> bytes:
    body = len(values).to_bytes(2, "big")
    for value in values:
        body += b"\xff" * 4 if value is None else len(value).to_bytes(4, "big") + value
    return body


def row(*values: bytes | None) -> bytes:
    return m.message(m.DATA_ROW, columns(*values))


def copy(body: bytes) -> bytes:
    return m.message(m.COPY_DATA, body)


def net() -> Net:
    return Net(DETECTOR)


def passed(data: bytes, used: Net | None = None) -> bytes:
    replaced = (used or net()).rows(data, 0, len(data))
    return data if replaced is None else replaced


def test_a_slice_without_matches_is_not_replaced() -> None:
    data = row(b"1", None, b"plain", b"") + copy(b"a\tb\n") + row()
    assert net().rows(data, 0, len(data)) is None


def test_values_are_overwritten_and_all_else_stays() -> None:
    used = net()
    data = row(b"1", CARD, None, b"x " + SSN) + row(b"2") + copy(b"3\t" + CARD + b"\n") + row(CARD)
    assert used.rows(data, 0, len(data)) == (
        row(b"1", STARS, None, b"x " + b"*" * 11) + row(b"2") + copy(b"3\t" + STARS + b"\n") + row(STARS)
    )
    assert used.taken() == {"card": 3, "us_ssn": 1}
    assert used.taken() == {}


def test_what_copy_escapes_is_no_part_of_a_word() -> None:
    assert passed(copy(b"1\tcards:\\n" + CARD + b"\\n\n")) == copy(b"1\tcards:\\n" + STARS + b"\\n\n")


def test_only_the_slice_is_looked_at() -> None:
    one, two, three = row(CARD), row(b"x", CARD), row(SSN)
    data = one + two + three
    assert net().rows(data, len(one), len(one + two)) == row(b"x", STARS)
    assert net().rows(data, len(one), len(one)) is None
    middle = one + row(b"x") + three
    assert net().rows(middle, len(one), len(middle) - len(three)) is None


def test_a_match_does_not_reach_over_a_length_field() -> None:
    data = row(b"4111111111", b"111111") + row(b"4111 1111 1111", b" 1111")
    assert net().rows(data, 0, len(data)) is None


@pytest.mark.parametrize("length", [*range(43, 60), 0x130, 0x139, 0x12E, 0x3039, 0x10030, 0x3030])
@pytest.mark.parametrize("match", [CARD, b"4111 1111 1111 1111", MATCHES["fr_nir"][0], MATCHES["cn_resident_id"][0]])
@pytest.mark.parametrize("make", [row, copy])
def test_a_length_field_that_looks_like_a_digit_hides_nothing(length: int, match: bytes, make: object) -> None:
    head = match + b"x".rjust(length - len(match))
    for value in (head, b"x".ljust(length - len(match)) + match):
        data = make(value)  # type: ignore[operator]
        assert passed(data) == data.replace(match, b"*" * len(match))
        assert passed(data + row(b"0")) == data.replace(match, b"*" * len(match)) + row(b"0")


def test_the_next_message_hides_nothing() -> None:
    for name, values in MATCHES.items():
        used = net()
        data = row(values[0]) + copy(values[0]) + row(values[0], values[0])
        assert passed(data, used) == b"".join(
            [row(b"*" * len(values[0])), copy(b"*" * len(values[0])), row(*[b"*" * len(values[0])] * 2)]
        )
        assert used.taken()[name] == 4


def test_binary_copy_is_taken_apart() -> None:
    value = SSN + b" " * 0x2D  # 56 bytes: its length field ends with an 8
    rows = columns(value, None, CARD) + columns(b"") + b"\xff\xff"
    used = net()
    used.copy_out(b"\1\0\0")
    assert passed(copy(SIGNATURE + rows) + copy(b"\xff\xff"), used) == (
        copy(SIGNATURE + rows.replace(SSN, b"*" * 11).replace(CARD, STARS)) + copy(b"\xff\xff")
    )
    used.copy_out(b"\0\0\0")
    assert passed(copy(CARD + b"\n"), used) == copy(STARS + b"\n")


@pytest.mark.parametrize("kind", [m.ERROR, m.NOTICE])
def test_errors_and_notices(kind: int) -> None:
    body = b"SERROR\0C22P02\0M" + CARD + b" is bad\0D4111111111111111\0\0"
    assert net().message(kind, body) == b"SERROR\0C22P02\0M" + STARS + b" is bad\0D" + STARS + b"\0\0"
    assert net().message(kind, b"SERROR\0MAll well\0\0") is None


def test_notifications() -> None:
    pid = b"\0\0\x34\x31"
    assert net().message(m.NOTIFICATION, pid + b"cards\0" + CARD + b"\0") == pid + b"cards\0" + STARS + b"\0"
    assert net().message(m.NOTIFICATION, pid + CARD + b"\0\0") == pid + STARS + b"\0\0"


def test_other_messages_are_not_taken() -> None:
    with pytest.raises(ValueError, match="no values"):
        net().message(m.READY, b"I")


def test_observed_rows_pass() -> None:
    used = Net(Detector([], ["card"]))
    data = row(CARD)
    assert used.rows(data, 0, len(data)) is None
    assert used.taken() == {"card": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\1" + b"\0\0\0\x11" + CARD,
        b"\0\1" + b"\0\0\0\x0f" + CARD,
        b"\0\2" + b"\0\0\0\x10" + CARD,
        b"\0\1" + b"\0\0\0\x10" + CARD + b"\0",
        b"\0\1" + b"\xff\xff\xff\xfe" + CARD,
        b"\xff\xff" + b"\0\0\0\x10" + CARD,
        b"\0\1\0\0",
    ],
)
def test_a_row_that_is_not_what_its_length_says(body: bytes) -> None:
    with pytest.raises(PeerError):
        net().message(m.DATA_ROW, body)


parts = st.one_of(
    st.binary(max_size=20),
    st.text("0123456789 -.", max_size=60).map(str.encode),
    st.sampled_from([CARD, SSN, *(values[0] for values in MATCHES.values())]),
    st.sampled_from([b"x" * 30, b"eyJ" + b"a" * 890, b" ", b"-----BEGIN PRIVATE KEY-----"]),
)
texts = st.lists(parts, max_size=4).map(b"".join)
bodies = st.one_of(
    st.lists(st.none() | texts, max_size=5).map(lambda values: (m.DATA_ROW, columns(*values), False)),
    texts.map(lambda text: (m.COPY_DATA, text, False)),
    st.lists(st.lists(st.none() | texts, min_size=1, max_size=3), max_size=3).map(
        lambda rows: (m.COPY_DATA, SIGNATURE + b"".join(columns(*values) for values in rows) + b"\xff\xff", True)
    ),
    st.lists(texts.map(lambda t: b"M" + t.replace(b"\0", b"")), max_size=3).map(
        lambda fields: (m.NOTICE, b"\0".join([*fields, b"\0"]), False)
    ),
    texts.map(lambda text: (m.NOTIFICATION, b"\0\0\1\x31ch\0" + text.replace(b"\0", b"") + b"\0", False)),
)


@settings(max_examples=300, deadline=None)
@given(bodies, st.lists(st.integers(0, 2000), max_size=6))
def test_pieces_come_out_as_the_whole(message: tuple[int, bytes, bool], cuts: list[int]) -> None:
    kind, body, binary = message
    whole, split = net(), net()
    whole.binary_copy = split.binary_copy = binary
    expected = whole.message(kind, body) or body
    stream = split.stream(kind, len(body) + 4)
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    assert b"".join(stream.feed(body[a:b]) for a, b in pairwise(places)) == expected
    assert stream.left == 0
    assert split.counts == whole.counts


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.none() | texts, max_size=4) | texts, max_size=6))
def test_slices_are_overwritten_value_by_value(rows: list[list[bytes | None] | bytes]) -> None:
    data = expected = b""
    for values in rows:
        if isinstance(values, bytes):
            data += copy(values)
            expected += copy(DETECTOR.redact(values)[0])
        else:
            data += row(*values)
            expected += row(*(None if v is None else DETECTOR.redact(v)[0] for v in values))
    assert passed(data) == expected
    padded = row(b"7" * 20) + data + row(b"7" * 20)
    start = len(padded) - len(data) >> 1
    assert (net().rows(padded, start, start + len(data)) or data) == expected


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4), st.booleans())
def test_any_bytes_come_out_or_are_refused(body: bytes, cuts: list[int], binary: bool) -> None:
    for kind in (m.DATA_ROW, m.COPY_DATA, m.ERROR, m.NOTIFICATION):
        used = net()
        used.binary_copy = binary
        stream = used.stream(kind, len(body) + 4)
        places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
        try:
            out = b"".join(stream.feed(body[a:b]) for a, b in pairwise(places))
        except PeerError:
            continue
        assert len(out) == len(body)


def test_a_long_value_streams_with_a_bounded_lag() -> None:
    value = (b"x" * 4000 + b" " + CARD + b" ") * 600
    body = columns(value)
    stream = net().stream(m.DATA_ROW, len(body) + 4)
    out = b""
    for at in range(0, len(body), 65_000):
        out += stream.feed(body[at : at + 65_000])
        assert min(at + 65_000, len(body)) - len(out) <= DETECTOR.reach
    assert out == body.replace(CARD, STARS)
