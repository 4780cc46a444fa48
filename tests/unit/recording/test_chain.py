"""The chain: lines follow each other, and the bytes of a line fix its hash."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from hostagent.recording.chain import GENESIS, Head, extend, read_link, tells_of_torn, torn_event

json_objects = st.dictionaries(st.text(), st.text() | st.integers(), min_size=1).map(
    lambda value: json.dumps(value).encode()
)


@given(st.lists(json_objects, min_size=1, max_size=5))
def test_lines_follow_each_other_and_stay_json(events: list[bytes]) -> None:
    lines, head = extend(Head(), b"worker0", events)
    at = Head()
    for line, event in zip(lines, events, strict=True):
        link = read_link(line[:-1])
        assert link is not None and link.sound and link.follows(at) and link.writer == "worker0"
        value = json.loads(line)
        chain = value.pop("chain")
        assert chain["seq"] == link.seq and value == {k: v for k, v in json.loads(event).items() if k != "chain"}
        at = Head(link.seq, link.hash)
    assert at == head


def test_the_hash_is_that_of_the_documented_bytes() -> None:
    (line,), _ = extend(Head(), b"host", [b'{"a":1}'])
    body = b'{"a":1,"chain":{"writer":"host","seq":1,"prev":"' + GENESIS.encode() + b'"'
    assert line == body + b',"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'"}}\n'


@given(json_objects, st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_seen(event: bytes, place: int, change: int) -> None:
    (line,), _ = extend(Head(), b"worker0", [event])
    damaged = bytearray(line[:-1])
    damaged[place % len(damaged)] ^= change
    link = read_link(bytes(damaged))
    assert link is None or not link.sound


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read(data: bytes) -> None:
    link = read_link(data)
    assert link is None or not link.sound


def test_a_torn_record_names_its_bytes_and_no_others() -> None:
    assert tells_of_torn(torn_event(b'{"half'), b'{"half')
    assert not tells_of_torn(torn_event(b'{"half'), b'{"hal')
