"""Several workers on the same listeners: flows on each of them, and cancel keys that all of them know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import World, target, world

POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{"name": "all", "actors": "*", "targets": "*", "allow": {"kinds": "any", "functions": "*"}}],
}
DSN = "host=10.77.0.2 user=trusting dbname=postgres"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY, workers=2) as made:
        yield made


def test_a_cancel_finds_its_session_whichever_worker_has_it(here: World) -> None:
    done = here.python("cancels.py", DSN)
    assert (done.stdout, done.stderr) == ("12\n", "")


def test_every_worker_takes_flows_and_writes_a_chain_of_its_own(here: World) -> None:
    for _ in range(8):
        assert here.python("cancels.py", DSN).stdout == "12\n"
        writers = {path.name.rsplit("-", 1)[0] for path in (here.agent.records / "journal").glob("worker*.ndjson")}
        flows = {event["unmapped"]["flow"][11:13] for event in here.events() if "flow" in event["unmapped"]}
        if len(flows) == 2:
            break
    assert writers == {"worker0", "worker1"}
    assert len(flows) == 2
    assert here.agent.hostagent("audit", "verify", "--state-dir", here.agent.state).startswith("intact")
    status = json.loads(here.agent.hostagent("status", "-o", "json"))
    assert status["flows"]["unattributed"] == 0


def test_children_hold_nothing_that_their_sandbox_says_they_gave_up(here: World) -> None:
    """What tests/unit/package scores as unit files, seen on the children of a running daemon."""
    status = json.loads(here.agent.hostagent("status", "-o", "json"))
    pids = [child["pid"] for child in (*status["workers"], *status["analyzers"])]
    assert len(pids) == 3
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        facts = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert [int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [0] * 4
        assert (facts["NoNewPrivs"], facts["Seccomp"], facts["Groups"]) == ("1", "2", "")
        assert "0" not in facts["Uid"].split()
    networks = [Path(f"/proc/{pid}/ns/net").readlink() for pid in pids]
    assert networks[0] == networks[1] != networks[2]
