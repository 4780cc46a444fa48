"""Policy routing of one instance: what carries the REDIRECT mark is delivered on this host. No nftables here.

Per family one rule (fwmark → table) and one route (local default on `lo`). Both carry our protocol number, so that we
find again what we made, and remove nothing else. No sysctl is changed: TPROXY needs none of them. A packet that is
delivered over `lo` keeps its route, so rp_filter does not see it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from hostagent.errors import HostError
from hostagent.kernel.marks import MASK, REDIRECT

DEFAULT_TABLE = 177
PRIORITY = 177  # after `local` (0), before `main` (32766) and what VPNs add just above it
PROTOCOL = 177  # who made it, beside kernel (2), static (4) and the routing daemons (see /etc/iproute2/rt_protos)
_LOCAL = 2  # RTN_LOCAL
_HOST = 254  # RT_SCOPE_HOST
_NAMES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}
_IPV6_OFF = Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6")


def families() -> tuple[socket.AddressFamily, ...]:
    """The families that this network namespace has on `lo`."""
    try:
        ipv6 = _IPV6_OFF.read_text().strip() == "0"
    except FileNotFoundError:  # a kernel without IPv6
        ipv6 = False
    return (socket.AF_INET, socket.AF_INET6) if ipv6 else (socket.AF_INET,)


class Routes:
    """The rules and routes that lead to `table`."""

    def __init__(self, table: int = DEFAULT_TABLE) -> None:
        self._table = table

    def apply(self) -> None:
        """Make what is missing. HostError where the kernel refuses."""
        with _netlink() as ip:
            loopback = ip.link_lookup(ifname="lo")[0]
            for family in families():
                if not self._routes(ip, family):
                    ip.route("replace", oif=loopback, **self._route(family))
                if not self._rules(ip, family):
                    ip.rule("add", **self._rule(family))

    def verify(self) -> list[str]:
        """What is missing, each named."""
        amiss = []
        with _netlink() as ip:
            for family in families():
                if not self._rules(ip, family):
                    amiss.append(f"{_NAMES[family]} rule fwmark {REDIRECT:#x}/{MASK:#x} lookup {self._table} is gone")
                if not self._routes(ip, family):
                    amiss.append(f"{_NAMES[family]} route local default dev lo table {self._table} is gone")
        return amiss

    def remove(self) -> None:
        """Remove what we made; nothing there is no error."""
        with _netlink() as ip:
            for family in families():
                for _ in self._rules(ip, family):
                    ip.rule("del", **self._rule(family))
                for _ in self._routes(ip, family):
                    ip.route("del", oif=ip.link_lookup(ifname="lo")[0], **self._route(family))

    def _rule(self, family: socket.AddressFamily) -> dict[str, int]:
        mark = {"fwmark": REDIRECT, "fwmask": MASK}
        return {"family": family, "table": self._table, "priority": PRIORITY, "protocol": PROTOCOL, **mark}

    def _route(self, family: socket.AddressFamily) -> dict[str, object]:
        everywhere = "0.0.0.0/0" if family == socket.AF_INET else "::/0"
        place = {"table": self._table, "type": _LOCAL, "scope": _HOST if family == socket.AF_INET else 0}
        return {"family": family, "dst": everywhere, "proto": PROTOCOL, **place}

    def _rules(self, ip: IPRoute, family: socket.AddressFamily) -> list[object]:
        wanted = {"FRA_FWMARK": REDIRECT, "FRA_FWMASK": MASK, "FRA_TABLE": self._table, "FRA_PROTOCOL": PROTOCOL}
        rules = ip.get_rules(family=family)
        return [r for r in rules if all(r.get_attr(name) == value for name, value in wanted.items())]

    def _routes(self, ip: IPRoute, family: socket.AddressFamily) -> list[object]:
        routes = ip.get_routes(family=family, table=self._table)
        return [r for r in routes if (r["type"], r["dst_len"], r["proto"]) == (_LOCAL, 0, PROTOCOL)]


@contextmanager
def _netlink() -> Iterator[IPRoute]:
    try:
        with IPRoute() as ip:
            yield ip
    except NetlinkError as error:
        hint = "run as root with CAP_NET_ADMIN" if error.code == errno.EPERM else "ip link set lo up"
        raise HostError(f"policy routing cannot be set up: {error}", hint) from None
