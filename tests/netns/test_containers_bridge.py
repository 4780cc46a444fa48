"""Two containers on one bridge of the host: what one sends to the other is switched, and meets no routing of the host.

    near (10.79.0.2, fd79::2) ── near0 ┤ br0 (10.79.0.1, fd79::1) ├ far0 ── (10.79.0.3, fd79::3) far

Servers in all three answer DIRECT.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.errors import HostError
from hostagent.kernel.interfaces import Interfaces
from hostagent.values.flow import Endpoint, FlowKey
from tests.netns.stage import CONTAINERS, OBJECTS, Outcomes, Stage, governed_outcome, outcomes, stage
from tests.netns.topology import PORT, inside, ip, wait_for

__all__ = ["outcomes", "stage"]

NEAR = {4: "10.79.0.2", 6: "fd79::2"}
FAR = {4: "10.79.0.3", 6: "fd79::3"}
BRIDGE = {4: "10.79.0.1", 6: "fd79::1"}
FAMILIES = pytest.mark.parametrize("family", (4, 6))
BRIDGE_NETFILTER = Path("/proc/sys/net/bridge")


@pytest.fixture(scope="module")
def near(stage: Stage) -> Iterator[str]:
    """The namespace `near`; bridge and `far` are there as long as it is."""
    names = {"near": f"{stage.lab.name}-near", "far": f"{stage.lab.name}-far"}
    switch_netfilter(0)
    ip("link", "add", "br0", "type", "bridge")
    ip("address", "add", "10.79.0.1/24", "dev", "br0")
    ip("address", "add", "fd79::1/64", "dev", "br0", "nodad")
    try:
        for number, (box, namespace) in enumerate(names.items(), start=2):
            join(f"{box}0", namespace, number)
        ip("link", "set", "br0", "up")
        for namespace in (*names.values(), stage.lab.host):
            stage.lab.serve(namespace)
        with inside(names["near"]):
            for address in (*FAR.values(), *BRIDGE.values()):
                wait_for(address)
        yield names["near"]
    finally:
        ip("link", "del", "br0")
        for namespace in names.values():
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


def join(port: str, namespace: str, number: int) -> None:
    ip("netns", "add", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
    ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    ip("link", "set", port, "master", "br0", "up")
    ip("-n", namespace, "address", "add", f"10.79.0.{number}/24", "dev", "eth0")
    ip("-n", namespace, "address", "add", f"fd79::{number}/64", "dev", "eth0", "nodad")
    ip("-n", namespace, "link", "set", "eth0", "up")
    ip("-n", namespace, "route", "add", "default", "via", "10.79.0.1")
    ip("-n", namespace, "route", "add", "default", "via", "fd79::1")


@pytest.fixture
def interfaces(stage: Stage, near: str) -> Iterator[Interfaces]:
    made = Interfaces(stage.hooks, OBJECTS, CONTAINERS)
    made.refresh()
    yield made
    made.remove()


def switch_netfilter(on: int) -> None:
    """Let switched packets pass the chains of nftables too, as docker and Kubernetes do, or not."""
    for tables in ("iptables", "ip6tables"):
        (BRIDGE_NETFILTER / f"bridge-nf-call-{tables}").write_text(str(on))


@pytest.fixture(params=(0, 1), ids=("bare", "netfilter"))
def bridge_netfilter(near: str, request: pytest.FixtureRequest) -> Iterator[int]:
    """Both ways a host may be set up."""
    switch_netfilter(request.param)
    yield request.param
    switch_netfilter(0)


@FAMILIES
def test_governed_to_its_neighbour(
    stage: Stage, near: str, interfaces: Interfaces, outcomes: Outcomes, bridge_netfilter: int, family: int
) -> None:
    free = stage.attempt("connect", stage.free, family, netns=near, address=FAR[family])
    outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=near, address=FAR[family]))
    form = "container to its neighbour on a bridge" + (", bridge netfilter" if bridge_netfilter else "")
    outcomes.rows.append((form, f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


@FAMILIES
@pytest.mark.parametrize("where", ("bridge", "database"))
def test_governed_on_a_bridge_to_elsewhere(
    stage: Stage, near: str, interfaces: Interfaces, outcomes: Outcomes, bridge_netfilter: int, where: str, family: int
) -> None:
    address = BRIDGE[family] if where == "bridge" else ""
    free = stage.attempt("connect", stage.free, family, netns=near, address=address)
    outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=near, address=address))
    form = f"container on a bridge to the {where}" + (", bridge netfilter" if bridge_netfilter else "")
    outcomes.rows.append((form, f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


@FAMILIES
def test_flow_that_was_forgotten_before_its_second_syn(
    stage: Stage, near: str, interfaces: Interfaces, outcomes: Outcomes, bridge_netfilter: int, family: int
) -> None:
    """The flow map has no room for more, or the 4-tuple was given free: unknown is not ungoverned."""
    key = FlowKey(Endpoint(NEAR[family], 41000), Endpoint(FAR[family], PORT))
    said = {}
    for cgroup in (stage.free, stage.governed):
        said[cgroup] = lose_first_syn(stage, near, cgroup, key)
    outcome = governed_outcome(said[stage.governed])
    form = "container to its neighbour, flow forgotten" + (", bridge netfilter" if bridge_netfilter else "")
    outcomes.rows.append((form, f"IPv{family}", outcome, said[stage.free].lower()))
    assert (said[stage.free], outcome) == ("DIRECT", "intercepted")


def lose_first_syn(stage: Stage, near: str, cgroup: Path, key: FlowKey) -> str:
    """What a client says whose first SYN was lost, and whose flow was forgotten meanwhile."""
    with inside(near):
        nft("add table inet lose; add chain inet lose out { type filter hook postrouting priority 0; policy drop; }")
        try:
            family = 6 if ":" in key.source.address else 4
            client = stage.send("patient", cgroup, family, netns=near, address=key.destination.address)
            deadline = time.monotonic() + (0.5 if cgroup == stage.free else 5)
            while stage.hooks.lookup(key) is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert (stage.hooks.lookup(key) is not None) == (cgroup == stage.governed)
            stage.hooks.forget(key)
        finally:
            nft("delete table inet lose")
    return client.communicate(timeout=10)[0].strip()


@FAMILIES
def test_headers_before_the_tcp_header(
    stage: Stage, near: str, interfaces: Interfaces, outcomes: Outcomes, bridge_netfilter: int, family: int
) -> None:
    free = stage.attempt("extended", stage.free, family, netns=near, address=FAR[family])
    outcome = governed_outcome(stage.attempt("extended", stage.governed, family, netns=near, address=FAR[family]))
    what = {4: "IP options", 6: "extension headers"}[family] + (", bridge netfilter" if bridge_netfilter else "")
    outcomes.rows.append((f"container to its neighbour, {what}", f"IPv{family}", outcome, free.lower()))
    assert outcome == {4: "intercepted", 6: "refused (no answer)"}[family]
    assert free == "DIRECT" or (family, bridge_netfilter) == (6, 1)  # nftables sends what it cannot tell to the proxy


@FAMILIES
def test_neighbour_in_the_other_direction_and_from_the_host(
    stage: Stage, near: str, interfaces: Interfaces, bridge_netfilter: int, family: int
) -> None:
    far = near.removesuffix("near") + "far"
    assert stage.attempt("connect", stage.free, family, netns=far, address=NEAR[family]) == "DIRECT"
    assert stage.attempt("connect", stage.free, family, address=NEAR[family]) == "DIRECT"
    assert stage.attempt("connect", stage.free, family, netns=stage.lab.db, address=NEAR[family]) == "DIRECT"


@FAMILIES
@pytest.mark.parametrize("verb", ("flush", "delete"))
def test_table_lost_on_a_bridge(
    stage: Stage, near: str, interfaces: Interfaces, outcomes: Outcomes, bridge_netfilter: int, verb: str, family: int
) -> None:
    nft(f"{verb} table inet hostagent_{stage.lab.name}")
    try:
        free = stage.attempt("connect", stage.free, family, netns=near, address=FAR[family])
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=near, address=FAR[family]))
    finally:
        stage.redirect.apply()
    form = f"container to its neighbour, nft {verb} of our table" + (", bridge netfilter" if bridge_netfilter else "")
    outcomes.rows.append((form, f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


@FAMILIES
def test_port_without_the_program_is_not_covered(
    stage: Stage,
    near: str,
    interfaces: Interfaces,
    outcomes: Outcomes,
    monkeypatch: pytest.MonkeyPatch,
    family: int,
) -> None:
    def refuse(ip: object, index: int) -> None:
        raise HostError("no", "none")

    subprocess.run(["tc", "filter", "del", "dev", "near0", "ingress"], check=True)
    monkeypatch.setattr(interfaces, "_attach", refuse)
    with pytest.raises(HostError):
        interfaces.refresh()
    free = stage.attempt("connect", stage.free, family, netns=near, address=FAR[family])
    outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=near, address=FAR[family]))
    outcomes.rows.append(("container to its neighbour, no program on the port", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "refused (EPERM)")


def test_port_that_is_known_by_its_own_name_only_is_not_ours(stage: Stage, near: str) -> None:
    by_port = Interfaces(stage.hooks, OBJECTS, ("near*", "far*"))
    assert by_port.refresh() == []
    by_port.remove()


def nft(text: str) -> None:
    subprocess.run(["nft", text], check=True)
