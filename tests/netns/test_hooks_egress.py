"""The second lock: what the egress program drops when the first lock, the table or the policy routing is gone."""

from __future__ import annotations

import ctypes
import errno
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hostagent.kernel.hooks import PINS, Hooks

OBJECTS = Path(__file__).parents[2] / "bpf" / "build"
SERVER = """
import socket, sys
s = socket.create_server((sys.argv[1], 4000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print(flush=True)
while True:
    c = s.accept()[0]
    c.sendall(b"hello")
    c.close()
"""


@pytest.fixture
def serve(in_cgroup):
    """`serve(cgroup, prefix=(), address="127.0.0.1")`: a server at port 4000 that greets."""

    def start(cgroup, prefix=(), address="127.0.0.1"):
        in_cgroup(cgroup, *prefix, sys.executable, "-c", SERVER, address).stdout.readline()

    return start


def detach(instance, *programs):
    for program in programs:
        (PINS / instance / "links" / f"hostagent_{program}").unlink()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_without_the_redirect_a_local_server_is_not_reached(hooks, governed, connect, serve, address):
    serve(governed.parent, address=address)
    assert connect(governed.parent, address, 4000, wait=5).code == 0
    assert connect(governed, address, 4000, wait=0.5).code == errno.EAGAIN
    assert hooks.counters()["egress_mark"] > 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("detached", [("connect4", "connect6"), ("publish",)])
def test_without_the_connect_or_publish_link_nothing_leaves(
    hooks, instance, governed, connect, serve, island, island_cookie, detached, address
):
    hooks.cover_netns(island_cookie)
    serve(governed.parent, island, address)
    assert connect(governed, address, 4000, prefix=island, wait=5).code == 0
    detach(instance, *detached)
    assert connect(governed, address, 4000, prefix=island, wait=0.5).code == errno.EAGAIN
    assert hooks.counters()["egress_unrecorded"] > 0
    assert connect(governed.parent, address, 4000, prefix=island, wait=5).code == 0


def test_without_the_sendmsg_link_udp_does_not_leave(hooks, instance, governed, in_cgroup):
    detach(instance, "connect4", "sendmsg4")
    hooks.set_resolvers(["127.0.0.53"])

    def send(cgroup, port):
        code = f"import socket; socket.socket(2, 2).sendto(bytes(40), ('127.0.0.53', {port}))"
        return in_cgroup(cgroup, sys.executable, "-c", code).wait(10)

    assert (send(governed, 443), send(governed.parent, 443), send(governed, 53)) == (1, 0, 0)
    assert hooks.counters()["egress_udp"] == 1


def test_a_raw_socket_from_before_does_not_leave(hooks, governed, in_cgroup):
    code = (
        "import socket\ns = socket.socket(2, 3, 1); print(flush=True); input()\n"
        "s.sendto(b'\\x08\\0\\xf7\\xff' + bytes(4), ('127.0.0.1', 0))"
    )

    def send(cgroup):
        process = in_cgroup(governed.parent, sys.executable, "-c", code, stdin=subprocess.PIPE)
        process.stdout.readline()
        (cgroup / "cgroup.procs").write_text(str(process.pid))
        process.communicate("\n", timeout=10)
        return process.returncode

    assert (send(governed), send(governed.parent)) == (1, 0)
    assert hooks.counters()["egress_protocol"] == 1


@pytest.mark.parametrize("detached", [(), ("connect4",)])
def test_a_governed_server_answers(hooks, instance, governed, connect, serve, island, island_cookie, detached):
    hooks.cover_netns(island_cookie)
    detach(instance, *detached)
    serve(governed, island)
    assert connect(governed.parent, "127.0.0.1", 4000, prefix=island, wait=5).code == 0
    code = "import socket; s = socket.create_connection(('127.0.0.1', 4000), 5); assert s.recv(9) == b'hello'"
    assert subprocess.run([*island, sys.executable, "-c", code], check=False).returncode == 0


def test_an_accepted_socket_cannot_be_turned_into_a_way_out(
    hooks, instance, governed, connect, serve, in_cgroup, island, island_cookie
):
    hooks.cover_netns(island_cookie)
    serve(governed.parent, island)
    code = (
        "import ctypes, socket\nl = socket.create_server(('127.0.0.1', 4001)); print(flush=True); c = l.accept()[0]\n"
        "ctypes.CDLL(None).connect(c.fileno(), bytes(16), 16); c.settimeout(0.7)\n"
        "print(c.connect_ex(('127.0.0.1', 4000)))"
    )

    def reconnect():
        process = in_cgroup(governed, *island, sys.executable, "-c", code)
        process.stdout.readline()
        assert connect(governed.parent, "127.0.0.1", 4001, prefix=island, wait=5).code in (0, errno.ECONNRESET)
        return int(process.communicate(timeout=10)[0])

    assert reconnect() == 0
    detach(instance, "connect4")
    assert reconnect() == errno.EAGAIN


def in_namespace(name, function):
    """Run a function in a thread that has entered the namespace; the thread ends with it."""
    results = []

    def body():
        with Path(f"/run/netns/{name}").open() as target:
            assert ctypes.CDLL(None).setns(target.fileno(), 0) == 0
        results.append(function())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return results[0]


def test_governed_tcp_leaves_the_namespace_of_the_daemon_by_lo_only(
    instance, island, governed, connect, in_cgroup, name_of
):
    other = f"{instance}-b"
    subprocess.run(["ip", "netns", "add", other], check=True)
    try:
        for command in (
            f"ip -n {instance} link add hat0 type veth peer name hat1 netns {other}",
            f"ip -n {instance} address add 192.0.2.1/24 dev hat0",
            f"ip -n {other} address add 192.0.2.2/24 dev hat1",
            f"ip -n {instance} link set hat0 up",
            f"ip -n {other} link set hat1 up",
        ):
            subprocess.run(command.split(), check=True)
        hooks = in_namespace(instance, lambda: Hooks.load(instance, OBJECTS, proxy_port=1))
        hooks.govern([name_of(governed)])
        hooks.attach()
        far = ("nsenter", f"--net=/run/netns/{other}")
        in_cgroup(governed.parent, *far, sys.executable, "-c", SERVER, "192.0.2.2").stdout.readline()
        assert connect(governed.parent, "192.0.2.2", 4000, prefix=island, wait=5).code == 0
        attempt = connect(governed, "192.0.2.2", 4000, prefix=island, wait=0.5)
        assert attempt.code == errno.EAGAIN
        assert hooks.lookup(attempt.key) is not None
        assert hooks.counters()["egress_device"] > 0
        hooks.close()
    finally:
        subprocess.run(["ip", "netns", "delete", other], check=True)


def test_ungoverned_flows_of_other_namespaces_are_bystanders(hooks, governed, connect, island, island_cookie, serve):
    bystanders = hooks.map_pins / "bystanders"
    serve(governed.parent, island)
    assert connect(governed.parent, "127.0.0.1", 4000, prefix=island, wait=5).code == 0
    assert connect(governed.parent).code in (errno.EINPROGRESS, errno.ECONNREFUSED)
    hooks.cover_netns(island_cookie)
    assert connect(governed, "127.0.0.1", 4000, prefix=island, wait=5).code == 0
    dump = subprocess.run(
        ["bpftool", "-j", "map", "dump", "pinned", bystanders], check=True, capture_output=True
    ).stdout
    assert dump.count(b'"formatted"') == 1
    assert str(island_cookie).encode() in dump
