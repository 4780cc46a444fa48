"""Past decisions under another policy: what is the same, what changes, and what cannot be known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hostagent.policy.load import load_policy
from hostagent.policy.model import Policy
from hostagent.policy.replay import Past, operation_of, replay
from hostagent.recording import event
from hostagent.recording.past import past
from hostagent.ssh.operation import Operation, SshKind
from hostagent.values.actor import Actor, Attribute, Grade, Process
from hostagent.values.decision import Decision, Ruling, Verdict
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls

TARGETS = [
    {"name": "orders", "protocol": "postgres", "match": {"addresses": ["10.0.0.5/32"]}, "tls": {"upstream": "off"}},
    {"name": "shop", "protocol": "mysql", "match": {"addresses": ["10.0.0.6/32"]}, "tls": {"upstream": "off"}},
    {
        "name": "host",
        "protocol": "ssh",
        "match": {"addresses": ["10.0.0.7/32"]},
        "host_keys": {"pinned": ["SHA256:" + "A" * 43]},
        "credential": "ops",
    },
]
ACTOR = Actor(
    Process(7, 1, "/usr/bin/psql", ("psql", "-c", "x"), "psql", 1000),
    (Process(6, 1, "/usr/bin/bash", ("bash",), "bash", 1000),),
    1000, "ci", 1000, "ci", None, "", "/system.slice/ci.service",
    (Attribute("unit", "ci.service", Grade.RUNTIME),),
)  # fmt: skip


@pytest.fixture
def policy(tmp_path: Path) -> Any:
    def make(*rules: dict[str, Any], mode: str = "enforce", targets: Any = TARGETS, actors: Any = ()) -> Policy:
        file = tmp_path / "policy.yaml"
        whole = {"version": 1, "mode": mode, "targets": targets, "rules": rules, "actors": list(actors)}
        whole["credentials"] = [{"name": "ops", "user": "ops", "file": "/nowhere", "ssh": {"kind": "password"}}]
        file.write_text(json.dumps(whole))
        return load_policy(file)

    return make


def rule(name: str, effect: str, *kinds: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "actors": more.pop("actors", "*"), "targets": "*", effect: {"kinds": list(kinds), **more}}


def decided(text: str | None, verdict: str = "allow", target: str = "orders", **more: Any) -> Past:
    address = {"orders": "10.0.0.5", "shop": "10.0.0.6", "host": "10.0.0.7"}.get(target, "10.0.0.9")
    return Past("f.1", ACTOR, target, Endpoint(address, 1), text, Verdict(verdict), "old", **more)


def test_what_would_be_the_same_is_only_counted(policy: Any) -> None:
    found = replay(policy(rule("reads", "allow", "select")), [decided("SELECT 1"), decided("DROP TABLE t", "deny")])
    assert (found.same, found.changed, found.unknown.total()) == (2, 0, 0)


def test_changes_are_grouped_and_the_first_of_each_is_kept(policy: Any) -> None:
    new = policy(rule("drops", "allow", "drop"))
    found = replay(new, [decided("SELECT 1"), decided("SELECT 2"), decided("DROP TABLE t", "deny")])
    (denied, times), (allowed, once) = found.changes.most_common()
    assert (denied.was, denied.now, denied.was_rule, denied.now_rule, times) == ("allow", "deny", "old", "", 2)
    assert (allowed.was, allowed.now, allowed.now_rule, once) == ("deny", "allow", "drops", 1)
    assert (denied.target, denied.who) == ("orders", "ci.service")
    past_, ruling = found.examples[denied]
    assert (past_.text, ruling.reason) == ("SELECT 1", "no rule allows select")


def test_observe_becomes_what_it_would_have_been(policy: Any) -> None:
    seen = [decided("SELECT 1", "observe"), decided("DELETE FROM t", "observe")]
    found = replay(policy(rule("reads", "allow", "select")), seen)
    assert {(change.was.value, change.now.value) for change in found.changes} == {
        ("observe", "allow"),
        ("observe", "deny"),
    }
    assert replay(policy(mode="observe"), seen).same == 2


def test_the_actor_is_classified_again(policy: Any) -> None:
    mine, other = [{"name": "ci", "unit": "ci.service"}], [{"name": "ci", "unit": "other.service"}]
    reads = rule("reads", "allow", "select", actors=["ci"])
    assert replay(policy(reads, actors=mine), [decided("SELECT 1")]).same == 1
    assert replay(policy(reads, actors=other), [decided("SELECT 1")]).changed == 1


def test_a_target_that_is_called_otherwise_is_found_by_its_address(policy: Any) -> None:
    renamed = [{**TARGETS[0], "name": "warehouse"}]
    reads = rule("reads", "allow", "select")
    assert replay(policy(reads, targets=renamed), [decided("SELECT 1")]).same == 1
    assert replay(policy(reads, targets=TARGETS[1:2]), [decided("SELECT 1")]).changed == 1
    assert replay(policy(reads, targets=TARGETS[1:2]), [decided("SELECT 1", "deny")]).same == 1


def test_mysql_is_read_as_mysql_in_its_database(policy: Any) -> None:
    new = policy(rule("reads", "allow", "select", relations=["sales.*"]))
    past_ = decided("SELECT `a` FROM `t` # x", target="shop", database="sales")
    assert replay(new, [past_]).same == 1
    assert replay(new, [decided("SELECT `a` FROM `t`", target="shop", database="other")]).changed == 1


def test_what_cannot_be_decided_again_is_told(policy: Any) -> None:
    new = policy(rule("reads", "allow", "select"))
    found = replay(
        new,
        [
            decided(None),
            decided("x", target="host"),
            decided("sftp rename /a /b", target="host", ssh_kind="sftp_rename"),
        ],
    )
    assert found.unknown.total() == 3
    assert (found.same, found.changed) == (0, 0)


@pytest.mark.parametrize(
    ("past_", "operation"),
    [
        (
            decided("uptime -p", ssh_kind="exec", ssh_login="ops"),
            Operation(SshKind.EXEC, "ops", "uptime -p", words=(("uptime", "-p"),)),
        ),
        (decided("shell", ssh_kind="shell", ssh_login="ops"), Operation(SshKind.SHELL, "ops", "shell")),
        (
            decided("sftp read /srv/a", ssh_kind="sftp_read"),
            Operation(SshKind.SFTP_READ, "", "sftp read /srv/a", paths=("/srv/a",)),
        ),
        (decided("subsystem x", ssh_kind="subsystem"), Operation(SshKind.SUBSYSTEM, "", "subsystem x", name="x")),
        (
            decided("connect to db:5432", ssh_kind="forward_local", ssh_destination="db:5432"),
            Operation(SshKind.FORWARD_LOCAL, "", "connect to db:5432", destination="db:5432"),
        ),
    ],
)
def test_ssh_operations_are_read_back(past_: Past, operation: Operation) -> None:
    assert operation_of(past_) == operation


@pytest.mark.parametrize("text", ["sftp read /srv/a b", "sftp read srv", "sftp write /srv/a"])
def test_a_path_that_is_not_sure_is_not_guessed(text: str) -> None:
    assert isinstance(operation_of(decided(text, ssh_kind="sftp_read")), str)


def test_a_decision_comes_back_from_its_event() -> None:
    target = Target("orders", "postgres", UpstreamTls.OFF)
    key = FlowKey(Endpoint("10.0.0.9", 40000), Endpoint("10.0.0.5", 5432))
    context = event.FlowContext(FlowId("f"), key, ACTOR, target)
    opening = json.loads(event.flow_opened(context))
    context.describe({"user": "app", "database": "sales"})
    ruling = Ruling(Verdict.DENY, "no-drops", "not here", ("drop",), ("t",))
    found = past(json.loads(event.decided(context, "DROP TABLE t", Decision("f.1", ruling))), opening)
    process = Process(7, 0, "/usr/bin/psql", ("psql -c x",), "psql", 1000)
    parent = Process(6, 0, "/usr/bin/bash", ("bash",), "bash", -1)
    actor = Actor(process, (parent,), 1000, "ci", 1000, "ci", None, "", ACTOR.cgroup, ACTOR.attributes)
    assert found == Past("f.1", actor, "orders", key.destination, "DROP TABLE t", Verdict.DENY, "no-drops", "sales")


def test_a_text_that_was_cut_is_not_taken_for_the_whole() -> None:
    context = event.FlowContext(
        FlowId("f"),
        FlowKey(Endpoint("10.0.0.9", 1), Endpoint("10.0.0.5", 2)),
        ACTOR,
        Target("o", "postgres", UpstreamTls.OFF),
    )
    line = event.decided(context, "SELECT " + "1" * 100_000, Decision("f.1", Ruling(Verdict.ALLOW, "r", "")))
    assert past(json.loads(line), json.loads(line)).text is None
