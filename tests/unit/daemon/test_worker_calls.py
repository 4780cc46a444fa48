"""What a worker is answered, and what it is not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "approvals"))
from samples import asked, terms

from hostagent.daemon.approvals import Approvals
from hostagent.daemon.counts import Counts
from hostagent.daemon.limits import Counting
from hostagent.daemon.logins import Logins
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.ssh_calls import SshCalls
from hostagent.daemon.target_names import TargetNames
from hostagent.daemon.worker_calls import WorkerCalls
from hostagent.errors import HostError
from hostagent.pki.authority import Authority
from hostagent.values.actor import Actor
from hostagent.values.flow import Endpoint, FlowKey, FlowRecord, GovernedBy, ProcessRecord

SOURCE, DESTINATION = ["10.0.0.1", 40000], ["10.0.0.5", 5432]
KEY = FlowKey(Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.5", 5432))


def record(pid: int = 4242) -> FlowRecord:
    return FlowRecord(
        key=KEY,
        process=ProcessRecord(pid, 1_000_000, "psql", 1000),
        gid=1000,
        login_uid=None,
        executable="/usr/bin/psql",
        command_line=("psql",),
        parents=(),
        pid_in_namespace=pid,
        session_leader_pid=pid,
        cgroup_id=7,
        cgroup_path="/system.slice/runner.service",
        socket_cgroup_id=7,
        socket_cgroup_path="/system.slice/runner.service",
        netns_cookie=1,
        socket_cookie=2,
        governed_by=GovernedBy.CALLER,
        connected_at=3,
    )


class Fixture:
    """Worker calls over a flow map that the test fills."""

    def __init__(self, tmp_path: Path, policy_directory: Path) -> None:
        self.flows: dict[FlowKey, FlowRecord] = {}
        self.counts = Counts()
        self.policies = PolicyInForce(policy_directory)
        self.unattributed: list[tuple[FlowKey, str]] = []
        self.ready: list[str] = []
        self.approvals = Approvals(self.policies, self.tell, lambda facts: None)
        self.calls = WorkerCalls(
            settings=lambda: {"instance": "test"},
            flows=self,
            authority=Authority.load_or_create(tmp_path / "ca.pem", tmp_path / "ca.key"),
            logins=Logins(self.policies, self.counts.failed),
            names=TargetNames(lambda: ["localhost"]),
            counts=self.counts,
            unattributed=lambda key, reason: self.unattributed.append((key, reason)),
            ready=self.ready.append,
            approvals=self.approvals,
            counting=Counting(self.policies, self.tell, tmp_path),
            ssh=cast(SshCalls, SimpleNamespace(handlers=dict)),
        )

    async def tell(self, worker: str, operation: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"taken": True}

    def lookup(self, key: FlowKey) -> FlowRecord | None:
        return self.flows.get(key)

    def forget(self, key: FlowKey) -> None:
        del self.flows[key]

    def ask(self, op: str, worker: str = "worker0", **args: Any) -> dict[str, Any]:
        async def call() -> dict[str, Any]:
            return await self.calls.handlers(worker)[op](args)

        return asyncio.run(call())


@pytest.fixture
def fixture(tmp_path: Path, policy_directory: Path) -> Fixture:
    return Fixture(tmp_path, policy_directory)


def test_a_known_flow_has_an_actor(fixture: Fixture) -> None:
    fixture.flows[KEY] = record()
    answer = fixture.ask("attribute", source=SOURCE, destination=DESTINATION)
    actor = Actor.from_json(answer["actor"])
    assert (actor.process.pid, actor.process.executable) == (4242, "/usr/bin/psql")
    assert actor.cgroup == "/system.slice/runner.service"
    assert answer["names"] == []
    assert (fixture.counts.attributed, fixture.counts.unattributed) == (1, 0)


def test_an_attributed_flow_is_forgotten_so_that_its_addresses_may_serve_again(fixture: Fixture) -> None:
    fixture.flows[KEY] = record()
    assert "actor" in fixture.ask("attribute", source=SOURCE, destination=DESTINATION)
    assert "denied" in fixture.ask("attribute", source=SOURCE, destination=DESTINATION)


@pytest.mark.parametrize("pid", [None, 0])
def test_an_unknown_or_incomplete_flow_is_denied_counted_and_told(fixture: Fixture, pid: int | None) -> None:
    if pid is not None:
        fixture.flows[KEY] = record(pid)
    answer = fixture.ask("attribute", source=SOURCE, destination=DESTINATION)
    assert set(answer) == {"denied"}
    assert fixture.counts.unattributed == 1
    assert fixture.unattributed == [(KEY, answer["denied"])]


def test_a_leaf_has_a_key_and_a_bounded_number_of_names(fixture: Fixture) -> None:
    leaf = fixture.ask("leaf", names=["db.example", "10.0.0.5"])
    assert "BEGIN CERTIFICATE" in leaf["chain_pem"]
    assert "PRIVATE KEY" in leaf["key_pem"]
    for names in ([], [f"n{n}.example" for n in range(17)]):
        with pytest.raises(ValueError, match="1 to 16 names"):
            fixture.ask("leaf", names=names)


def test_a_login_is_asked_for_by_its_targets_name(fixture: Fixture, policy_directory: Path) -> None:
    file = policy_directory / "10-test.yaml"
    target = "targets: [{name: orders, protocol: postgres, match: {hosts: orders.example}}]\n"
    file.write_text(file.read_text() + target)
    fixture.policies.reload()
    assert fixture.ask("login", target="orders") == {"credential": None, "placeholder": None, "client_pem": ""}
    with pytest.raises(HostError, match="no target"):
        fixture.ask("login", target="app")


def test_cancel_keys_go_around_between_workers(fixture: Fixture) -> None:
    scope = {"destination": DESTINATION, "cgroup": "/a"}
    fixture.ask("cancel.keep", **scope, issued="0a", key="0b")
    assert fixture.ask("cancel.find", "worker1", **scope, issued="0a") == {"key": "0b"}
    assert fixture.ask("cancel.find", **{**scope, "cgroup": "/b"}, issued="0a") == {"key": None}
    fixture.ask("cancel.drop", "worker1", issued="0a")
    assert fixture.ask("cancel.find", **scope, issued="0a") == {"key": "0b"}
    fixture.ask("cancel.drop", issued="0a")
    assert fixture.ask("cancel.find", **scope, issued="0a") == {"key": None}


def test_hello_and_ready(fixture: Fixture) -> None:
    assert fixture.ask("hello", worker="worker1") == {"instance": "test"}
    fixture.ask("ready", "worker1")
    assert fixture.ready == ["worker1"]


def test_a_cancel_of_what_waits_for_a_human_withdraws_it_and_cancels_nothing_at_the_server(fixture: Fixture) -> None:
    scope = {"destination": DESTINATION, "cgroup": "/a"}
    fixture.ask("cancel.keep", **scope, issued="0a", key="0b")
    held = asked("f-1.1", cancel_keys=frozenset({"0a"}))
    fixture.approvals.queue.ask(held, terms(), 0.0)
    assert fixture.ask("cancel.find", **{**scope, "cgroup": "/b"}, issued="0a") == {"key": None}
    assert len(fixture.approvals.queue.waiting()) == 1  # not from another cgroup
    assert fixture.ask("cancel.find", **scope, issued="0a") == {"key": None, "withdrawn": True}
    assert fixture.approvals.queue.waiting() == []
    assert fixture.ask("cancel.find", **scope, issued="0a") == {"key": "0b"}


def test_a_worker_that_ends_takes_along_what_it_kept_held_and_borrowed(fixture: Fixture) -> None:
    scope = {"destination": DESTINATION, "cgroup": "/a"}
    fixture.ask("cancel.keep", **scope, issued="0a", key="0b")
    fixture.approvals.queue.ask(asked("f-1.1"), terms(), 0.0)
    fixture.calls.worker_ended("worker0")
    assert fixture.ask("cancel.find", "worker1", **scope, issued="0a") == {"key": None}
    assert fixture.approvals.queue.waiting() == []
