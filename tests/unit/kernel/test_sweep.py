"""Decoding of what socket diagnostics answer."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.kernel.sweep import parse_message

FIXED = struct.Struct("=BBBB48sIIIII")


def message(inode: int, attributes: bytes = b"") -> bytes:
    return FIXED.pack(2, 1, 0, 0, bytes(range(48)), 0, 0, 0, 0, inode) + attributes


def test_the_cgroup_is_found_behind_other_attributes() -> None:
    attributes = struct.pack("=HHBxxx", 5, 8, 7) + struct.pack("=HHQ", 12, 21, 4711)
    found = parse_message(message(99, attributes))
    assert (found.family, found.inode, found.cgroup, found.identity) == (2, 99, 4711, bytes(range(48)))
    assert parse_message(message(99)).cgroup == 0


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused_as_too_short(data: bytes) -> None:
    try:
        parse_message(data)
    except struct.error:
        assert len(data) < FIXED.size or struct.pack("=H", 21) in data


@given(st.binary(max_size=64))
def test_any_attributes_end(attributes: bytes) -> None:
    try:
        assert parse_message(message(1, attributes)).inode == 1
    except struct.error:
        with pytest.raises(struct.error):
            parse_message(message(1, attributes))
