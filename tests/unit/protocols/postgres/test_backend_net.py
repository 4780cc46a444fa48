"""A session with a net: rows, notices, errors and COPY data come out overwritten, whatever the chunks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.content.detector import Detector
from hostagent.content.patterns import NAMES
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.net import MAX_HELD
from tests.bench.bench_postgres_session import COLUMNS, DECISION, DONE, READY, ready_session
from tests.unit.protocols.postgres.test_net import CARD, SIGNATURE, SSN, STARS, columns, copy, row

DETECTOR = Detector(NAMES)
LONG = (b"x" * 1000 + b" " + CARD + b" ") * 1500


def through(answer: bytes, cuts: list[int], net: bool = True) -> bytes:
    session = ready_session()
    if net:
        session.look_through(DETECTOR)
    session.client_data(m.query(b"q"))
    session.decided(session.commands.pop().request, DECISION)  # type: ignore[union-attr]
    places = [0, *sorted(min(c, len(answer)) for c in cuts), len(answer)]
    for a, b in pairwise(places):
        if b > a:
            session.upstream_data(answer[a:b])
    return b"".join(bytes(piece) for piece in session.to_client)


ANSWER = (
    COLUMNS + row(b"1", CARD) + m.message(m.NOTICE, b"SNOTICE\0M" + CARD + b"\0\0") + row(b"2", SSN) + row(b"3")
    + m.message(m.NOTIFICATION, b"\0\0\0\1ch\0" + CARD + b"\0") + row(b"4", CARD) + DONE + READY
)  # fmt: skip
COPIED = (
    m.message(m.COPY_OUT, b"\1\0\1\0\1") + copy(SIGNATURE + columns(SSN)) + copy(columns(CARD)) + copy(b"\xff\xff")
    + m.message(m.COPY_DONE, b"") + DONE + READY
)  # fmt: skip
FAILED = COLUMNS + row(CARD) + m.message(m.ERROR, b"SERROR\0C22P02\0M" + CARD + b"\0\0") + READY
BULK = (
    COLUMNS + row(b"a", CARD) + row(b"b", LONG) + row(CARD) + m.message(m.NOTICE, b"SNOTICE\0M" + LONG + b"\0\0")
    + DONE + READY
)  # fmt: skip
ANSWERS = {"rows": ANSWER, "copy": COPIED, "error": FAILED, "bulk": BULK}


def expected(answer: bytes) -> bytes:
    return answer.replace(CARD, STARS).replace(SSN, b"*" * 11)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_whole(answer: bytes) -> None:
    assert through(answer, []) == expected(answer)
    assert through(answer, [], net=False) == answer


@pytest.mark.parametrize("answer", [ANSWER, COPIED, FAILED])
def test_every_cut(answer: bytes) -> None:
    for at in range(len(answer)):
        assert through(answer, [at]) == expected(answer)
    assert through(answer, list(range(len(answer)))) == expected(answer)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(BULK)), max_size=12))
def test_bulk_in_pieces(cuts: list[int]) -> None:
    assert len(LONG) > MAX_HELD
    assert through(BULK, cuts) == expected(BULK)
    assert through(BULK, list(range(0, len(BULK), 65_536))) == expected(BULK)
