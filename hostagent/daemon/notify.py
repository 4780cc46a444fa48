"""The service manager's two conversations: sd_notify(3) datagrams out, sd_listen_fds(3) sockets in."""

from __future__ import annotations

import array
import os
import socket
import time
from collections.abc import Mapping, Sequence

from hostagent.daemon import log

_FIRST_FD = 3  # SD_LISTEN_FDS_START


class Notifier:
    """Tells the service manager how the daemon is. Without a manager (no NOTIFY_SOCKET) it tells nobody."""

    def __init__(self, address: str = "", watchdog_interval: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_interval = watchdog_interval  # seconds after which the manager ends us; 0 = it does not

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Notifier:
        """As NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say."""
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        interval = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 if ours else 0.0
        return cls(environ.get("NOTIFY_SOCKET", ""), interval)

    def ready(self) -> None:
        """Rules are in place and verified, and the canary came through."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload has begun; `ready()` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun: flows drain."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def watchdog(self) -> None:
        """The data path is alive."""
        self._send("WATCHDOG=1")

    def store(self, name: str, fds: Sequence[int]) -> None:
        """Have the manager hold these descriptors over a restart (FDSTORE); they come back by LISTEN_FDS."""
        self._send("FDSTORE=1", f"FDNAME={name}", fds=fds)

    def _send(self, *lines: str, fds: Sequence[int] = ()) -> None:
        if not self._address:
            return
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            try:
                sock.sendmsg(["\n".join(lines).encode()], ancillary, 0, self._address)
            except OSError as error:  # enforcement does not depend on whether the manager listens
                log.warning("manager_not_told", message=lines[0], error=error.strerror)


def inherited_sockets(environ: Mapping[str, str] = os.environ, first: int = _FIRST_FD) -> list[socket.socket]:
    """The sockets that the service manager opened for us or kept for us, in its order; empty without one."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0"))
    sockets = [socket.socket(fileno=fd) for fd in range(first, first + count)]
    for sock in sockets:
        sock.set_inheritable(False)
    return sockets
