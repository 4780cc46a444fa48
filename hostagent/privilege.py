"""Giving up privilege, for good: what the processes that parse peers' bytes do before the first of them.

They start as root and do this after their imports, so that the code may lie where only root can read (a checkout under
/root); nothing that a peer sent has been read by then.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from hostagent.errors import HostError
from hostagent.seccomp import give_up_privileged_calls

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h

_LIBC = ctypes.CDLL(None, use_errno=True)


def give_up(uid: int, gid: int) -> None:
    """Become that user, without groups, capabilities, privileged system calls, or a way back; die with the parent.

    Programs can be run no more, and sockets are of the internet or unix. To be called while there is one thread.
    Raises HostError.

    A process that is not root keeps its user, and gives up the rest.
    """
    if os.geteuid() == 0:
        if uid <= 0 or gid <= 0:
            raise HostError("it was started as root", "give it the uid and gid of a user of its own")
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    checked(_LIBC.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "drop its ambient capabilities")
    none = (ctypes.c_uint32 * 6)()
    checked(_LIBC.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), none), "drop its capabilities")
    checked(_LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up new privileges")
    checked(_LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "close its memory to others")
    checked(_LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "die with its parent")
    give_up_privileged_calls()


def readable_by_all(file: Path) -> bool:
    """Whether a user without privilege can read this file of ours: what lies elsewhere has to be loaded before."""
    parents = all(directory.stat().st_mode & 0o001 for directory in file.resolve().parents)
    return parents and bool(file.stat().st_mode & 0o004)


def checked(result: int, what: str) -> None:
    """Raise HostError when a call of libc gave an error; `what` says what it was for."""
    if result != 0:
        raise HostError(f"a process cannot {what}: {os.strerror(ctypes.get_errno())}")
