"""The `exec` source: a program that prints a secret, such as a cloud's command line that makes an IAM token.

It gets nothing of ours: no environment, no shell, no descriptor but /dev/null to read from, no privilege and no way to
any, and no time beyond its deadline. What it prints is a bare secret, or, where that begins with `{`, a JSON object:

    {"secret": "…", "user": "app", "expires": "2026-01-31T12:00:00Z"}       (user and expires may be absent)
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from hostagent.credentials.secret import Secret, Unavailable
from hostagent.credentials.sources import MAX_SECRET
from hostagent.privilege import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG

MAX_COMPLAINT = 300  # characters of its standard error that an operator sees
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork
_KNOWN = {"secret", "user", "expires"}


class HelperSpec(Protocol):
    """The program, whom it runs as, and its limits in seconds."""

    @property
    def command(self) -> tuple[str, ...]: ...
    @property
    def user(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def lifetime(self) -> float: ...


async def run_helper(name: str, user: str | None, spec: HelperSpec) -> Secret:
    """The secret that the program prints; `user` goes before the one that it may name. Raises Unavailable."""
    output = await _output(name, spec)
    try:
        text = output.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise _unusable(name, "its output is not UTF-8 text") from None
    if text.startswith("{"):
        return _described(name, user, spec, text)
    return _secret(name, user, text, spec.lifetime)


class _Run(asyncio.SubprocessProtocol):
    """One run. Output is taken as it comes and kept up to a bound, so that a full pipe never holds the end back."""

    def __init__(self) -> None:
        self.kept = {1: bytearray(), 2: bytearray()}
        self.over = asyncio.get_running_loop().create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        kept = self.kept[fd]
        kept += data[: MAX_SECRET + 1 - len(kept)]

    def connection_lost(self, _exc: Exception | None) -> None:
        """The program has ended, and so has whoever else held its output."""
        if not self.over.done():
            self.over.set_result(None)


async def _output(name: str, spec: HelperSpec) -> bytes:
    program = spec.command[0]
    transport, run = await _start(name, spec)
    try:
        async with asyncio.timeout(spec.timeout):
            await run.over
    except TimeoutError:
        what = f"credential {name}: {program} did not end within {spec.timeout:g} s, and was killed"
        raise Unavailable(what, _by_hand(spec)) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)  # and what it has started
        transport.close()
    output, status = bytes(run.kept[1]), transport.get_returncode()
    if status != 0:
        why = _complaint(bytes(run.kept[2]), output)
        raise Unavailable(f"credential {name}: {program} ended with status {status}{why}", _by_hand(spec))
    if len(output) > MAX_SECRET:
        raise _unusable(name, f"its output is longer than {MAX_SECRET} bytes")
    return output


async def _start(name: str, spec: HelperSpec) -> tuple[asyncio.SubprocessTransport, _Run]:
    program = spec.command[0]
    _require_untouched(name, program)
    uid, gid = await asyncio.to_thread(_ids, name, spec.user)  # a directory service may be asked
    try:
        return await asyncio.get_running_loop().subprocess_exec(
            _Run, *spec.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={}, cwd="/", user=uid, group=gid, extra_groups=(), umask=0o077, start_new_session=True,
            preexec_fn=_confinement(),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        why = error.strerror if isinstance(error, OSError) else "it could not be confined"
        raise Unavailable(f"credential {name}: {program} cannot be started: {why}", _by_hand(spec)) from None


def _described(name: str, user: str | None, spec: HelperSpec, text: str) -> Secret:
    try:
        fields: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        raise _unusable(name, "its output begins with { and is not JSON") from None
    if unknown := sorted(fields.keys() - _KNOWN):
        raise _unusable(name, f"its output has an unknown field {unknown[0][:64]!r}")
    secret, said = fields.get("secret"), fields.get("user")
    if not isinstance(secret, str) or not isinstance(said, str | None):
        raise _unusable(name, "its output has no text `secret`, or a `user` that is no text")
    return _secret(name, user or said, secret, _lifetime(name, fields.get("expires"), spec.lifetime))


def _secret(name: str, user: str | None, secret: str, lifetime: float) -> Secret:
    if not secret or "\0" in secret:
        raise _unusable(name, "it printed no secret" if not secret else "a NUL stands in the secret")
    if not user:
        raise _unusable(name, "neither the policy nor the program names a `user`")
    return Secret(user, secret, lifetime)


def _lifetime(name: str, expires: object, default: float) -> float:
    """Seconds from now until `expires`: RFC 3339 text, or seconds since 1970."""
    if expires is None:
        return default
    try:
        end = float(expires) if isinstance(expires, int | float) else datetime.fromisoformat(str(expires)).timestamp()
    except (ValueError, OverflowError):
        raise _unusable(name, "`expires` is neither a time such as 2026-01-31T12:00:00Z nor seconds") from None
    left = end - time.time()
    if not 1 <= left < 366 * 86_400:
        said = datetime.fromtimestamp(end, UTC).isoformat() if 0 < end < 1e11 else f"{end:g}"
        raise _unusable(name, f"it says that the secret expires at {said}, which is not ahead")
    return left


def _require_untouched(name: str, program: str) -> None:
    try:
        mode = Path(program).stat().st_mode
    except OSError as error:
        what = f"credential {name}: the program {program} cannot be found: {error.strerror}"
        raise Unavailable(what, "install it, or correct `exec.command`") from None
    if mode & 0o022:
        raise Unavailable(
            f"credential {name}: users other than its owner can change {program}", f"chmod go-w {program}"
        )


def _ids(name: str, user: str) -> tuple[int, int]:
    try:
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
        ids = (entry.pw_uid, entry.pw_gid)
    except KeyError:
        if not user.isdigit():
            hint = "make it (systemd-sysusers does), or give a number in quotes"
            raise Unavailable(f"credential {name}: no user is called {user!r}", hint) from None
        ids = (int(user), int(user))
    if 0 in ids:
        raise Unavailable(f"credential {name}: {user!r} is root", "a helper runs as a user of its own")
    return ids


def _confinement() -> Callable[[], None]:
    """What the child does when it is already that user; a change of user would take the death signal away again."""
    parent = os.getpid()

    def confine() -> None:
        for option, value in ((PR_SET_NO_NEW_PRIVS, 1), (PR_SET_PDEATHSIG, signal.SIGKILL)):
            if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return confine


def _complaint(stderr: bytes, stdout: bytes) -> str:
    """The last line that it wrote to standard error, unless what it printed as the secret stands in that."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    printed = stdout.decode("utf-8", "replace").split()
    if not lines or any(word in lines[-1] for word in printed):
        return ""
    return ": " + "".join(c if c.isprintable() else "?" for c in lines[-1][:MAX_COMPLAINT])


def _by_hand(spec: HelperSpec) -> str:
    return f"try it by hand: sudo -u '{spec.user}' env -i {spec.command[0]} …"


def _unusable(name: str, why: str) -> Unavailable:
    hint = 'the program prints the secret alone, or {"secret": "…", "user": "…", "expires": "…"}'
    return Unavailable(f"credential {name}: the program's answer cannot be used: {why}", hint)
