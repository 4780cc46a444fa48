"""Throw-away network namespaces: a host with the redirect, a database beside it, a container behind it.

    box (10.78.0.2, fd78::2) ── box0 ┤ host ├ db0 ── (10.77.0.2, fd77::2) db

The database answers DIRECT to whoever reaches it, TCP and UDP: a governed process must never read that.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
DATABASE = {4: "10.77.0.2", 6: "fd77::2"}
HOST = {4: "10.77.0.1", 6: "fd77::1"}
BOX = {4: "10.78.0.2", 6: "fd78::2"}
PORT = 5432
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass
class Lab:
    """The namespaces `NAME-host`, `NAME-db`, `NAME-box`, and what runs in them."""

    name: str
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"{self.name}-host"

    @property
    def db(self) -> str:
        return f"{self.name}-db"

    @property
    def box(self) -> str:
        return f"{self.name}-box"

    def make(self) -> None:
        """Make them; the database's server runs at the end."""
        for namespace in (self.host, self.db, self.box):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        self._join(self.db, "db0", 77)
        self._join(self.box, "box0", 78)
        forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        subprocess.run(["ip", "netns", "exec", self.host, "sysctl", "-qw", *forwarding], check=True)
        self.populate()

    def populate(self) -> None:
        """Let the database answer; returns when the container reaches it."""
        self.serve(self.db)
        with inside(self.box):
            for address in DATABASE.values():
                wait_for(address)

    def _join(self, namespace: str, device: str, net: int) -> None:
        ip("-n", self.host, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        for where, name, number in ((self.host, device, 1), (namespace, "eth0", 2)):
            ip("-n", where, "address", "add", f"10.{net}.0.{number}/24", "dev", name)
            ip("-n", where, "address", "add", f"fd{net}::{number}/64", "dev", name, "nodad")
            ip("-n", where, "link", "set", name, "up")
        ip("-n", namespace, "route", "add", "default", "via", f"10.{net}.0.1")
        ip("-n", namespace, "route", "add", "default", "via", f"fd{net}::1")

    def serve(self, namespace: str) -> None:
        """A server in that namespace that answers DIRECT; it serves when this returns."""
        self.start("ip", "netns", "exec", namespace, sys.executable, "-I", str(HERE / "direct_server.py"), str(PORT))

    def start(self, *command: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        """Start a command that writes a line when it is ready."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=pass_fds)
        self.running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def accept(self, listeners: tuple[socket.socket, ...]) -> subprocess.Popen[str]:
        """A stand-in for a worker: answers INTERCEPTED, the source and the destination of the connection."""
        fds = tuple(sock.fileno() for sock in listeners)
        return self.start(sys.executable, "-I", str(HERE / "acceptor.py"), *map(str, fds), pass_fds=fds)

    def remove(self) -> None:
        """End what runs, remove the namespaces."""
        for process in self.running:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for namespace in (self.host, self.db, self.box):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts, in a named network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        enter(there)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(there)
        os.close(home)


def wait_for(address: str) -> None:
    """Return when the database answers there: links and neighbours need a moment."""
    for _ in range(50):
        with contextlib.suppress(OSError):
            socket.create_connection((address, PORT), 0.2).close()
            return
        time.sleep(0.05)
    raise TimeoutError(f"{address} does not answer")


def enter(fd: int) -> None:
    """setns(2) to a network namespace; the os module has it from Python 3.12 on."""
    if LIBC.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*arguments: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *arguments], check=True)
