"""What governed processes may not do, each beside the same thing done by an ungoverned one."""

from __future__ import annotations

import errno
import socket
import sys

import pytest

PROXY_PORT = 15771
RAISES = """
import socket, sys
try:
    {statement}
except OSError as error:
    print(error.errno)
else:
    print(0)
"""
UDP = "socket.socket({family}, socket.SOCK_DGRAM).sendto(b'x' * 40, ({address!r}, {port}))"
UDP_CONNECTED = (
    "s = socket.socket({family}, socket.SOCK_DGRAM); s.connect(({address!r}, {port})); s.send(b'x' * 40); "
    "s.getpeername()"
)


@pytest.fixture
def attempt(in_cgroup):
    """`attempt(cgroup, statement)` → errno of one Python statement run there, 0 if it worked."""

    def run(cgroup, statement, *prefix):
        process = in_cgroup(cgroup, *prefix, sys.executable, "-c", RAISES.format(statement=statement))
        output, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        return int(output)

    return run


def both(attempt, governed, statement):
    """errno for a governed process, errno for an ungoverned one."""
    return attempt(governed, statement), attempt(governed.parent, statement)


SOCKETS = {
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)",
    "raw icmp": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "raw ipv6": "socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)",
    "raw tcp": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)",
}


@pytest.mark.parametrize("form", SOCKETS)
def test_sockets_that_nothing_intercepts_are_refused(hooks, governed, attempt, form):
    assert both(attempt, governed, SOCKETS[form]) == (errno.EPERM, 0)
    assert hooks.counters()["create_protocol"] == 1


OTHER_PROTOCOLS = {"udp-lite": (2, 136), "ping": (2, 1), "sctp": (1, 132), "mptcp": (1, 262), "dccp": (6, 33)}


@pytest.mark.parametrize("form", OTHER_PROTOCOLS)
def test_other_protocols_are_refused_as_far_as_the_kernel_has_them(hooks, governed, attempt, form):
    kind, protocol = OTHER_PROTOCOLS[form]
    mine, theirs = both(attempt, governed, f"socket.socket(socket.AF_INET, {kind}, {protocol})")
    assert mine == errno.EPERM if theirs == 0 else mine == theirs != 0


@pytest.mark.parametrize("family", ["socket.AF_INET", "socket.AF_INET6"])
@pytest.mark.parametrize("kind", ["socket.SOCK_STREAM", "socket.SOCK_DGRAM"])
def test_tcp_and_udp_sockets_can_be_made(hooks, governed, attempt, family, kind):
    assert attempt(governed, f"socket.socket({family}, {kind})") == 0


OPTIONS = {
    "mark": "setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x77)",
    "bind to device": "setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'lo')",
    "bind to ifindex": "setsockopt(socket.SOL_SOCKET, 62, 1)",
    "transparent": "setsockopt(socket.SOL_IP, 19, 1)",
    "freebind": "setsockopt(socket.SOL_IP, 15, 1)",
    "repair": "setsockopt(socket.SOL_TCP, 19, 1)",
}


@pytest.mark.parametrize("form", OPTIONS)
def test_options_that_lead_around_the_redirect_are_refused(hooks, governed, attempt, form):
    assert both(attempt, governed, f"socket.socket().{OPTIONS[form]}") == (errno.EPERM, 0)
    assert hooks.counters()["socket_option"] == 1


def test_ipv6_transparent_is_refused(hooks, governed, attempt):
    statement = "socket.socket(socket.AF_INET6).setsockopt(socket.IPPROTO_IPV6, 75, 1)"
    assert both(attempt, governed, statement) == (errno.EPERM, 0)


def test_other_options_are_not(hooks, governed, attempt):
    assert attempt(governed, "socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)") == 0


@pytest.mark.parametrize(("family", "address"), [("socket.AF_INET", "127.0.0.1"), ("socket.AF_INET6", "::1")])
def test_the_port_of_the_proxy_cannot_be_taken(hooks, governed, attempt, family, address):
    statement = f"socket.socket({family}).bind(({address!r}, {PROXY_PORT}))"
    assert both(attempt, governed, statement) == (errno.EPERM, 0)
    assert attempt(governed, statement.replace(str(PROXY_PORT), str(PROXY_PORT + 1))) == 0


DESTINATIONS = [
    ("socket.AF_INET", "127.0.0.53"),
    ("socket.AF_INET6", "::1"),
    ("socket.AF_INET6", "::ffff:127.0.0.53"),
]


@pytest.mark.parametrize("form", [UDP, UDP_CONNECTED])
@pytest.mark.parametrize(("family", "address"), DESTINATIONS)
def test_udp_is_refused_but_dns_to_a_resolver(hooks, governed, attempt, form, family, address):
    hooks.set_resolvers([address])

    def send(port):
        return form.format(family=family, address=address, port=port)

    assert both(attempt, governed, send(443)) == (errno.EPERM, 0)
    assert hooks.counters()["connect_udp"] == 1
    assert attempt(governed, send(53)) == 0
    hooks.set_resolvers(["192.0.2.1"])
    assert both(attempt, governed, send(53)) == (errno.EPERM, 0)


def test_a_namespace_without_a_way_to_the_proxy_is_refused(hooks, governed, connect, island, island_cookie):
    assert connect(governed, prefix=island).code == errno.EPERM
    assert hooks.counters()["connect_netns"] == 1
    hooks.cover_netns(island_cookie)
    assert connect(governed, prefix=island, wait=5).code == errno.ECONNREFUSED
    hooks.uncover_netns(island_cookie)
    assert connect(governed, prefix=island).code == errno.EPERM


def test_refusals_can_be_read_with_who_and_where(hooks, governed, attempt):
    attempt(governed, UDP.format(family="socket.AF_INET", address="127.0.0.53", port=443))
    (refusal,) = hooks.refusals()
    assert (refusal.reason, refusal.protocol, refusal.comm[:6]) == ("connect_udp", socket.IPPROTO_UDP, "python")
    assert str(refusal.destination) == "127.0.0.53:443"
    assert hooks.refusals() == []
