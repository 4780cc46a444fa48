"""Forwards of stock ssh that are of no host and port: unix sockets both ways, X11, tunnel devices; each beside its
denied twin.

On `web` rules let them through, on `shut` none does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ssh_world import SshWorld, ssh_world, target
from tests.e2e.world import Event, eventually
from tests.lab.sshd import Sshd
from tests.netns.topology import inside, ip

WEB, SHUT = "root@10.77.0.2", "root@10.77.0.3"
SECONDS = 30  # that a client may take until its forward stands
COOKIE = "00112233445566778899aabbccddeeff"
SETTINGS = ("X11Forwarding yes", "PermitTunnel yes", "StreamLocalBindUnlink yes")
POLICY: dict[str, Any] = {
    "targets": [target("web", 2), target("shut", 3)],
    "rules": [
        {"name": "work", "actors": "*", "targets": "*",
         "allow": {"kinds": "exec", "commands": ["echo **", "cat", "python3 {directory}/draw.py"], "logins": "root"}},
        {"name": "sockets", "actors": "*", "targets": "web",
         "allow": {"kinds": "forward", "paths": "{directory}/open/**", "logins": "root"}},
        {"name": "devices", "actors": "*", "targets": "web", "allow": {"kinds": ["x11", "tun"], "logins": "root"}},
    ],
}  # fmt: skip
X_CLIENT = """
import os, socket, struct, subprocess
display = os.environ.get("DISPLAY")
if display is None:
    raise SystemExit("no display")
listed = subprocess.run(["xauth", "list"], capture_output=True, text=True, check=True).stdout.split()
name, cookie = listed[1].encode(), bytes.fromhex(listed[2])
with socket.create_connection(("localhost", 6000 + int(display.split(":")[1].split(".")[0]))) as x:
    x.sendall(struct.pack("<cxHHHHxx", b"l", 11, 0, len(name), len(cookie)) + name + bytes(-len(name) % 4) + cookie)
    print(listed[2], x.recv(64).decode())
"""


@pytest.fixture(scope="module")
def here() -> Iterator[SshWorld]:
    with ssh_world(POLICY, Sshd(settings=SETTINGS)) as made:
        for name in ("open", "closed"):
            (made.sshd.directory / name).mkdir()
        (made.sshd.directory / "draw.py").write_text(X_CLIENT)
        yield made


@contextlib.contextmanager
def answering(listener: socket.socket, answer: Callable[[bytes], bytes]) -> Iterator[list[bytes]]:
    """A server that answers the first bytes of each connection, and then ends it; what it was told."""
    heard: list[bytes] = []

    def serve() -> None:
        with contextlib.suppress(OSError):  # closed at the end
            while True:
                came, _ = listener.accept()
                with came:
                    heard.append(came.recv(1 << 16))
                    came.sendall(answer(heard[-1]))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def at(path: Path | str) -> socket.socket:
    """A listener there."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


@contextlib.contextmanager
def display() -> Iterator[socket.socket]:
    """The listener of display :97, where X clients look for it."""
    socket_file = Path("/tmp/.X11-unix/X97")
    socket_file.parent.mkdir(mode=0o1777, exist_ok=True)
    socket_file.unlink(missing_ok=True)
    try:
        yield at(socket_file)
    finally:
        socket_file.unlink()


def said(path: Path, data: bytes) -> bytes:
    """What comes back through a socket, whole; nothing where it is closed at once."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(ConnectionError):
        client.connect(str(path))
        client.sendall(data)
        while more := client.recv(1 << 16):
            answer += more
    return answer


def stands(process: subprocess.Popen[str], look: Callable[[], object]) -> None:
    """Return when the forward of a client stands. Raises AssertionError when the client has ended."""
    deadline = time.monotonic() + SECONDS
    while not look():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)


def the(here: SshWorld, text: str) -> Event:
    """The one decision about that."""
    (event,) = here.decided(text)
    return event


def recorded(here: SshWorld, event: Event) -> bytes:
    """The packets of the session that the decision is in, once it has ended."""
    session = event["unmapped"]["flow"]
    eventually(lambda: [e for e in here.events("flow_closed") if e["unmapped"]["flow"] == session])
    file = here.sshd.directory / "pcap"
    export = ["sessions", "export", session, "--pcap", "-o", file, "--state-dir", here.agent.state]
    here.agent.hostagent(*export)
    return file.read_bytes()


def test_a_socket_of_the_server_is_reached_where_rules_say(here: SshWorld, tmp_path: Path) -> None:
    top, local = here.sshd.directory, {name: tmp_path / name for name in ("open", "closed", "up")}
    forwards = [word for name in ("open", "closed") for word in ("-L", f"{local[name]}:{top}/{name}/there")]
    forwards += ["-L", f"{local['up']}:{top}/open/../closed/there"]
    postgres = b"\0\0\0\x13\0\x03\0\0user\0root\0\0"
    with (
        answering(at(top / "open" / "there"), lambda said: b"heard " + said) as heard,
        answering(at(top / "closed" / "there"), lambda _: b"bait") as bait,
        here.running("ssh", *here.options(), *forwards, WEB, "echo ready; cat") as client,
    ):
        assert client.stdout is not None and client.stdout.readline() == "ready\n"
        assert said(local["open"], b"over the socket") == b"heard over the socket"
        assert said(local["closed"], b"x") == said(local["up"], b"x") == b""
        refused = said(local["open"], postgres)  # detected within, and there is no such target
        assert refused[:1] == b"E" and b"no target of the policy covers" in refused
    assert heard == [b"over the socket"] and bait == []
    event = here.decided(f"connect to the socket {top}/open/there")[0]
    facts = here.finished(event["unmapped"]["decision"])["unmapped"]
    assert (facts["bytes_in"], facts["bytes_out"]) == (15, 21) and event["unmapped"]["kind"] == "forward_stream"
    assert b"heard over the socket" in recorded(here, event)
    for path in (f"{top}/closed/there", f"{top}/open/../closed/there"):
        assert the(here, f"connect to the socket {path}")["unmapped"]["verdict"] == "deny"


def test_a_socket_of_the_server_is_listened_at_where_rules_say(here: SshWorld, tmp_path: Path) -> None:
    top, own = here.sshd.directory, tmp_path / "own"
    there = top / "open" / "back"
    with (
        answering(at(own), lambda said: b"heard " + said),
        here.running("ssh", *here.options(), "-R", f"{there}:{own}", WEB, "cat") as client,
    ):
        stands(client, lambda: there.exists() and said(there, b"backwards") == b"heard backwards")
    event = the(here, f"listen at the socket {there}")
    assert event["unmapped"]["kind"] == "forward_stream_remote" and b"heard backwards" in recorded(here, event)
    elsewhere = top / "closed" / "back"
    options = here.options("ExitOnForwardFailure=yes")
    done = here.governed("ssh", *options, "-N", "-R", f"{elsewhere}:{own}", WEB)
    assert done.returncode == 255 and "remote port forwarding failed" in done.stderr and not elsewhere.exists()
    assert the(here, f"listen at the socket {elsewhere}")["unmapped"]["verdict"] == "deny"


def test_x_clients_come_to_the_display_where_rules_say(here: SshWorld, tmp_path: Path) -> None:
    environment = {**os.environ, "DISPLAY": ":97", "HOME": str(tmp_path), "XAUTHORITY": str(tmp_path / "xauthority")}
    subprocess.run(["xauth", "-q", "add", ":97", "MIT-MAGIC-COOKIE-1", COOKIE], env=environment, check=True)
    draw = ("python3", f"{here.sshd.directory}/draw.py")
    with display() as screen, answering(screen, lambda setup: b"drawn" if COOKIE in setup.hex() else b"no") as heard:
        done = here.governed("ssh", *here.options(), "-Y", WEB, *draw, env=environment)
        assert done.returncode == 0, done.stderr
        cookie, answer = done.stdout.split()
        assert answer == "drawn" and cookie != COOKIE  # the display's own stays with the client
        shut = here.governed("ssh", *here.options(), "-Y", SHUT, *draw, env=environment)
    assert len(heard) == 1
    assert shut.returncode == 1 and "no display" in shut.stderr
    verdicts = {e["unmapped"]["target"]: e for e in here.decided("X11 forwarding")}
    assert {name: e["unmapped"]["verdict"] for name, e in verdicts.items()} == {"web": "allow", "shut": "deny"}
    assert verdicts["web"]["unmapped"]["kind"] == "x11" and b"drawn" in recorded(here, verdicts["web"])
    facts = here.finished(verdicts["web"]["unmapped"]["decision"])["unmapped"]
    assert facts["bytes_in"] == len(b"drawn") and facts["bytes_out"] == len(heard[0])


def test_a_tunnel_device_passes_packets_where_rules_say(here: SshWorld) -> None:
    options = here.options("ExitOnForwardFailure=yes", "LogLevel=INFO")
    with here.running("ssh", *options, "-w", "77:77", WEB, "cat") as client:
        for name, own, other in ((here.lab.host, 1, 2), (here.lab.db, 2, 1)):
            stands(client, partial(has_device, name, "tun77"))
            ip("-n", name, "address", "add", f"10.78.0.{own}", "peer", f"10.78.0.{other}", "dev", "tun77")
            ip("-n", name, "link", "set", "tun77", "up")
        with inside(here.lab.db), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("10.78.0.2", 7))
            with inside(here.lab.host), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
                packets.settimeout(SECONDS)
                packets.sendto(b"through the tunnel", ("10.78.0.2", 7))
                server.settimeout(SECONDS)
                data, sender = server.recvfrom(99)
                assert (data, sender[0]) == (b"through the tunnel", "10.78.0.1")
                server.sendto(b"and back", sender)
                assert packets.recv(99) == b"and back"
        event = the(here, "tun device 77")
        os.kill(event["actor"]["process"]["pid"], signal.SIGTERM)  # it stays for as long as a channel is open
    assert event["unmapped"]["kind"] == "tun" and event["unmapped"]["verdict"] == "allow"
    assert b"through the tunnel" in (packets_seen := recorded(here, event)) and b"and back" in packets_seen
    done = here.governed("ssh", *options, "-N", "-w", "78:78", SHUT)
    assert done.returncode == 255 and "decision" in done.stderr, done.stderr
    assert the(here, "tun device 78")["unmapped"]["verdict"] == "deny"


def has_device(namespace: str, name: str) -> bool:
    """Whether a namespace has that network device."""
    return (
        subprocess.run(["ip", "-n", namespace, "link", "show", name], check=False, capture_output=True).returncode == 0
    )
