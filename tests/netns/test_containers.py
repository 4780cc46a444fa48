"""Traffic forwarded from other network namespaces: governed is intercepted, ungoverned passes, unknown is refused."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from hostagent.kernel.interfaces import Interfaces
from hostagent.kernel.monitor import changes
from hostagent.values.flow import Endpoint, FlowKey
from tests.netns.stage import CONTAINERS, OBJECTS, Outcomes, Stage, governed_outcome, outcomes, stage
from tests.netns.topology import BOX, DATABASE, HOST, PORT, ip

__all__ = ["outcomes", "stage"]

FAMILIES = pytest.mark.parametrize("family", (4, 6))


@pytest.fixture(scope="module")
def resident(stage: Stage) -> None:
    """Something lives in the container: a server that answers DIRECT."""
    stage.lab.serve(stage.lab.box)
    stage.lab.serve(stage.lab.host)


@pytest.fixture
def interfaces(stage: Stage, resident: None) -> Iterator[Interfaces]:
    made = Interfaces(stage.hooks, OBJECTS, CONTAINERS)
    made.refresh()
    yield made
    made.remove()


@FAMILIES
def test_governed_in_a_container(stage: Stage, interfaces: Interfaces, outcomes: Outcomes, family: int) -> None:
    assert interfaces.refresh() == []
    free = stage.attempt("connect", stage.free, family, netns=stage.lab.box)
    outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=stage.lab.box))
    outcomes.rows.append(("container namespace", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


@FAMILIES
def test_governed_in_a_container_to_the_host(
    stage: Stage, interfaces: Interfaces, outcomes: Outcomes, family: int
) -> None:
    address = HOST[family]
    free = stage.attempt("connect", stage.free, family, netns=stage.lab.box, address=address)
    outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=stage.lab.box, address=address))
    outcomes.rows.append(("container namespace, to the host itself", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


@pytest.mark.parametrize("form", ("udp", "quic", "raw", "mptcp"))
@FAMILIES
def test_other_protocols_in_a_container(
    stage: Stage, interfaces: Interfaces, outcomes: Outcomes, form: str, family: int
) -> None:
    free = stage.attempt(form, stage.free, family, netns=stage.lab.box)
    outcome = governed_outcome(stage.attempt(form, stage.governed, family, netns=stage.lab.box))
    outcomes.rows.append((f"container namespace, {form}", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "refused (EPERM)")


@FAMILIES
def test_a_server_in_a_container_answers_whom_it_answered_before(
    stage: Stage, interfaces: Interfaces, family: int
) -> None:
    assert stage.attempt("connect", stage.free, family, address=BOX[family]) == "DIRECT"
    assert stage.attempt("connect", stage.free, family, address=BOX[family], netns=stage.lab.db) == "DIRECT"


@FAMILIES
def test_without_the_divert_program_nothing_gets_out(
    stage: Stage, interfaces: Interfaces, outcomes: Outcomes, family: int
) -> None:
    subprocess.run(["tc", "filter", "del", "dev", "box0", "ingress"], check=True)
    said = stage.attempt("connect", stage.free, family, netns=stage.lab.box)
    assert said.startswith("INTERCEPTED ")  # and a worker refuses it, because nobody is known to have made it
    outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=stage.lab.box))
    outcomes.rows.append(("container namespace, divert program removed", f"IPv{family}", outcome, "diverted"))
    assert outcome == "intercepted"
    assert interfaces.refresh() == ["box0"]
    assert stage.attempt("connect", stage.free, family, netns=stage.lab.box) == "DIRECT"


def test_removed_divert_program_is_told(interfaces: Interfaces) -> None:
    async def watch() -> None:
        async with contextlib.aclosing(changes()) as told:
            await anext(told)  # the first one comes unasked
            command = ("tc", "filter", "del", "dev", "box0", "ingress")
            await asyncio.to_thread(subprocess.run, command, check=True)
            async with asyncio.timeout(2):
                await anext(told)

    asyncio.run(watch())
    assert interfaces.refresh() == ["box0"]


@FAMILIES
@pytest.mark.parametrize("chain", ("prerouting", "containers", "divert"))
def test_container_rules_flushed_and_the_divert_program_removed(
    stage: Stage, interfaces: Interfaces, outcomes: Outcomes, chain: str, family: int
) -> None:
    nft(stage, "flush", "chain", chain)
    subprocess.run(["tc", "filter", "del", "dev", "box0", "ingress"], check=True)
    try:
        there = governed_outcome(stage.attempt("connect", stage.governed, family, netns=stage.lab.box))
        host = stage.attempt("connect", stage.governed, family, netns=stage.lab.box, address=HOST[family])
    finally:
        stage.redirect.apply()
        interfaces.refresh()
    damage = f"nft flush of the {chain} chain and no divert program"
    outcomes.rows.append((f"container, {damage}", f"IPv{family}", there, "-"))
    outcomes.rows.append((f"container to the host, {damage}", f"IPv{family}", governed_outcome(host), "-"))
    assert there.startswith("refused")


@FAMILIES
@pytest.mark.parametrize("verb", ("flush", "delete"))
def test_table_lost_while_the_divert_program_stands(
    stage: Stage, interfaces: Interfaces, outcomes: Outcomes, verb: str, family: int
) -> None:
    nft(stage, verb, "table")
    try:
        free = stage.attempt("connect", stage.free, family, netns=stage.lab.box)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=stage.lab.box))
    finally:
        stage.redirect.apply()
    outcomes.rows.append((f"container namespace, nft {verb} of our table", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


def nft(stage: Stage, verb: str, kind: str, *chain: str) -> None:
    subprocess.run(["nft", verb, kind, "inet", f"hostagent_{stage.lab.name}", *chain], check=True)


@FAMILIES
@pytest.mark.parametrize("program", ("stands", "removed"))
def test_port_that_a_bystander_used_before(
    stage: Stage, interfaces: Interfaces, outcomes: Outcomes, program: str, family: int
) -> None:
    """Its connection still has the conntrack mark of a bystander, because nobody saw it end."""

    def silence(pid: int) -> None:
        nft_box("add table inet lose; add chain inet lose out { type filter hook output priority 0; policy drop; }")

    def nft_box(text: str) -> None:
        subprocess.run(["ip", "netns", "exec", stage.lab.box, "nft", text], check=True)

    free = stage.attempt("unheard", stage.free, family, netns=stage.lab.box, meanwhile=silence)
    nft_box("delete table inet lose")
    if program == "removed":
        subprocess.run(["tc", "filter", "del", "dev", "box0", "ingress"], check=True)
    outcome = governed_outcome(stage.attempt("patient", stage.governed, family, netns=stage.lab.box))
    interfaces.refresh()
    stage.hooks.forget(FlowKey(Endpoint(BOX[family], 41000), Endpoint(DATABASE[family], PORT)))
    form = f"container, port of a bystander before, divert program {program}"
    outcomes.rows.append((form, f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


@FAMILIES
def test_open_connection_of_an_ungoverned_container_ends_when_the_redirect_begins(
    stage: Stage, interfaces: Interfaces, family: int
) -> None:
    """Nothing tells a bystander's packet in mid-flow from any other: it is refused, and its next connection passes."""
    stage.redirect.remove()
    try:
        said = stage.attempt(
            "held", stage.free, family, netns=stage.lab.box, meanwhile=lambda pid: stage.redirect.apply()
        )
    finally:
        stage.redirect.apply()
    assert said.startswith("refused")
    assert stage.attempt("connect", stage.free, family, netns=stage.lab.box) == "DIRECT"


@FAMILIES
def test_a_namespace_with_another_way_out_is_not_covered(
    stage: Stage, interfaces: Interfaces, outcomes: Outcomes, family: int
) -> None:
    ip("-n", stage.lab.host, "link", "add", "other0", "type", "veth", "peer", "name", "eth1", "netns", stage.lab.box)
    ip("-n", stage.lab.box, "link", "set", "eth1", "up")
    try:
        interfaces.refresh()
        free = stage.attempt("connect", stage.free, family, netns=stage.lab.box)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family, netns=stage.lab.box))
    finally:
        ip("-n", stage.lab.host, "link", "del", "other0")
    interfaces.refresh()
    outcomes.rows.append(("network namespace that is not covered", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "refused (EPERM)")
    assert governed_outcome(stage.attempt("connect", stage.governed, family, netns=stage.lab.box)) == "intercepted"
