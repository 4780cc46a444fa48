"""The redirect of one instance: one nftables table and its policy routing, applied, verified, removed.

    output       GOVERNED becomes REDIRECT, and the packet is routed anew: to `lo`
    prerouting   REDIRECT on `lo`, and first packets from container interfaces, go to `divert`; bystanders pass
    divert       TPROXY to the listeners; without a listener: a TCP reset (TPROXY alone would let it pass)
    input        what carries REDIRECT is delivered to a transparent socket, never to a server of this host
    postrouting  nothing governed leaves but over `lo`
    forward      nothing from a container interface is forwarded but bystanders and answers; nor taken in by `input`

Rules: the table is replaced in one transaction, so there is no moment without it; nothing of anybody else is touched;
the one thing that a missing listener, route or chain can do is to refuse.

A packet from another network namespace has lost its mark. Who made it is known by its 4-tuple only: `divert.bpf.c`
marks the SYN of a proven bystander, the conntrack mark keeps that for the flow. UDP and QUIC of governed processes are
refused by the hooks in every network namespace.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from typing import Any

from hostagent.errors import HostError
from hostagent.kernel.marks import BYSTANDER, GOVERNED, MASK, REDIRECT
from hostagent.kernel.routes import DEFAULT_TABLE, Routes

DEFAULT_INSTANCE = "hostagent"
_INSTANCE = re.compile(r"[a-z][a-z0-9_-]{0,23}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}\*?")
_OTHERS = 0xFFFFFFFF & ~MASK

_TABLE = """\
add table inet {name}
delete table inet {name}
table inet {name} {{
  chain output {{
    type route hook output priority mangle; policy accept;
    meta l4proto tcp meta mark & {mask} == {governed} meta mark set meta mark & {others} | {redirect}
  }}
  chain prerouting {{
    type filter hook prerouting priority mangle; policy accept;
    iifname "lo" meta l4proto tcp meta mark & {mask} == {redirect} jump divert
{arriving}  }}
  chain divert {{
    meta mark set meta mark & {others} | {redirect}
    socket transparent 1 accept
    meta nfproto ipv4 meta l4proto tcp tproxy ip to 127.0.0.1:{port} accept
    meta nfproto ipv6 meta l4proto tcp tproxy ip6 to [::1]:{port} accept
    meta l4proto tcp reject with tcp reset
  }}
  chain input {{
    type filter hook input priority mangle; policy accept;
    meta l4proto tcp meta mark & {mask} == {redirect} jump delivered
{forwarded}  }}
  chain delivered {{
    socket transparent 1 accept
    drop
  }}
  chain forward {{
    type filter hook forward priority mangle; policy accept;
{forwarded}  }}
  chain postrouting {{
    type filter hook postrouting priority mangle; policy accept;
    meta l4proto tcp meta mark & {mask} == {governed} oifname != "lo" drop
    meta l4proto tcp meta mark & {mask} == {redirect} oifname != "lo" drop
  }}
{containers}}}
"""
# only where a container interface is named: one `ct` makes the kernel track every connection of the host
_CONTAINERS = """\
  chain containers {{
    tcp flags & (fin | syn | rst | ack) == syn jump opening
    ct direction reply accept
    ct mark & {mask} == {bystander} accept
    jump divert
  }}
  chain opening {{
    meta mark & {mask} == {bystander} ct mark set ct mark & {others} | {bystander} accept
    ct mark set ct mark & {others} | {redirect}
    jump divert
  }}
  chain forwarded {{
    ct direction reply accept
    ct mark & {mask} == {bystander} accept
    drop
  }}
"""


class Redirect:
    """What leads governed traffic to the listeners on 127.0.0.1 and ::1, both at `port`.

    `interfaces` are names of container interfaces, a `*` at the end stands for any rest. ValueError for a name that
    nftables would not take, or that means `lo`.
    """

    def __init__(self, instance: str, port: int, interfaces: Sequence[str] = (), *, table: int = DEFAULT_TABLE) -> None:
        if not _INSTANCE.fullmatch(instance):
            raise ValueError(f"{instance!r} is no name of an instance")
        for pattern in interfaces:
            _check_interface(pattern)
        self._name = instance if instance == DEFAULT_INSTANCE else f"hostagent_{instance}"
        self._text = table_text(self._name, port, interfaces)
        self._routes = Routes(table)
        self._expected: dict[str, list[str]] | None = None

    def apply(self) -> None:
        """Put it in force, whatever was there of ours before. HostError where the kernel or nft refuses."""
        self._routes.apply()
        _nft("-f", "-", text=self._text)
        self._expected = self._chains()
        if self._expected is None:
            raise HostError(f"the nftables table inet {self._name} was removed as it was made", "see `nft monitor`")

    def verify(self) -> list[str]:
        """Every difference from what `apply` made; empty = all of it is in force."""
        return [*self._table_drift(), *self._routes.verify()]

    def remove(self) -> None:
        """Remove what `apply` made, by us or by a predecessor that crashed; nothing there is no error."""
        _nft("-f", "-", text=f"add table inet {self._name}\ndelete table inet {self._name}\n")
        self._expected = None
        self._routes.remove()

    def _table_drift(self) -> list[str]:
        if self._expected is None:
            return [f"nftables table inet {self._name} was never applied"]
        found = self._chains()
        if found is None:
            return [f"nftables table inet {self._name} is gone"]
        amiss = [f"nftables chain {chain} is gone" for chain in self._expected if chain not in found]
        amiss += [f"nftables chain {chain} is not ours" for chain in found if chain not in self._expected]
        both = self._expected.keys() & found.keys()
        return amiss + [f"nftables chain {c} differs" for c in sorted(both) if found[c] != self._expected[c]]

    def _chains(self) -> dict[str, list[str]] | None:
        """Chain → its own line and its rules, as nft lists them without handles; None without the table."""
        listing = subprocess.run(
            ["nft", "-j", "list", "table", "inet", self._name], capture_output=True, text=True, check=False
        )
        return parse_listing(listing.stdout) if listing.returncode == 0 else None


def table_text(name: str, port: int, interfaces: Sequence[str]) -> str:
    """The whole transaction for `nft -f -`."""
    marks = {
        "mask": f"{MASK:#x}",
        "others": f"{_OTHERS:#x}",
        "governed": f"{GOVERNED:#x}",
        "redirect": f"{REDIRECT:#x}",
        "bystander": f"{BYSTANDER:#x}",
    }
    return _TABLE.format(
        name=name,
        port=port,
        **marks,
        containers=_CONTAINERS.format(**marks) if interfaces else "",
        arriving="".join(f'    iifname "{i}" meta l4proto tcp jump containers\n' for i in interfaces),
        forwarded="".join(f'    iifname "{i}" meta l4proto tcp jump forwarded\n' for i in interfaces),
    )


def parse_listing(text: str) -> dict[str, list[str]]:
    """`nft -j list table` → chain → what defines it. ValueError or KeyError on another shape."""
    chains: dict[str, list[str]] = {}
    items: list[dict[str, dict[str, Any]]] = json.loads(text)["nftables"]
    for item in items:
        for kind, what in item.items():
            if kind in ("chain", "rule"):
                chain = what["name"] if kind == "chain" else what["chain"]
                definition = {key: value for key, value in what.items() if key != "handle"}
                chains.setdefault(chain, []).append(json.dumps(definition, sort_keys=True))
            elif kind not in ("metainfo", "table"):
                chains.setdefault(f"({kind})", []).append(json.dumps(what, sort_keys=True))
    return chains


def _check_interface(pattern: str) -> None:
    if not _INTERFACE.fullmatch(pattern):
        raise ValueError(f"{pattern!r} is no interface name; a * may stand at its end")
    if pattern == "lo" or (pattern.endswith("*") and "lo".startswith(pattern[:-1])):
        raise ValueError(f"{pattern!r} means lo, which is no container interface")


def _nft(*arguments: str, text: str) -> None:
    try:
        done = subprocess.run(["nft", *arguments], input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise HostError("nft is not installed", "install the package nftables") from None
    if done.returncode:
        hint = "run as root with CAP_NET_ADMIN, on a kernel with nft_tproxy, nft_socket and nft_reject_inet"
        raise HostError(f"nft refused the table: {done.stderr.strip()}", hint)
