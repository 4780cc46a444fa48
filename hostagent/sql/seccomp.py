"""A seccomp filter that refuses a few system calls (EPERM) for good: seccomp(2), linux/seccomp.h, linux/filter.h."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from hostagent.errors import HostError

# machine: (AUDIT_ARCH, numbers of socket, connect, execve, execveat, ptrace)
MACHINES = {
    "x86_64": (0xC000003E, (41, 42, 59, 322, 101)),
    "aarch64": (0xC00000B7, (198, 203, 221, 281, 117)),
}

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF0000
KILL = 0x80000000
REFUSE = 0x00050000 | errno.EPERM
X32 = 0x40000000  # system calls of the x32 ABI start here

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data


def refuse_sockets_and_programs() -> None:
    """From here on this thread and those it starts can make no socket, connect none, run no program and trace nobody.

    Needs no_new_privs. Raises HostError on an unknown machine or where the kernel refuses.
    """
    machine = platform.machine()
    if machine not in MACHINES:
        raise HostError(f"no system call table for {machine}", f"known: {', '.join(MACHINES)}")
    program = _program(*MACHINES[machine])
    code = ctypes.create_string_buffer(program, len(program))
    filter_program = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_program), 0, 0) != 0:
        raise HostError(f"the kernel refuses a seccomp filter: {os.strerror(ctypes.get_errno())}")


def _program(architecture: int, numbers: tuple[int, ...]) -> bytes:
    """struct sock_filter, one after the other: code, jump if true, jump if false, value."""
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    tests = [(AT_LEAST, X32), *((EQUAL, number) for number in numbers)]
    steps += [(code, len(tests) - at, 0, value) for at, (code, value) in enumerate(tests)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    return b"".join(struct.pack("@HBBI", *step) for step in steps)
