from __future__ import annotations

import ctypes
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.kernel import flows
from hostagent.kernel.layout import FlowRecordC, GovernedByCode, ProcessRecordC, RefusalC
from hostagent.values.flow import Endpoint, FlowKey, FlowRecord, GovernedBy, ProcessRecord

KEY = FlowKey(Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.5", 5432))


def record(**changes: object) -> bytes:
    raw = FlowRecordC(
        process=ProcessRecordC(7_000, 42, 1000, b"psql"),
        gid=100,
        login_uid=0xFFFFFFFF,
        governed_by=GovernedByCode.SOCKET,
        parent_count=1,
    )
    raw.parents[0] = ProcessRecordC(6_000, 41, 0, b"bash")
    for name, value in changes.items():
        if isinstance(value, bytes):
            ctypes.memmove(getattr(raw, name), value, len(value))
            setattr(raw, f"{name}_length", len(value))
        else:
            setattr(raw, name, value)
    return bytes(raw)


def read(**changes: object) -> FlowRecord:
    found = flows.unpack_record(KEY, record(**changes))
    assert found is not None
    return found


def test_a_record_is_read_whole() -> None:
    found = read(
        executable=b"psql\0bin\0usr\0",
        cgroup=b"b.service\0a.slice\0",
        socket_cgroup=b"",
        arguments=b"psql\0-c\0\0",
        pid_in_namespace=1,
        session_leader=41,
        cgroup_id=5,
        socket_cgroup_id=1,
        netns_cookie=6,
        socket_cookie=7,
        connected_at=8,
    )
    assert found == FlowRecord(
        key=KEY,
        process=ProcessRecord(42, 7_000, "psql", 1000),
        gid=100,
        login_uid=None,
        executable="/usr/bin/psql",
        command_line=("psql", "-c", ""),
        parents=(ProcessRecord(41, 6_000, "bash", 0),),
        pid_in_namespace=1,
        session_leader_pid=41,
        cgroup_id=5,
        cgroup_path="/a.slice/b.service",
        socket_cgroup_id=1,
        socket_cgroup_path="/",
        netns_cookie=6,
        socket_cookie=7,
        governed_by=GovernedBy.SOCKET,
        connected_at=8,
    )


def test_a_login_uid_of_zero_is_not_none() -> None:
    assert read(login_uid=0).login_uid == 0


def test_an_ambiguous_record_is_none() -> None:
    assert flows.unpack_record(KEY, record(flags=16)) is None


def test_what_was_cut_or_deleted_is_no_absolute_path_of_a_file() -> None:
    assert read(executable=b"x\0y\0", flags=1).executable == "/y/x (deleted)"
    assert read(executable=b"x\0y\0", flags=2).executable == "…/y/x"
    found = read(cgroup=b"x\0", socket_cgroup=b"y\0", flags=4 | 8)
    assert (found.cgroup_path, found.socket_cgroup_path) == ("…/x", "…/y")


def test_no_executable_is_empty_text() -> None:
    assert read().executable == ""


def test_bytes_that_are_not_utf_8_are_kept_visible() -> None:
    assert read(arguments=b"\xff\0").command_line == ("\\xff",)


FIXED = FlowRecordC.executable.offset  # what lies before the text buffers


@given(fixed=st.binary(min_size=FIXED, max_size=FIXED), text=st.binary(max_size=64))
def test_any_bytes_are_a_record_or_a_value_error(fixed: bytes, text: bytes) -> None:
    try:
        found = flows.unpack_record(KEY, (fixed + text).ljust(ctypes.sizeof(FlowRecordC), b"\0"))
    except ValueError:
        return
    assert found is None or found.key == KEY


@given(st.binary(max_size=ctypes.sizeof(FlowRecordC) - 1))
def test_fewer_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="too small"):
        flows.unpack_record(KEY, data)


@given(st.ip_addresses())
def test_addresses_survive(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert flows.unpack_address(flows.pack_address(str(address))) == str(mapped or address)


def test_an_ipv4_mapped_address_has_the_key_of_the_ipv4_address() -> None:
    mapped = FlowKey(Endpoint("::ffff:10.0.0.1", 40000), Endpoint("::ffff:10.0.0.5", 5432))
    assert flows.pack_key(mapped) == flows.pack_key(KEY)
    expected = bytes(10) + b"\xff\xff\x0a\0\0\1" + bytes(10) + b"\xff\xff\x0a\0\0\5" + b"\x40\x9c" + b"\x38\x15"
    assert flows.pack_key(KEY) == expected


def test_a_refusal_is_read_with_and_without_destination() -> None:
    raw = RefusalC(at=1, cgroup_id=2, reason=2, pid=3, uid=4, protocol=17, port=443, comm=b"curl")
    assert flows.unpack_refusal(bytes(raw)).destination is None
    ctypes.memmove(raw.destination, flows.pack_address("10.0.0.5"), 16)
    assert flows.unpack_refusal(bytes(raw)) == flows.Refusal(
        1, "connect_udp", 3, 4, "curl", 2, 17, Endpoint("10.0.0.5", 443)
    )
