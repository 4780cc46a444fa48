"""bpf/hostagent.h once more, for user land: every struct as `ctypes.Structure`, every enum as `IntEnum`.

`EXPECTED` says which key and value size each map must have; the loader compares them with the object files before it
attaches anything, so that a stale object is an error and never a silently wrong record.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_uint8, c_uint16, c_uint32, c_uint64
from enum import IntEnum, IntFlag, auto

MAX_PARENTS = 8
MAX_PATTERNS = 128
NAME_BYTES = 256
EXECUTABLE_BYTES = 1024
CGROUP_BYTES = 512
ARGUMENT_BYTES = 1024
PATTERN_BYTES = 248
NO_LOGIN_UID = 0xFFFFFFFF


class Verdict(IntEnum):
    """What an entry of `governed` says about a cgroup and what lies below it."""

    GOVERN = 1
    EXEMPT = 2


class GovernedByCode(IntEnum):
    """`flow_record.governed_by`."""

    CALLER = 1
    SOCKET = 2
    STICKY = 3


class Reason(IntEnum):
    """Index into `counters`; all but the first count something refused, dropped, lost or incomplete."""

    FLOW_RECORDED = 0
    CONNECT_PROTOCOL = auto()
    CONNECT_UDP = auto()
    CONNECT_NETNS = auto()
    CONNECT_RECORD = auto()
    CONNECT_MARK = auto()
    CREATE_PROTOCOL = auto()
    BIND_PROXY_PORT = auto()
    SOCKET_OPTION = auto()
    PUBLISH_FAILED = auto()
    PUBLISH_AMBIGUOUS = auto()
    EGRESS_NETNS = auto()
    EGRESS_UNRECORDED = auto()
    EGRESS_DEVICE = auto()
    EGRESS_MARK = auto()
    EGRESS_UDP = auto()
    EGRESS_PROTOCOL = auto()
    STICKY_FULL = auto()
    GOVERNED_FULL = auto()
    CGROUP_TOO_DEEP = auto()
    PATTERN_TOO_LONG = auto()
    ARGUMENTS_UNREAD = auto()
    REFUSAL_LOST = auto()


class RecordFlag(IntFlag):
    """`flow_record.flags`."""

    EXECUTABLE_DELETED = 1
    EXECUTABLE_CUT = 2
    CGROUP_CUT = 4
    SOCKET_CGROUP_CUT = 8
    AMBIGUOUS = 16


class ProcessRecordC(ctypes.Structure):
    """struct process_record"""

    _fields_ = (("start_time", c_uint64), ("pid", c_uint32), ("uid", c_uint32), ("comm", c_char * 16))


class FlowKeyC(ctypes.Structure):
    """struct flow_key"""

    _fields_ = (
        ("source", c_uint8 * 16),
        ("destination", c_uint8 * 16),
        ("source_port", c_uint16),
        ("destination_port", c_uint16),
    )


class FlowRecordC(ctypes.Structure):
    """struct flow_record"""

    _fields_ = (
        ("process", ProcessRecordC),
        ("parents", ProcessRecordC * MAX_PARENTS),
        ("connected_at", c_uint64),
        ("cgroup_id", c_uint64),
        ("socket_cgroup_id", c_uint64),
        ("netns_cookie", c_uint64),
        ("socket_cookie", c_uint64),
        ("gid", c_uint32),
        ("login_uid", c_uint32),
        ("pid_in_namespace", c_uint32),
        ("session_leader", c_uint32),
        ("governed_by", c_uint32),
        ("flags", c_uint32),
        ("parent_count", c_uint32),
        ("executable_length", c_uint32),
        ("cgroup_length", c_uint32),
        ("socket_cgroup_length", c_uint32),
        ("arguments_length", c_uint32),
        ("reserved", c_uint32),
        ("executable", c_uint8 * (EXECUTABLE_BYTES + NAME_BYTES)),
        ("cgroup", c_uint8 * (CGROUP_BYTES + NAME_BYTES)),
        ("socket_cgroup", c_uint8 * (CGROUP_BYTES + NAME_BYTES)),
        ("arguments", c_uint8 * ARGUMENT_BYTES),
    )


class BystanderC(ctypes.Structure):
    """struct bystander"""

    _fields_ = (("netns_cookie", c_uint64), ("cgroup_id", c_uint64), ("connected_at", c_uint64))


class SocketStateC(ctypes.Structure):
    """struct socket_state"""

    _fields_ = (("flags", c_uint32),)


class PatternC(ctypes.Structure):
    """struct pattern"""

    _fields_ = (("verdict", c_uint32), ("length", c_uint32), ("text", c_char * PATTERN_BYTES))


class SettingsC(ctypes.Structure):
    """struct settings"""

    _fields_ = (
        ("own_netns_cookie", c_uint64),
        ("proxy_port", c_uint32),
        ("reserved", c_uint32),
        ("patterns_first", c_uint32),
        ("patterns_count", c_uint32),
    )


class RefusalC(ctypes.Structure):
    """struct refusal"""

    _fields_ = (
        ("at", c_uint64),
        ("cgroup_id", c_uint64),
        ("reason", c_uint32),
        ("pid", c_uint32),
        ("uid", c_uint32),
        ("protocol", c_uint16),
        ("port", c_uint16),
        ("destination", c_uint8 * 16),
        ("comm", c_char * 16),
    )


EXPECTED: dict[str, tuple[int, int]] = {
    "settings": (4, ctypes.sizeof(SettingsC)),
    "governed": (8, 4),
    "patterns": (4, ctypes.sizeof(PatternC)),
    "sticky": (4, 8),
    "netns_covered": (8, 1),
    "resolvers": (16, 1),
    "flows": (ctypes.sizeof(FlowKeyC), ctypes.sizeof(FlowRecordC)),
    "bystanders": (ctypes.sizeof(FlowKeyC), ctypes.sizeof(BystanderC)),
    "counters": (4, 8),
    "pending": (4, ctypes.sizeof(FlowRecordC)),
    "states": (4, ctypes.sizeof(SocketStateC)),
    "refusals": (0, 0),
}
