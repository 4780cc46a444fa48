"""The canary: a governed child that must be intercepted where it connects, and refused where it may not go.

Before READY, and whenever `doctor` asks. Statuses can lie, a connection cannot: a host is enforced when a process in a
governed cgroup gets the worker's answer from an address that answers nobody (RFC 5737 TEST-NET-1, RFC 3849), and its
datagrams and raw sockets are refused, in both families. `doctor` has it try more ways out (`bypass`).

The child is this module run as a program. It knows nothing: what it was told by whom it reached is compared here.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostagent.daemon import bypass
from hostagent.daemon.children import start_confined
from hostagent.errors import HostError

FIRST = 41  # number of the first check; three a family
PORT = 9  # discard, RFC 863
REMOTE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
LOCAL = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}  # for a host that has no route beyond itself
SECONDS = 5.0
_FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one attempt of the canary showed; `id` and `number` are those of the check that it is."""

    number: int
    id: str
    name: str
    good: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Canary:
    """The canary of one instance. `answer` is what workers say, and nobody else, at `destinations()`."""

    cgroup: Path
    answer: str

    async def fly(self, everything: bool = False) -> list[Finding]:
        """Send it out, with all ways out that we know of or the usual ones.

        Raises HostError when it could not be started or did not come back.
        """
        ours, theirs = os.pipe()
        try:
            command = (
                sys.executable,
                "-I",
                "-m",
                "hostagent.daemon.canary",
                str(theirs),
                *(["all"] if everything else []),
            )
            process = await start_confined(command, self.cgroup, (theirs,))
        finally:
            os.close(theirs)
        with os.fdopen(ours, "rb") as report:
            try:
                async with asyncio.timeout(6 * SECONDS):
                    status = await process.wait()
            except TimeoutError:
                process.kill()
                raise HostError("the canary did not come back", "a governed process hangs: see the log") from None
            text = report.read()
        if status != 0:
            raise HostError(f"the canary ended with status {status}", "see its error above")
        return judge(json.loads(text), self.answer)


def destinations() -> list[list[Any]]:
    """[address, port] pairs at which a worker answers and closes."""
    return [[address, PORT] for addresses in (REMOTE, LOCAL) for address in addresses.values()]


def judge(report: dict[str, dict[str, str]], answer: str) -> list[Finding]:
    """The findings of a child's report. Only what is known to be right is good."""
    findings = []
    ways = report.get("ways", {})
    for family, seen in ((name, report[name]) for name in _FAMILIES if name in report):
        said = seen["tcp"]
        evidence = "the worker answered" if said == f"answer {answer}" else f"expected the worker's answer, got: {said}"
        number, prefix = FIRST + 3 * list(_FAMILIES).index(family), f"canary.{family.lower()}"
        findings.append(
            Finding(number, f"{prefix}.tcp", f"{family} TCP is intercepted", said == f"answer {answer}", evidence)
        )
        for form, name in (("udp", "UDP"), ("raw", "a raw socket")):
            number += 1
            refused = seen[form] == "refused"
            evidence = "EPERM" if refused else f"expected EPERM, got: {seen[form]}"
            findings.append(Finding(number, f"{prefix}.{form}", f"{family} {name} is refused", refused, evidence))
    for way in (way for way in bypass.ATTEMPTS if way.id in ways):
        said = ways[way.id]
        good = way.good(said, answer)
        evidence = said if good else f"expected {'EPERM' if way.refused else 'the worker'}, got: {said}"
        findings.append(Finding(way.number, way.id, way.name, good, evidence))
    return findings


def attempt_all(everything: bool = False) -> dict[str, dict[str, str]]:
    """What the child does; every family that this kernel has."""
    report = {
        name: {"tcp": _connect(family), "udp": _send_datagram(family), "raw": _open_raw(family)}
        for name, family in _FAMILIES.items()
        if _has(family)
    }
    if everything:
        address = _routed()
        report["ways"] = {way.id: bypass.attempt(way, address) for way in bypass.ATTEMPTS}
    return report


def _routed() -> str:
    """The IPv4 address that a worker answers at and this host has a route to."""
    said = _connect_to(socket.AF_INET, REMOTE[socket.AF_INET])
    return (LOCAL if said == "no route" else REMOTE)[socket.AF_INET]


def _has(family: socket.AddressFamily) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((LOCAL[family], 0))
    except OSError as error:
        return error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
    return True


def _connect(family: socket.AddressFamily) -> str:
    said = _connect_to(family, REMOTE[family])
    return _connect_to(family, LOCAL[family]) if said == "no route" else said


def _connect_to(family: socket.AddressFamily, address: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(SECONDS)
            sock.connect((address, PORT))
            said = b""
            while chunk := sock.recv(256):
                said += chunk
    except OSError as error:
        return "no route" if error.errno in _NO_ROUTE else f"{address}: {error}"
    return f"answer {said.decode('ascii', 'replace').strip()}"


def _send_datagram(family: socket.AddressFamily) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"canary", (REMOTE[family], PORT))
    except PermissionError:
        return "refused"
    except OSError as error:
        return str(error)
    return "sent"


def _open_raw(family: socket.AddressFamily) -> str:
    try:
        protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
        socket.socket(family, socket.SOCK_RAW, protocol).close()
    except PermissionError:
        return "refused"
    except OSError as error:
        return str(error)
    return "opened"


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), "w", encoding="ascii") as out:
        json.dump(attempt_all(everything="all" in sys.argv[2:]), out)
