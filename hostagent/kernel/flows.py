"""Bytes of the flow maps ↔ values: keys, flow records, refusals. No file descriptors, no decisions."""

from __future__ import annotations

import ctypes
import ipaddress
from dataclasses import dataclass

from hostagent.kernel.layout import (
    NO_LOGIN_UID,
    FlowKeyC,
    FlowRecordC,
    GovernedByCode,
    ProcessRecordC,
    Reason,
    RecordFlag,
    RefusalC,
)
from hostagent.values.flow import Endpoint, FlowKey, FlowRecord, GovernedBy, ProcessRecord

CUT = "…"  # begins a path whose front did not fit: it equals no absolute path, so no rule takes it for one

_GOVERNED_BY = {
    GovernedByCode.CALLER: GovernedBy.CALLER,
    GovernedByCode.SOCKET: GovernedBy.SOCKET,
    GovernedByCode.STICKY: GovernedBy.STICKY,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that a hook refused. `destination` is None where there was none, as for socket()."""

    at: int  # nanoseconds since boot
    reason: str
    pid: int
    uid: int
    comm: str
    cgroup_id: int
    protocol: int  # IP protocol number
    destination: Endpoint | None


def pack_address(text: str) -> bytes:
    """16 bytes in network order; IPv4 as ::ffff:a.b.c.d."""
    address = ipaddress.ip_address(text)
    return bytes(10) + b"\xff\xff" + address.packed if address.version == 4 else address.packed


def unpack_address(data: bytes) -> str:
    """Canonical text of 16 bytes; an IPv4-mapped address as IPv4."""
    address = ipaddress.IPv6Address(data)
    return str(address.ipv4_mapped or address)


def pack_key(key: FlowKey) -> bytes:
    """The key of the flow map."""
    return bytes(
        FlowKeyC(
            (ctypes.c_uint8 * 16)(*pack_address(key.source.address)),
            (ctypes.c_uint8 * 16)(*pack_address(key.destination.address)),
            key.source.port,
            key.destination.port,
        )
    )


def unpack_record(key: FlowKey, data: bytes) -> FlowRecord | None:
    """The record, or None if two live flows share the 4-tuple. ValueError on another size than the struct's."""
    raw = FlowRecordC.from_buffer_copy(data)
    flags = RecordFlag(raw.flags)
    if RecordFlag.AMBIGUOUS in flags:
        return None
    deleted = " (deleted)" if RecordFlag.EXECUTABLE_DELETED in flags else ""
    executable = _path(bytes(raw.executable)[: raw.executable_length], RecordFlag.EXECUTABLE_CUT in flags) + deleted
    return FlowRecord(
        key=key,
        process=_process(raw.process),
        gid=raw.gid,
        login_uid=None if raw.login_uid == NO_LOGIN_UID else raw.login_uid,
        executable=executable if raw.executable_length else "",
        command_line=_arguments(bytes(raw.arguments)[: raw.arguments_length]),
        parents=tuple(_process(p) for p in raw.parents[: raw.parent_count]),
        pid_in_namespace=raw.pid_in_namespace,
        session_leader_pid=raw.session_leader,
        cgroup_id=raw.cgroup_id,
        cgroup_path=_path(bytes(raw.cgroup)[: raw.cgroup_length], RecordFlag.CGROUP_CUT in flags),
        socket_cgroup_id=raw.socket_cgroup_id,
        socket_cgroup_path=_path(
            bytes(raw.socket_cgroup)[: raw.socket_cgroup_length], RecordFlag.SOCKET_CGROUP_CUT in flags
        ),
        netns_cookie=raw.netns_cookie,
        socket_cookie=raw.socket_cookie,
        governed_by=_GOVERNED_BY[GovernedByCode(raw.governed_by)],
        connected_at=raw.connected_at,
    )


def unpack_refusal(data: bytes) -> Refusal:
    """One sample of the ring of refusals."""
    raw = RefusalC.from_buffer_copy(data)
    address = bytes(raw.destination)
    return Refusal(
        at=raw.at,
        reason=Reason(raw.reason).name.lower(),
        pid=raw.pid,
        uid=raw.uid,
        comm=_text(raw.comm),
        cgroup_id=raw.cgroup_id,
        protocol=raw.protocol,
        destination=Endpoint(unpack_address(address), raw.port) if any(address) else None,
    )


def _process(raw: ProcessRecordC) -> ProcessRecord:
    return ProcessRecord(pid=raw.pid, start_time=raw.start_time, comm=_text(raw.comm), uid=raw.uid)


def _path(components: bytes, cut: bool) -> str:
    names = [_text(name) for name in components.split(b"\0")[:-1]]
    return (CUT if cut else "") + "/" + "/".join(reversed(names))


def _arguments(data: bytes) -> tuple[str, ...]:
    return tuple(_text(word) for word in data.removesuffix(b"\0").split(b"\0")) if data else ()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
