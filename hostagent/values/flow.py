"""Flow: one intercepted connection, and what the kernel wrote down about who made it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

FlowId = NewType("FlowId", str)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a TCP connection. `address` is canonical text; an IPv4-mapped IPv6 address is given as IPv4."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class FlowKey:
    """The 4-tuple as the governed process's kernel socket has it; the key of the flow map."""

    source: Endpoint
    destination: Endpoint


class GovernedBy(StrEnum):
    """Why the kernel took the flow."""

    CALLER = "caller"  # the cgroup of the process that called connect()
    SOCKET = "socket"  # the cgroup in which the socket was made
    STICKY = "sticky"  # the process was governed before and has left its cgroup


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process as the kernel saw it at connect(). `start_time`: nanoseconds since boot (task start_boottime)."""

    pid: int
    start_time: int
    comm: str
    uid: int


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """What the connect hook wrote. All of it is read in the kernel at connect(), none of it later from /proc.

    `command_line` lies in memory that the process can write: a claim. `login_uid` is None where none was set.
    `parents` run from the parent upwards; `pid_in_namespace` is what the process itself calls its pid.
    """

    key: FlowKey
    process: ProcessRecord
    gid: int
    login_uid: int | None
    executable: str
    command_line: tuple[str, ...]
    parents: tuple[ProcessRecord, ...]
    pid_in_namespace: int
    session_leader_pid: int
    cgroup_id: int
    cgroup_path: str
    socket_cgroup_id: int
    socket_cgroup_path: str
    netns_cookie: int
    socket_cookie: int
    governed_by: GovernedBy
    connected_at: int  # nanoseconds since boot
