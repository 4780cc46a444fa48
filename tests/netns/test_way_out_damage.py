"""Ways out when something of ours is gone: in each the governed process is refused, and after the repair intercepted.

The ungoverned twin connects directly throughout: what we lose takes nothing from others.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.netns.stage import Outcomes, Stage, fresh_stage, governed_outcome, outcomes, stage
from tests.netns.topology import ip

__all__ = ["fresh_stage", "outcomes", "stage"]


def nft(*words: str) -> None:
    subprocess.run(["nft", *words], check=True)


def table(stage: Stage) -> tuple[str, str]:
    return "inet", f"hostagent_{stage.lab.name}"


def kill_acceptor(stage: Stage) -> None:
    """The worker dies; somebody still holds the listeners."""
    stage.acceptor.kill()
    stage.acceptor.wait()


def kill_all(stage: Stage) -> None:
    """Daemon and worker die: nobody listens."""
    kill_acceptor(stage)
    for sock in stage.listeners:
        sock.close()


def detach(stage: Stage, *programs: str) -> None:
    for program in programs:
        (stage.hooks.map_pins.parent / "links" / program).unlink()


CONNECT = ("hostagent_connect4", "hostagent_connect6")
EGRESS = ("hostagent_egress",)
NFT_DAMAGE: dict[str, Callable[[Stage], object]] = {
    "nft flush of our table": lambda s: nft("flush", "table", *table(s)),
    "nft delete of our table": lambda s: nft("delete", "table", *table(s)),
    "nft flush of the output chain": lambda s: nft("flush", "chain", *table(s), "output"),
    "nft flush of the prerouting chain": lambda s: nft("flush", "chain", *table(s), "prerouting"),
    "nft flush of the divert chain": lambda s: nft("flush", "chain", *table(s), "divert"),
    "ip rule deleted": lambda s: [ip(*v, "rule", "del", "priority", "177") for v in ((), ("-6",))],
    "routing table flushed": lambda s: [ip(*v, "route", "flush", "table", "177") for v in ((), ("-6",))],
}
BPF_DAMAGE: dict[str, tuple[str, ...]] = {
    "connect hooks detached, nft stands": CONNECT,
    "publish hook detached, nft stands": ("hostagent_publish",),
}


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("damage", NFT_DAMAGE)
def test_redirect_damaged_while_the_hooks_stand(stage: Stage, outcomes: Outcomes, damage: str, family: int) -> None:
    NFT_DAMAGE[damage](stage)
    try:
        assert stage.redirect.verify()
        free = stage.attempt("connect", stage.free, family)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family))
    finally:
        stage.redirect.apply()
    outcomes.rows.append((damage, f"IPv{family}", outcome, free.lower()))
    assert free == "DIRECT"
    assert outcome.startswith("refused")
    assert stage.redirect.verify() == []
    assert governed_outcome(stage.attempt("connect", stage.governed, family)) == "intercepted"


@pytest.fixture(scope="module")
def host_server(stage: Stage) -> None:
    """A server on the host itself."""
    stage.lab.serve(stage.lab.host)


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("damage", NFT_DAMAGE)
def test_redirect_damaged_and_a_server_on_the_host_itself(
    stage: Stage, host_server: None, outcomes: Outcomes, damage: str, family: int
) -> None:
    address = {4: "127.0.0.1", 6: "::1"}[family]
    NFT_DAMAGE[damage](stage)
    try:
        free = stage.attempt("connect", stage.free, family, address=address)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family, address=address))
    finally:
        stage.redirect.apply()
    outcomes.rows.append((f"{damage}, loopback server", f"IPv{family}", outcome, free.lower()))
    assert free == "DIRECT"
    assert outcome == "intercepted" or outcome.startswith("refused")


@pytest.mark.parametrize("family", (4, 6))
def test_second_lock_lost_with_the_redirect_damaged(stage: Stage, outcomes: Outcomes, family: int) -> None:
    """The guard of the redirect alone: no egress hook, and the rule that leads to lo is gone."""
    detach(stage, *EGRESS)
    NFT_DAMAGE["ip rule deleted"](stage)
    try:
        free = stage.attempt("connect", stage.free, family)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family))
    finally:
        stage.hooks.reattach()
        stage.redirect.apply()
    outcomes.rows.append(("egress hook detached and ip rule deleted", f"IPv{family}", outcome, free.lower()))
    assert free == "DIRECT"
    assert outcome.startswith("refused")


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("damage", BPF_DAMAGE)
def test_hooks_detached_while_the_redirect_stands(stage: Stage, outcomes: Outcomes, damage: str, family: int) -> None:
    detach(stage, *BPF_DAMAGE[damage])
    try:
        assert sorted(stage.hooks.verify()) == sorted(BPF_DAMAGE[damage])
        free = stage.attempt("connect", stage.free, family)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family))
    finally:
        stage.hooks.reattach()
    outcomes.rows.append((damage, f"IPv{family}", outcome, free.lower()))
    assert free == "DIRECT"
    assert outcome.startswith("refused")
    assert governed_outcome(stage.attempt("connect", stage.governed, family)) == "intercepted"


@pytest.mark.parametrize("family", (4, 6))
def test_second_lock_detached_alone(stage: Stage, outcomes: Outcomes, family: int) -> None:
    detach(stage, *EGRESS)
    try:
        free = stage.attempt("connect", stage.free, family)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family))
    finally:
        stage.hooks.reattach()
    outcomes.rows.append(("egress hook detached, the rest stands", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "intercepted")


@pytest.mark.parametrize("family", (4, 6))
def test_worker_killed_while_the_daemon_holds_the_listeners(stage: Stage, outcomes: Outcomes, family: int) -> None:
    kill_acceptor(stage)
    try:
        free = stage.attempt("connect", stage.free, family)
        outcome = governed_outcome(stage.attempt("connect", stage.governed, family))
    finally:
        stage.acceptor = stage.lab.accept(stage.listeners)
    outcomes.rows.append(("worker SIGKILLed", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "refused (no answer)")
    assert governed_outcome(stage.attempt("connect", stage.governed, family)) == "intercepted"


@pytest.mark.parametrize("family", (4, 6))
def test_everything_of_ours_killed(fresh_stage: Stage, outcomes: Outcomes, family: int) -> None:
    kill_all(fresh_stage)
    free = fresh_stage.attempt("connect", fresh_stage.free, family)
    outcome = governed_outcome(fresh_stage.attempt("connect", fresh_stage.governed, family))
    outcomes.rows.append(("daemon SIGKILLed", f"IPv{family}", outcome, free.lower()))
    assert (free, outcome) == ("DIRECT", "refused (ECONNREFUSED)")


@pytest.mark.parametrize("family", (4, 6))
def test_connection_through_a_worker_that_is_killed(fresh_stage: Stage, outcomes: Outcomes, family: int) -> None:
    def kill(pid: int) -> None:
        kill_all(fresh_stage)

    outcome = governed_outcome(fresh_stage.attempt("held", fresh_stage.governed, family, meanwhile=kill))
    outcomes.rows.append(("daemon SIGKILLed under an open connection", f"IPv{family}", outcome, "direct"))
    assert outcome.startswith("refused")
