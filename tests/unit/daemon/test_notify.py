"""sd_notify datagrams as a service manager would see them, and sockets that it hands over."""

from __future__ import annotations

import array
import os
import socket
from pathlib import Path

from hostagent.daemon.notify import Notifier, inherited_sockets


def manager(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.bind(str(path))
    return sock


def test_messages(tmp_path: Path) -> None:
    with manager(tmp_path / "notify") as sock:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"})
        assert notifier.watchdog_interval == 30.0
        notifier.ready()
        assert sock.recv(4096) == b"READY=1"
        notifier.reloading()
        kind, when = sock.recv(4096).split(b"\n")
        assert kind == b"RELOADING=1"
        assert int(when.removeprefix(b"MONOTONIC_USEC=")) > 0
        notifier.status("two\nlines")
        assert sock.recv(4096) == b"STATUS=two lines"


def test_listeners_are_stored(tmp_path: Path) -> None:
    with manager(tmp_path / "notify") as sock, socket.socket() as listener:
        Notifier(str(tmp_path / "notify")).store("listener", [listener.fileno()])
        data, ancillary, _, _ = sock.recvmsg(4096, 1024)
        assert data == b"FDSTORE=1\nFDNAME=listener"
        (received,) = array.array("i", ancillary[0][2])
        assert os.fstat(received).st_ino == os.fstat(listener.fileno()).st_ino
        os.close(received)


def test_an_abstract_address(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind(f"\0hostagent-test-{os.getpid()}")
        Notifier(f"@hostagent-test-{os.getpid()}").watchdog()
        assert sock.recv(4096) == b"WATCHDOG=1"


def test_without_a_manager_nothing_is_sent() -> None:
    notifier = Notifier.from_environment({})
    assert notifier.watchdog_interval == 0.0
    notifier.ready()


def test_a_manager_that_does_not_listen_hurts_nobody(tmp_path: Path) -> None:
    manager(tmp_path / "notify").close()
    Notifier(str(tmp_path / "notify")).ready()
    Notifier(str(tmp_path / "none")).ready()


def test_another_process_s_watchdog_is_not_ours() -> None:
    assert Notifier.from_environment({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}).watchdog_interval == 0.0


def test_inherited_sockets() -> None:
    with socket.socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        fd = os.dup(listener.fileno())
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
        (found,) = inherited_sockets(environ, first=fd)
        assert found.getsockname() == listener.getsockname()
        assert not found.get_inheritable()
        found.close()


def test_sockets_meant_for_another_process_are_not_taken() -> None:
    assert inherited_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == []
    assert inherited_sockets({}) == []
