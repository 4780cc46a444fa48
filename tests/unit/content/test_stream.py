"""StreamNet: what is found does not depend on where a stream is cut, prompts are shown, sequences hide nothing."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostagent.content.detector import Detector
from hostagent.content.openings import OPENINGS
from hostagent.content.patterns import NAMES, PATTERNS
from hostagent.content.stream import MAX_INSIDE, StreamNet, _openings

ALL = Detector(NAMES)
CARD = b"4111111111111111"
VALUES = (
    CARD,
    b"4111 1111 1111 1111",
    b"5500-0000-0000-0004",
    b"DE89 3704 0044 0532 0130 00",
    b"DE89370400440532013000",
    b"123-45-6789",
    b"529.982.247-25",
    b"RSSMRA85T10A562S",
    b"11010519491231002X",
    b"-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----",
    b"AKIAIOSFODNN7EXAMPLE",
    b"ghp_" + b"a1B2" * 9,
    b"xoxb-123456789012-abc",
    b"sk_live_" + b"4eC39HqLyjWDarjt",
    b"AIza" + b"Sy0-_" * 7,
    b"eyJhbGciOiJI.eyJzdWIi.c2ln",
    b"Authorization: Bearer abcdef0123456789abcdef",
)
SEQUENCES = (
    b"\x1b[0m",
    b"\x1b[01;31m\x1b[K",
    b"\x1b]0;title\x07",
    b"\x1b(B",
    b"\x1b",
    b"\x1b[",
    b"\x1b[?2004h",
    b"\x1b7",
)
BETWEEN = (
    b" ",
    b"\n",
    b"\r\n",
    b"\\n",
    b"\\",
    b".",
    b"-",
    b"x",
    b"4",
    b"user@host:~$ ",
    b'"',
    b"total 42\n",
    b"e",
    b"0.",
)
pieces = st.lists(st.sampled_from(VALUES + SEQUENCES + BETWEEN) | st.binary(max_size=4), max_size=9)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A stream with values, some of which have a sequence inside."""
    stream = b""
    for piece in draw(pieces):
        if piece in VALUES and draw(st.booleans()):
            at = draw(st.integers(0, len(piece)))
            piece = piece[:at] + draw(st.sampled_from(SEQUENCES)) + piece[at:]
        stream += piece
    return stream


def whole(data: bytes, detector: Detector = ALL) -> tuple[bytes, dict[str, int]]:
    return in_pieces(data, [], detector)


def in_pieces(data: bytes, cuts: list[int], detector: Detector = ALL) -> tuple[bytes, dict[str, int]]:
    net = StreamNet(detector)
    out = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, stop in pairwise(places):
        out.append(net.feed(data[start:stop]))
    out.append(net.finish())
    return b"".join(out), net.taken()


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_found_at_every_cut_and_in_single_bytes(value: bytes) -> None:
    data = b"before " + value + b" \r\n$ "
    expected, counts = whole(data)
    assert len(expected) == len(data) and b"*" * 8 in expected and sum(counts.values()) == 1
    for cut in range(len(data) + 1):
        assert in_pieces(data, [cut]) == (expected, counts)
    assert in_pieces(data, list(range(len(data)))) == (expected, counts)


@given(broken(), st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=150, deadline=None)
@example(b"4111\x1b[01;31m111111111111", [5])
@example(b"\\n" + CARD, [1, 2, 3])
def test_what_comes_out_does_not_depend_on_the_cuts(data: bytes, cuts: list[int]) -> None:
    expected = whole(data)
    assert len(expected[0]) == len(data)
    assert in_pieces(data, cuts) == expected
    assert in_pieces(data, list(range(len(data)))) == expected


@given(st.lists(st.sampled_from(VALUES + BETWEEN), max_size=9).map(b"".join))
@settings(max_examples=100, deadline=None)
def test_without_sequences_it_is_what_a_look_at_one_value_gives(data: bytes) -> None:
    assert whole(data)[0] == ALL.redact(data)[0]


@pytest.mark.parametrize(
    "data",
    [
        b"ci@web1:~$ ",
        b"Password: ",
        b"root@db:/srv/shop# ",
        b">>> ",
        b"\x1b[01;32mci@web1\x1b[00m:\x1b[01;34m~\x1b[00m$ ",
        b"OK.\r\n",
    ],
)
def test_a_prompt_is_shown_at_once(data: bytes) -> None:
    net = StreamNet(ALL)
    assert net.feed(data) == data and net.held == 0


def test_only_what_may_be_the_beginning_of_a_value_is_held() -> None:
    net = StreamNet(Detector(["card"]))
    assert net.feed(b"number 4111") == b"number " and net.held == 4
    assert net.feed(b" apples\n") == b"4111 apples\n" and net.held == 0


def test_flush_gives_what_is_held_and_the_rest_of_the_value_is_starred() -> None:
    net = StreamNet(ALL)
    assert net.feed(b"$ 41111111") == b"$ " and net.held == 8
    assert net.flush() == b"41111111" and net.held == 0 and net.flush() == b""
    assert net.feed(b"11111111\r\n") == b"********\r\n"
    assert net.feed(b"$ 41111111") == b"$ "
    assert net.flush() + net.feed(b" is no card\r\n") == b"41111111 is no card\r\n"
    assert net.taken() == {"card": 1}


def test_flush_with_sequences_loses_nothing_and_keeps_one_that_is_not_whole() -> None:
    net = StreamNet(ALL)
    data = b"\x1b[1m4111\x1b[0m1111\x1b[3"
    assert net.feed(data) + net.flush() == data[:-3] and net.held == 0
    assert net.feed(b"1m11111111\n") + net.finish() == b"\x1b[31m********\n"


@pytest.mark.parametrize("sequence", [s for s in SEQUENCES if len(s) > 2 and b"]" not in s])
def test_a_sequence_beside_or_inside_a_value_does_not_hide_it(sequence: bytes) -> None:
    for at in range(len(CARD) + 1):
        data = b"x: " + sequence + CARD[:at] + sequence + CARD[at:] + sequence + b"\n"
        out, counts = whole(data)
        assert out == b"x: " + sequence + b"*" * at + sequence + b"*" * (16 - at) + sequence + b"\n"
        assert counts == {"card": 1}
    assert whole(b"x" + sequence + CARD + sequence + b"y")[0] == b"x" + sequence + b"*" * 16 + sequence + b"y"


def test_a_value_in_a_title_is_found() -> None:
    assert whole(b"\x1b]0;" + CARD + b"\x07")[0] == b"\x1b]0;" + b"*" * 16 + b"\x07"


def test_what_is_only_observed_is_counted_and_passes() -> None:
    assert whole(CARD + b"\n", Detector([], ["card"])) == (CARD + b"\n", {"card": 1})


def test_memory_is_bounded_whatever_comes() -> None:
    for data in (b"4", b"\x1b[m", b"4\x1b[m", b"eyJa", b"\x1b[1;", b"\\", b"A1 "):
        net = StreamNet(ALL)
        given = 0
        for _ in range(3000):
            given += len(net.feed(data))
        assert len(data) * 3000 - given <= ALL.reach + 2 * MAX_INSIDE
        assert given + len(net.finish()) == len(data) * 3000


def test_every_pattern_has_its_opening() -> None:
    assert set(OPENINGS) == set(NAMES)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_every_beginning_of_a_match_is_an_opening(pattern: object) -> None:
    detector = Detector([pattern.name])  # type: ignore[attr-defined]
    opening = _openings(detector)
    exact = pattern.exact.replace(rb"\b", b"")  # type: ignore[attr-defined]

    @given(st.from_regex(re.compile(exact), fullmatch=True))
    @settings(max_examples=60, deadline=None, derandomize=True)
    def beginnings(value: bytes) -> None:
        for size in range(1, len(value) + 1):
            found = opening.search(b" " + value[:size])
            assert found is not None and found.start() <= 1, value[:size]

    beginnings()
