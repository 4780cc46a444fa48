"""Starts a command in a cgroup such that it is governed before its first instruction.

The child waits on a pipe; we move it, then let it go on to its exec. Signals to us go on to it, except those that the
terminal sends to the whole process group anyway. Its exit status becomes ours.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hostagent.errors import HostError

_FORWARDED = frozenset(
    (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
)
_SI_KERNEL = 0x80  # asm-generic/siginfo.h: the terminal, not a process
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as shells do


def launch(argv: Sequence[str], directory: str | Path, user: str | None = None) -> int:
    """Run `argv` in the cgroup at `directory`, as `user` (name or number) or as we are; its exit status.

    128 and the number of a signal that ended it; 127 where the command does not exist, 126 where it cannot be
    executed. The cgroup is removed at the end unless something still lives in it. HostError: no such user, or the
    cgroup takes no process.
    """
    account = _account(user) if user is not None else None
    waiting, go = os.pipe()
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        os.close(go)
        _become(argv, account, waiting, former)
    os.close(waiting)
    try:
        _enter(Path(directory), child, go)
        return _wait(child)
    finally:
        os.close(go)
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        with contextlib.suppress(OSError):
            Path(directory).rmdir()


def _enter(directory: Path, child: int, go: int) -> None:
    try:
        (directory / "cgroup.procs").write_text(str(child))
    except OSError as error:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise HostError(f"the cgroup {directory} takes no process: {error.strerror}", "run as root") from None
    os.write(go, b"\0")


def _wait(child: int) -> int:
    while True:
        came = signal.sigwaitinfo(_FORWARDED | {signal.SIGCHLD})
        if came.si_signo != signal.SIGCHLD:
            if came.si_code != _SI_KERNEL:
                os.kill(child, came.si_signo)
            continue
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _become(
    argv: Sequence[str], account: pwd.struct_passwd | None, waiting: int, mask: set[int | signal.Signals]
) -> NoReturn:
    code = _NOT_EXECUTABLE
    try:
        if os.read(waiting, 1):  # else our parent is gone or could not move us: never run ungoverned
            if account is not None:
                os.initgroups(account.pw_name, account.pw_gid)
                os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
                os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, the command should not
            os.execvp(argv[0], list(argv))  # noqa: S606 the command is what the caller asks for
    except OSError as error:
        code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        os.write(2, f"hostagent run: {argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        raise HostError(f"no user is called {user!r}", "give a name or number of the host's users") from None
