"""Starts a child where it belongs: in its cgroup, without our environment, tied to our life, before its exec.

The steps run between fork and exec, and one that fails ends the child with its errno: into its cgroup (so that not one
instruction of it runs under another rule), no new privileges, dies with us. A child that parses what peers send gives
up root itself, after its imports and before it reads a byte (`hostagent.privilege`).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from hostagent.errors import HostError
from hostagent.privilege import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG

_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork


async def start_confined(command: tuple[str, ...], cgroup: Path, fds: tuple[int, ...]) -> asyncio.subprocess.Process:
    """Start a child that inherits `fds` under their numbers. Raises HostError when it could not be made."""
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            pass_fds=fds,
            start_new_session=True,
            preexec_fn=_confinement(cgroup),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(
            f"{command[-1]}: a child process cannot be started: {error}", f"is {cgroup} there, and {command[0]}?"
        ) from None


def _environment() -> dict[str, str]:
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def _confinement(cgroup: Path) -> Callable[[], None]:
    procs = str(cgroup / "cgroup.procs")
    parent = os.getpid()

    def confine() -> None:
        handle = os.open(procs, os.O_WRONLY)
        os.write(handle, b"0")
        os.close(handle)
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return confine


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
