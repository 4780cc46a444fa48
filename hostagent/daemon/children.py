"""Starts a child process that can do nothing but its work: placed, unprivileged and tied to our life before its exec.

The steps run between fork and exec, in this order, and a step that fails ends the child with its errno: into its
cgroup (so that not one instruction of it runs under another rule), no way back to privilege, own user without groups or
capabilities, dies with us.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hostagent.errors import HostError

_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork
_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True, slots=True)
class Place:
    """Where a child runs, and as whom. `cgroup` is the directory of its cgroup."""

    cgroup: Path
    uid: int
    gid: int


async def start_confined(command: tuple[str, ...], place: Place, fds: tuple[int, ...]) -> asyncio.subprocess.Process:
    """Start a child that inherits `fds` under their numbers. Raises HostError when it could not be made."""
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            pass_fds=fds,
            start_new_session=True,
            preexec_fn=_confinement(place),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"{command[-1]}: a child process cannot be started: {error}", f"check {place}") from None


def _environment() -> dict[str, str]:
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def _confinement(place: Place) -> Callable[[], None]:
    procs = str(place.cgroup / "cgroup.procs")
    parent = os.getpid()

    def confine() -> None:
        handle = os.open(procs, os.O_WRONLY)
        os.write(handle, b"0")
        os.close(handle)
        os.setgroups([])
        os.setresgid(place.gid, place.gid, place.gid)
        os.setresuid(
            place.uid, place.uid, place.uid
        )  # from 0: permitted, effective and ambient capabilities go (capabilities(7))
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after setuid, which clears it
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return confine


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
