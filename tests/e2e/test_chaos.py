"""Everything fails while a storm of governed sessions queries, copies and pipelines.

After each failure: every statement that the server ran has its decision, every decision that was forwarded has one
outcome (unless the worker that would have told it was killed), what was denied never got there, the records are whole,
no client waited beyond its deadline, and all goes on as before.

The network is broken by rules of nftables: kernels without `sch_netem` are common, and so are hosts without `tc`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.failure_lab import POLICY, Stage, psql_command, scratch, staged, until
from tests.e2e.test_failures import CANCELLER, fill
from tests.e2e.world import CLIENTS
from tests.lab.postgres import Postgres
from tests.netns.topology import DATABASE

DISK = 512 << 20
SECONDS = 6  # that a storm lasts
CALM = 1.5  # before anything fails
CANCELLING = 200
KILLED = 24  # flows of the worker that is killed: a storm's, and as many that had just begun
RAN = re.compile(r"LOG:  (?:statement|execute [^:]+): (.*)")
NUMBER = re.compile(r"storm \w+ \d+ of \d+")
DSN = f"host={DATABASE[4]} user=trusting dbname=postgres connect_timeout=20"


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A small file system of its own for the state directory."""
    with scratch() as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "none", directory], check=True)
        yield directory
        subprocess.run(["umount", directory], check=True)


@pytest.fixture(scope="module")
def stage(disk: Path) -> Iterator[Stage]:
    server = Postgres(("*",), settings=("log_statement=all",))
    with staged(policy=POLICY, state_directory=str(disk / "state"), server=server) as made:
        made.agent.state = disk / "state"
        yield made
        check_records(made)


@contextlib.contextmanager
def storm(stage: Stage, mode: str = "prefer", seconds: float = SECONDS) -> Iterator[None]:
    """Something fails in the middle of a storm; what must hold is checked at its end."""
    command = (sys.executable, "-I", CLIENTS / "storm.py", f"{DSN} sslmode={mode}", seconds)
    process = stage.spawn(stage.governed, *command)
    time.sleep(CALM)
    yield
    said, errors = process.communicate(timeout=seconds + 40)
    assert process.returncode == 0, errors
    counted = Counter(json.loads(said))
    assert counted["hung"] == 0, counted
    for kind in ("simple", "extended", "prepared", "pipeline", "copy_in", "copy_out", "denied", "sleeping"):
        assert counted[f"{kind} late"] > 0, counted
    assert "storm_denied" not in stage.postgres.log()
    assert stage.way(stage.governed) == "way t"


def check_records(stage: Stage) -> None:
    """After all of it: the server's log against the journal. Every text was sent once only."""
    events = stage.events("decided", "finished", "flow_closed")
    check_outcomes(events)
    texts = (e["query_info"]["query_string"] for e in events if "query_info" in e)
    decided = Counter(found[0] for text in texts if (found := NUMBER.search(text)))
    ran = run_by(stage.postgres)
    assert len(ran) > 1000
    assert not ran - decided, f"of {len(ran)} statements these ran without a decision: {list(ran - decided)[:5]}"
    verified = stage.agent.hostagent("audit", "verify", "--state-dir", stage.agent.state, check=False)
    assert verified.splitlines()[-1].startswith("intact"), verified
    stage.said(stage.free, *psql_command(), "-c", "SELECT 'storm simple 0 of 0'")
    assert list(run_by(stage.postgres) - decided) == ["storm simple 0 of 0"], "what came another way would be seen"


def check_outcomes(events: list[dict[str, Any]]) -> None:
    """Each decision that was forwarded has one outcome. Of a killed worker's flows nobody saw the end."""
    facts = [(e["metadata"]["event_code"], e["unmapped"]) for e in events]
    told = Counter(fact["decision"] for code, fact in facts if code == "finished")
    forwarded = {
        fact["decision"]: fact["flow"]
        for code, fact in facts
        if code == "decided" and fact["verdict"] in ("allow", "observe")
    }
    assert len(forwarded) > 1000
    assert set(told.values()) == {1}, told.most_common(3)
    assert told.keys() <= forwarded.keys(), "an outcome of what was not forwarded"
    untold = {decision: flow for decision, flow in forwarded.items() if decision not in told}
    whose = {e["unmapped"]["decision"]: e for e in events if e["metadata"]["event_code"] == "decided"}
    closed = {e["unmapped"]["flow"]: e for e in events if e["metadata"]["event_code"] == "flow_closed"}
    lost = [(whose[decision], closed[flow]) for decision, flow in untold.items() if flow in closed]
    assert not lost, f"{len(lost)} without an outcome, such as {lost[0]}"
    assert len(set(untold.values())) <= KILLED, untold


def run_by(server: Postgres) -> Counter[str]:
    """How often the server logged each text of a storm."""
    return Counter(found[0] for line in RAN.findall(server.log()) if (found := NUMBER.search(line)))


def test_nothing_fails(stage: Stage) -> None:
    with storm(stage):
        pass


def test_the_server_crashes_and_recovers(stage: Stage) -> None:
    with storm(stage):
        backends = stage.postgres.sql("SELECT pid FROM pg_stat_activity WHERE client_addr IS NOT NULL LIMIT 1")
        os.kill(int(backends), signal.SIGKILL)  # the postmaster ends all others, and starts over


@pytest.mark.parametrize(("mode", "seconds"), [("fast", SECONDS), ("smart", SECONDS + 3)])
def test_the_server_is_restarted(stage: Stage, mode: str, seconds: float) -> None:
    with storm(stage, seconds=seconds):
        stage.postgres.restart(mode, patience=2)


@pytest.mark.parametrize("packets", ["", "numgen random mod 100 < 10"], ids=["all", "some"])
def test_packets_to_and_from_the_server_are_lost(stage: Stage, packets: str) -> None:
    rules = "".join(
        f"chain {hook} {{ type filter hook {hook} priority 300; {way} db0 {packets} drop; }}\n"
        for hook, way in (("output", "oifname"), ("input", "iifname"))
    )
    nft = ["ip", "netns", "exec", stage.lab.host, "nft"]
    with storm(stage):
        subprocess.run([*nft, f"table inet hatechaos {{ {rules} }}"], check=True)
        try:
            time.sleep(1.5)
        finally:
            subprocess.run([*nft, "delete table inet hatechaos"], check=True)


def test_the_worker_is_killed(stage: Stage) -> None:
    with storm(stage):
        worker = stage.child("workers")
        os.kill(worker, signal.SIGKILL)
        until(lambda: stage.child("workers") != worker)


def test_the_analyzer_is_killed_again_and_again(stage: Stage) -> None:
    with storm(stage):
        for _ in range(4):
            with contextlib.suppress(ProcessLookupError):
                os.kill(stage.child("analyzers"), signal.SIGKILL)
            time.sleep(0.4)


def test_the_disk_fills(stage: Stage, disk: Path) -> None:
    filler = disk / "filler"
    with storm(stage):
        try:
            fill(filler)
            time.sleep(1)
        finally:
            filler.unlink()


def test_all_cancel_at_once(stage: Stage) -> None:
    with storm(stage):
        command = (sys.executable, "-I", "-c", CANCELLER, DATABASE[4], CANCELLING)
        assert stage.said(stage.governed, *command, seconds=60) == f"('57014 7', {CANCELLING})"
