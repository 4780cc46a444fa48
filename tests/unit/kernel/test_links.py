"""Decoding of links."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from hostagent.kernel.links import Link, parse_link

HEADER = struct.pack("=BxHiII", 0, 1, 7, 1, 0)


def attribute(kind: int, value: bytes) -> bytes:
    return (struct.pack("=HH", 4 + len(value), kind) + value).ljust((len(value) + 7) & ~3, b"\0")


def test_a_veth_names_its_other_end() -> None:
    data = HEADER + attribute(3, b"eth0\0") + attribute(5, struct.pack("=i", 3)) + attribute(37, struct.pack("=i", 1))
    assert parse_link(data) == Link(7, "eth0", up=True, peer=3, peer_nsid=1)
    assert parse_link(HEADER + attribute(3, b"eth0\0")) == Link(7, "eth0", up=True, peer=None, peer_nsid=None)


@given(st.binary(max_size=64))
def test_any_attributes_end(attributes: bytes) -> None:
    try:
        assert parse_link(HEADER + attributes).index == 7
    except struct.error:
        assert attributes
