"""Everything fails while governed MySQL sessions ask: what the server ran was decided, and what was forwarded has one
outcome, unless the worker that would have told it was killed; no client waits for ever, and all goes on as before.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.failure_lab import scratch, until
from tests.e2e.mysql_world import MysqlWorld, address, target, world
from tests.e2e.test_failures import fill
from tests.e2e.world import CLIENTS

pytestmark = pytest.mark.timeout(300)

ORDERS = 2
DISK = 512 << 20
SECONDS, CALM = 5.0, 1.2  # that a storm lasts, and before anything fails
SESSIONS = 12  # of a storm: two of each kind
MARK = re.compile(r"storm \w+ \w+ \d+ \d+\.")
POLICY: dict[str, Any] = {
    "targets": [target("orders", ORDERS)],
    "rules": [{
        "name": "work", "actors": "*", "targets": "*",
        "allow": {"kinds": ["read", "write", "session"], "relations": "*", "functions": "*"},
    }],
}  # fmt: skip
LOGGED = (
    "SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') AND argument LIKE '%storm %'"
)


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A small file system of its own for the state directory."""
    with scratch() as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "none", directory], check=True)
        yield directory
        subprocess.run(["umount", directory], check=True)


@pytest.fixture(scope="module")
def here(disk: Path) -> Iterator[MysqlWorld]:
    with world(POLICY, state_directory=str(disk / "state")) as made:
        made.agent.state = disk / "state"
        made.mariadb.sql("CREATE USER anybody; GRANT ALL ON *.* TO anybody")
        log(made)
        yield made


def log(here: MysqlWorld) -> None:
    """The server writes down what it runs; it forgets to when it is started again."""
    here.mariadb.sql("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1")


@contextlib.contextmanager
def storm(here: MysqlWorld, name: str) -> Iterator[None]:
    """Something fails in the middle of a storm; what must hold is checked at its end."""
    said: list[Any] = []
    command = (sys.executable, "-I", CLIENTS / "mysql_storm.py", address(ORDERS), SECONDS, name)
    thread = threading.Thread(target=lambda: said.append(here.governed(*command)))
    thread.start()
    time.sleep(CALM)
    yield
    thread.join()
    assert said[0].returncode == 0, said[0].stderr
    counted = Counter(json.loads(said[0].stdout))
    assert counted["hung"] == 0, counted
    for kind in ("simple", "many", "prepared", "write", "denied", "bulk"):
        assert counted[f"{kind} late"] > 0, counted
    assert here.mariadb.sql("SELECT COUNT(*) FROM shop.accounts") == "2"


def child(here: MysqlWorld, kind: str) -> int:
    """The pid of the first `workers` or `analyzers` child; waits until there is one."""
    return int(until(lambda: json.loads(here.agent.hostagent("status", "-o", "json"))[kind][0]["pid"]))


def test_nothing_fails(here: MysqlWorld) -> None:
    with storm(here, "calm"):
        pass


def test_the_server_is_restarted(here: MysqlWorld) -> None:
    with storm(here, "restart"):
        here.mariadb.process.kill()
        here.mariadb.process.wait()
        here.mariadb.launch()
        log(here)


def test_the_analyzer_is_killed_again_and_again(here: MysqlWorld) -> None:
    with storm(here, "analyzer"):
        for _ in range(3):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child(here, "analyzers"), signal.SIGKILL)
            time.sleep(0.3)


def test_the_disk_fills(here: MysqlWorld, disk: Path) -> None:
    filler = disk / "filler"
    with storm(here, "disk"):
        try:
            fill(filler)
            time.sleep(1)
        finally:
            filler.unlink()


def test_the_worker_is_killed(here: MysqlWorld) -> None:
    with storm(here, "worker"):
        worker = child(here, "workers")
        os.kill(worker, signal.SIGKILL)
        until(lambda: child(here, "workers") != worker)


def test_after_all_of_it_what_ran_was_decided_and_what_was_forwarded_was_told(here: MysqlWorld) -> None:
    until(lambda: json.loads(here.agent.hostagent("status", "-o", "json"))["flows"]["open"] == 0)
    events = here.events()
    facts = [(e["metadata"]["event_code"], e["unmapped"], e.get("query_info", {})) for e in events]
    told = Counter(fact["decision"] for code, fact, _ in facts if code == "finished")
    forwarded = {
        fact["decision"]: fact["flow"] for code, fact, _ in facts if code == "decided" and fact["verdict"] == "allow"
    }
    assert len(forwarded) > 500
    assert set(told.values()) == {1}, told.most_common(3)
    assert told.keys() <= forwarded.keys(), "an outcome of what was not forwarded"
    closed = {fact["flow"]: fact["reason"] for code, fact, _ in facts if code == "flow_closed"}
    whose = {fact["decision"]: info.get("query_string") for code, fact, info in facts if code == "decided"}
    untold = {decision: flow for decision, flow in forwarded.items() if decision not in told}
    lost = [(whose[decision], closed[flow]) for decision, flow in untold.items() if flow in closed]
    assert not lost, lost
    assert len(set(untold.values())) <= SESSIONS, untold
    texts = (info["query_string"] for code, _, info in facts if code == "decided" and "query_string" in info)
    decided = Counter(found[0] for text in texts if (found := MARK.search(text)))
    ran = Counter(found[0] for line in here.mariadb.sql(LOGGED).splitlines() if (found := MARK.search(line)))
    assert len(ran) > 300
    assert not ran.keys() - decided.keys(), f"these ran without a decision: {list(ran - decided)[:5]}"
    assert not any(" denied " in text for text in ran)
    verified = here.agent.hostagent("audit", "verify", "--state-dir", here.agent.state, check=False)
    assert verified.splitlines()[-1].startswith("intact"), verified
