"""An independent witness: every governed connect that BCC's tools see is in our events with the same pid and command,
and none of ours is missing from theirs.

All connects to the database host are accounted for: they are a governed process's, a bystander's (whose pids its own
program printed), or the proxy's own towards the servers (by the pids of the workers, as `hostagent status` names them).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.vm import witness
from tests.vm.lab import DATABASE, SLOW
from tests.vm.machine import Machine
from tests.vm.witness import Connect

HERE = Path(__file__).parent
ROUNDS = 4
PORTS = (5432, 3306, 22, 7777, 9)
LOAD = "bash /root/witness_load.sh"
IN = "systemd-run --quiet --pipe --wait --collect --setenv=PGPASSWORD=no --slice="
PSQL = f"psql -h {DATABASE} -U anybody -d app -Atc"
# a new container's first connects are refused before they begin, until its namespace is covered
CONTAINER = (
    "podman run --rm --rootfs /:O bash -c "
    f"'for n in $(seq 200); do exec 3<>/dev/tcp/{DATABASE}/7777 && exit; sleep 0.5; done; exit 1'"
)


T = TypeVar("T")


@dataclass
class Seen:
    """What everybody says of one load."""

    ours: Counter[Connect]
    connects: Counter[Connect]
    lives: Counter[Connect]
    workers: frozenset[int]
    bystanders: frozenset[int]
    served: int  # statements that the servers answered to governed clients

    def governed(self, all_of_them: Counter[Connect]) -> Counter[Connect]:
        """Those of a witness that are neither the proxy's own nor a bystander's."""
        return Counter({c: n for c, n in all_of_them.items() if c.pid not in self.workers | self.bystanders})


@pytest.fixture(scope="module")
def seen(runner: Machine) -> Iterator[Seen]:
    """A load of governed and other connects, watched."""
    runner.put(HERE / "witness_load.sh", "/root/witness_load.sh")
    try:
        witness.start(runner)
        yield _watched(runner)
    finally:
        witness.stop(runner)


def _watched(runner: Machine) -> Seen:
    before = witness.flows(witness.events(runner))
    workers = {worker["pid"] for worker in json.loads(runner.check("hostagent", "status", "-o", "json"))["workers"]}
    others = runner.shell(f"{LOAD} {ROUNDS}", timeout=SLOW)
    runner.shell(f"{IN}governed.slice {LOAD} {ROUNDS}", timeout=SLOW)
    served = sum(
        runner.shell(f"""{IN}governed.slice {PSQL} "select 'witness-{n}'" """, timeout=SLOW) == f"witness-{n}\n"
        for n in range(3)
    )
    runner.shell(CONTAINER, timeout=SLOW)
    expected = ROUNDS * 3 * 5 + 3 + 1

    def settled() -> tuple[Counter[Connect], Counter[Connect], Counter[Connect]] | None:
        ours = _to_database(witness.flows(witness.events(runner)) - before)
        connects = _to_database(witness.seen(runner, witness.CONNECTS, witness.tcpconnect))
        lives = _to_database(witness.seen(runner, witness.LIVES, witness.tcplife))
        return (ours, connects, lives) if ours.total() >= expected and lives.total() >= connects.total() else None

    return Seen(*_await(settled), frozenset(workers), frozenset(map(int, others.split())), served)


def _to_database(found: Counter[Connect]) -> Counter[Connect]:
    return Counter({c: n for c, n in found.items() if c.address in (DATABASE, "fd77::2") and c.port in PORTS})


def _await(look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + witness.SETTLING
    while (found := look()) is None:
        assert time.monotonic() < deadline, "the witnesses and the events did not come to rest"
        time.sleep(2)
    return found


def test_every_governed_connect_that_tcpconnect_sees_is_in_our_events_and_the_other_way_round(seen: Seen) -> None:
    assert seen.ours == seen.governed(seen.connects)
    assert {connect.comm for connect in seen.ours} >= {"wit-one", "wit-two", "wit-three", "psql", "bash"}
    assert {connect.address for connect in seen.ours} == {DATABASE, "fd77::2"}


def test_so_it_is_with_the_lives_that_tcplife_sees_end(seen: Seen) -> None:
    assert seen.ours == seen.governed(seen.lives)


def test_bystanders_connect_and_are_in_no_event(seen: Seen) -> None:
    theirs = {connect.pid for connect in seen.connects} & seen.bystanders
    assert len(theirs) == ROUNDS * 3 * 5
    assert not {connect.pid for connect in seen.ours} & seen.bystanders


def test_the_proxy_itself_connects_for_governed_sessions_only(seen: Seen) -> None:
    own = Counter({c: n for c, n in seen.connects.items() if c.pid in seen.workers})
    assert seen.served == 3
    assert seen.served <= own.total() <= seen.ours.total()
    assert {c.address for c in own} == {DATABASE}, "nothing of what is refused reaches a server"
    assert not any(c.port == 9 for c in own)
