"""Container interfaces: the divert program on each of them, and which network namespaces are covered by them.

A namespace is covered when everything it has but `lo` is a veth pair whose other end is here, is a configured
interface or a port of one, and has the program. Then all that leaves it passes the redirect: what is routed by
nftables, what is switched from port to port of a bridge by the program alone. A port is covered by the name of its
bridge, not by its own: nftables knows the bridge. Of what is not covered the hooks refuse governed connects (EPERM).
Without the divert program on an interface everything that is routed from there goes to the proxy.

`refresh` is called whenever links change, when a connect was refused for its namespace, and every few seconds.
"""

from __future__ import annotations

import errno
import fnmatch
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from hostagent.errors import HostError
from hostagent.kernel.libbpf import Object
from hostagent.kernel.links import Link, links_of

_INGRESS = 0xFFFFFFF2  # the ingress side of a clsact qdisc
_HANDLE = 0x7715  # which filter is ours, so that another tool's stay
_PRIORITY = 1
_LOOPBACK = 1  # LOOPBACK_IFINDEX, include/net/flow.h: in every namespace, whatever its name
_NO_NSID = 0xFFFFFFFF  # nothing here leads to that namespace
_PROGRAM = "hostagent_divert"


class Covers(Protocol):
    """What is asked of the hooks."""

    @property
    def map_pins(self) -> Path:
        """The directory of the shared maps."""

    def cover_netns(self, cookie: int) -> None:
        """Let governed processes of that namespace connect."""

    def uncover_netns(self, cookie: int) -> None:
        """Refuse them again."""


class Interfaces:
    """The container interfaces of one instance; `patterns` as in `Redirect`."""

    def __init__(self, hooks: Covers, objects: Path, patterns: Sequence[str]) -> None:
        self._hooks = hooks
        self._patterns = tuple(patterns)
        self._covered: set[int] = set()
        self._taken: set[int] = set()
        self._divert = Object(objects / "divert.bpf.o", hooks.map_pins)
        self._netns = Object(objects / "netns.bpf.o", hooks.map_pins)
        self._divert.load()
        self._netns.load()

    def refresh(self) -> list[str]:
        """Put the program on what lacks it, cover and uncover namespaces; the interfaces that lacked it.

        A program that a predecessor left is replaced at the first call. HostError where the kernel refuses: then only
        namespaces that lead to interfaces with the program stay covered.
        """
        if not self._patterns:
            return []
        with IPRoute() as ip:
            links = {link["index"]: link for link in ip.get_links()}
            ours = {index for index, link in links.items() if self._is_ours(link, links)}
            self._taken = {index for index in self._taken & ours if _has_program(ip, index)}
            lacking = sorted(ours - self._taken)
            try:
                for index in lacking:
                    self._attach(ip, index)
            finally:
                self._cover(ip, {index for index in self._taken if _has_program(ip, index)})
        return [str(links[index].get_attr("IFLA_IFNAME")) for index in lacking]

    def remove(self) -> None:
        """Take the program off every interface; the clsact qdisc stays where others use it."""
        with IPRoute() as ip:
            for link in ip.get_links():
                if _has_program(ip, link["index"]):
                    ip.tc("del-filter", "bpf", link["index"], _HANDLE, parent=_INGRESS, prio=_PRIORITY)
        self.close()

    def close(self) -> None:
        """Let go of the programs; what is attached stays in force."""
        self._divert.close()
        self._netns.close()

    def _is_ours(self, link: Any, links: dict[int, Any]) -> bool:
        seen_by_nftables = links.get(link.get_attr("IFLA_MASTER") or 0, link)
        name = str(seen_by_nftables.get_attr("IFLA_IFNAME"))
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._patterns)

    def _attach(self, ip: IPRoute, index: int) -> None:
        try:
            ip.tc("add", "clsact", index)
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return
            if error.code != errno.EEXIST:
                raise HostError(f"no clsact qdisc can be added: {error}", "modprobe sch_ingress cls_bpf") from None
        fd = self._divert.program_fd(_PROGRAM)
        settings = {"parent": _INGRESS, "prio": _PRIORITY, "direct_action": True, "classid": 1, "protocol": 3}
        try:
            ip.tc("replace-filter", "bpf", index, _HANDLE, fd=fd, name=_PROGRAM, **settings)
        except NetlinkError as error:
            if error.code != errno.ENODEV:
                raise HostError(f"the divert program cannot be attached: {error}", "modprobe cls_bpf") from None
            return
        self._taken.add(index)

    def _cover(self, ip: IPRoute, ours: set[int]) -> None:
        own = Path("/proc/self/ns/net").stat().st_ino
        covered = {
            cookie for inode, cookie, pid in self._namespaces() if inode != own and _leads_here(ip, pid, inode, ours)
        }
        for cookie in self._covered - covered:
            self._hooks.uncover_netns(cookie)
        for cookie in covered:
            self._hooks.cover_netns(cookie)
        self._covered = covered

    def _namespaces(self) -> list[tuple[int, int, int]]:
        """(inode, cookie, a pid in it) of each network namespace that has a process."""
        namespaces = self._netns.maps()["namespaces"]
        for key in list(namespaces):
            namespaces.delete(key)
        self._netns.run_iterator("hostagent_namespaces")
        found = []
        for key in list(namespaces):
            value = namespaces.lookup(key)
            if value is not None:
                found.append((struct.unpack("=Q", key)[0], *struct.unpack("=QQ", value)))
        return found


def _leads_here(ip: IPRoute, pid: int, inode: int, ours: set[int]) -> bool:
    """Whether the namespace of that process has no link but `lo` and veth pairs whose other end is one of `ours`."""
    try:
        nsid = ip.get_netnsid(pid=pid)["nsid"]
        if nsid == _NO_NSID or Path(f"/proc/{pid}/ns/net").stat().st_ino != inode:
            return False
        own = [link for link in links_of(nsid) if link.up and link.index != _LOOPBACK]
    except (NetlinkError, OSError):  # it is gone, or we may not look into it: then it is not covered
        return False
    return bool(own) and all(_is_pair(ip, link, nsid, ours) for link in own)


def _is_pair(ip: IPRoute, link: Link, nsid: int, ours: set[int]) -> bool:
    if link.peer not in ours:
        return False
    here = ip.get_links(link.peer)[0]
    return bool(here.get_attr("IFLA_LINK_NETNSID") == nsid and here.get_attr("IFLA_LINK") == link.index)


def _has_program(ip: IPRoute, index: int) -> bool:
    try:
        filters = ip.get_filters(index=index, parent=_INGRESS)
    except NetlinkError:
        return False
    for found in filters:
        options = found.get_attr("TCA_OPTIONS")
        if found["handle"] == _HANDLE and options is not None and options.get_attr("TCA_BPF_NAME") == _PROGRAM:
            return True
    return False
