"""What others on the same machine saw of its connections: the distribution's BCC tools, and what a program said itself.

`tcpconnect` sees each connect() of a TCP socket as it begins, `tcplife` each TCP socket as it ends; neither knows of
hostagent. All speak of connections as `Connect`, so that what was seen can be held against our events, one by one.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.vm.machine import Machine

COMPILING = 1800.0  # seconds that LLVM may take for one tool where the processor is emulated
SETTLING = 120.0
CONNECTS, LIVES = "/run/witness-connects", "/run/witness-lives"
TOOLS = {
    "witness-connects": ("tcpconnect-bpfcc -t -L", CONNECTS),
    "witness-lives": ("tcplife-bpfcc -s", LIVES),
}
_CONNECT = re.compile(r"^\s*[\d.]+\s+(\d+)\s+(.+?)\s+([46])\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s*$")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Connect:
    """One connection as it left a process; `comm` is the command's name, at most 15 bytes."""

    pid: int
    comm: str
    source_port: int
    address: str
    port: int


def tcpconnect(text: str) -> Iterator[Connect]:
    """What `tcpconnect -t -L` wrote: TIME PID COMM IP SADDR LPORT DADDR DPORT."""
    for line in text.splitlines():
        if found := _CONNECT.match(line):
            pid, comm, _, _, source_port, address, port = found.groups()
            yield Connect(int(pid), comm, int(source_port), address, int(port))


def tcplife(text: str) -> Iterator[Connect]:
    """What `tcplife -s` wrote, as connections of the side that LADDR is: PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,…"""
    for row in csv.reader(text.splitlines()):
        if len(row) >= 7 and row[0].isdigit():
            yield Connect(int(row[0]), row[1], int(row[4]), row[5], int(row[6]))


def flows(events: list[Event]) -> Counter[Connect]:
    """The flows that these events say were opened, or refused."""
    counted: Counter[Connect] = Counter()
    for event in events:
        if event["metadata"]["event_code"] in ("flow_opened", "flow_refused"):
            process, to = event["actor"]["process"], event["dst_endpoint"]
            port = event["src_endpoint"]["port"]
            counted[Connect(process["pid"], process["name"], port, to["ip"], to["port"])] += 1
    return counted


def events(machine: Machine) -> list[Event]:
    """All events of a machine, oldest first."""
    lines = machine.check("hostagent", "events", "-o", "json", "-n", "1000000", timeout=600).splitlines()
    return [json.loads(line) for line in lines]


def start(machine: Machine) -> None:
    """Start the tools; returns when they see what happens."""
    for unit, (command, output) in TOOLS.items():
        to = f"-p StandardOutput=file:{output} -p StandardError=file:{output}.err"
        machine.shell(f"rm -f {output}*; systemd-run -q --unit={unit} {to} --setenv=PYTHONUNBUFFERED=1 {command}")
    for output in (CONNECTS, LIVES):
        machine.eventually(f"grep -q PID {output} || {{ cat {output}.err; exit 1; }}", within=COMPILING)


def stop(machine: Machine) -> None:
    """Stop them, whatever they do."""
    machine.run("systemctl", "stop", *TOOLS)


def seen(machine: Machine, where: str, read: Callable[[str], Iterator[Connect]]) -> Counter[Connect]:
    """What a tool wrote so far. AssertionError when it says that it lost something."""
    said = machine.check("cat", where, f"{where}.err")
    assert "lost" not in said.lower(), said[-2000:]
    return Counter(read(said))
