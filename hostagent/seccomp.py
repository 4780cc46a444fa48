"""Seccomp filters: system calls that a process gives up for good. seccomp(2), linux/seccomp.h, linux/filter.h.

Names and groups are systemd's (system_calls.txt, made by tools/list_system_calls.py), so that what a process gave up
can be compared with what a unit file says. A filter is for the thread that loads it, and those that it starts: load it
while there is one. What is refused fails with EPERM; a call of another machine's table kills.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterable, Sequence
from importlib import resources

from hostagent.errors import HostError

MACHINES = {"x86_64": (0xC000003E, 2), "aarch64": (0xC00000B7, 3)}  # AUDIT_ARCH, column of the table
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
# What no process that parses peers' bytes has a use for, beside programs, namespaces and other families of sockets.
GROUPS = (
    "clock", "cpu-emulation", "debug", "keyring", "module", "mount", "obsolete", "privileged", "raw-io", "reboot",
    "resources", "swap",
)  # fmt: skip
OTHERS = (
    "execve", "execveat", "io_uring_setup", "process_vm_readv", "process_vm_writev", "setns", "unshare", "userfaultfd",
)  # fmt: skip

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF0000
KILL = 0x80000000
ERROR = 0x00050000  # with the errno in its low half
X32 = 0x40000000  # system calls of the x32 ABI start here
NAMESPACES = 0x7E020080  # CLONE_NEW* of clone(2), linux/sched.h; clone3 hides its flags from a filter

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data

# read at once: who gives up what stands here may not be able to read it any more
_TEXT = resources.files("hostagent").joinpath("system_calls.txt").read_text(encoding="ascii")
_TABLE = tuple(tuple(line.split()) for line in _TEXT.splitlines())

Step = tuple[int, int, str, str]  # code, value, where to go when true, when false; empty: on


def give_up_privileged_calls() -> None:
    """No program can be run, no namespace made, nothing traced or mounted; sockets are of FAMILIES. HostError."""
    names = {name for group in GROUPS for name in names_of(group)} | set(OTHERS)
    _load(_program(*_numbers(sorted(names)), clone=_number("clone"), clone3=_number("clone3"), sock=_number("socket")))


def refuse(names: Iterable[str]) -> None:
    """Give up these system calls. Needs no_new_privs. HostError on an unknown machine, or where the kernel refuses."""
    _load(_program(*_numbers(names)))


def names_of(group: str) -> set[str]:
    """The names of a group of systemd's (without its `@`)."""
    return {row[1] for row in _TABLE if row[0] == group}


def _machine() -> tuple[int, int]:
    machine = platform.machine()
    if machine not in MACHINES:
        raise HostError(f"no system call table for {machine}", f"known: {', '.join(MACHINES)}")
    return MACHINES[machine]


def _number(name: str) -> int | None:
    """The number of a system call on this machine, or None where it has none."""
    _, column = _machine()
    return next((int(row[column]) for row in _TABLE if row[1] == name and row[column] != "-"), None)


def _numbers(names: Iterable[str]) -> tuple[int, list[int]]:
    architecture, _ = _machine()
    return architecture, [number for name in names if (number := _number(name)) is not None]


def _program(
    architecture: int, refused: Sequence[int], clone: int | None = None, clone3: int | None = None,
    sock: int | None = None,
) -> bytes:  # fmt: skip
    """struct sock_filter, one after the other. With clone, clone3 and sock: their arguments are looked at as well."""
    steps: list[Step | str] = [(LOAD, ARCHITECTURE, "", ""), (EQUAL, architecture, "ours", "kill"), "ours"]
    steps += [(LOAD, NUMBER, "", ""), (AT_LEAST, X32, "refused", "")]
    steps += [(EQUAL, number, "refused", "") for number in refused]
    looked_at = (("clone", clone), ("clone3", clone3), ("socket", sock))
    steps += [(EQUAL, number, label, "") for label, number in looked_at if number is not None]
    steps += ["allowed", (RETURN, ALLOW, "", ""), "refused", (RETURN, ERROR | errno.EPERM, "", "")]
    steps += ["kill", (RETURN, KILL, "", "")]
    if sock is not None:
        steps += ["clone", (LOAD, FIRST_ARGUMENT, "", ""), (ANY_BIT, NAMESPACES, "no", "yes")]
        steps += ["socket", (LOAD, FIRST_ARGUMENT, "", "")]
        steps += [(EQUAL, family, "yes", "") for family in FAMILIES]
        steps += [(RETURN, ERROR | errno.EAFNOSUPPORT, "", ""), "clone3", (RETURN, ERROR | errno.ENOSYS, "", "")]
        steps += ["yes", (RETURN, ALLOW, "", ""), "no", (RETURN, ERROR | errno.EPERM, "", "")]
    return _assembled(steps)


def _assembled(steps: Sequence[Step | str]) -> bytes:
    """Labels become distances; a jump goes at most 255 steps, and only onwards."""
    places: dict[str, int] = {}
    code: list[Step] = []
    for step in steps:
        if isinstance(step, str):
            places[step] = len(code)
        else:
            code.append(step)

    def distance(label: str, at: int) -> int:
        return places[label] - at - 1 if label else 0

    return b"".join(
        struct.pack("@HBBI", operation, distance(true, at), distance(false, at), value)
        for at, (operation, value, true, false) in enumerate(code)
    )


def _load(program: bytes) -> None:
    code = ctypes.create_string_buffer(program, len(program))
    filter_program = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_program), 0, 0) != 0:
        raise HostError(f"the kernel refuses a seccomp filter: {os.strerror(ctypes.get_errno())}")
