"""`hostagent policy replay`: reads a state directory, says what would change, and applies nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hostagent.cli.main import main
from hostagent.recording import event
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal
from hostagent.values.actor import Actor, Attribute, Grade, Process
from hostagent.values.decision import Decision, Ruling, Verdict
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls

ACTOR = Actor(
    Process(7, 1, "/usr/bin/psql", ("psql",), "psql", 1000), (Process(6, 1, "/opt/ci", (), "ci", 1000),),
    1000, "ci", 1000, "ci", None, "", "/system.slice/ci.service", (Attribute("unit", "ci.service", Grade.RUNTIME),),
)  # fmt: skip
READS = {"name": "reads", "actors": ["ci"], "targets": "*", "allow": {"kinds": ["select"], "functions": "*"}}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A flow with an allowed SELECT, one that a human approved, and a statement that was denied."""
    key = FlowKey(Endpoint("10.0.0.9", 40000), Endpoint("10.0.0.5", 5432))
    context = event.FlowContext(FlowId("f"), key, ACTOR, Target("orders", "postgres", UpstreamTls.OFF))
    events = [event.flow_opened(context)]
    made = [
        ("f.1", "SELECT 1", Ruling(Verdict.ALLOW, "reads", "", ("select",))),
        ("f.2", "DELETE FROM t", Ruling(Verdict.APPROVE, "ask", "a human", ("delete",), ("t",))),
        ("f.2", "DELETE FROM t", Ruling(Verdict.ALLOW, "ask", "approved by ann", ("delete",), ("t",))),
        ("f.3", "DROP TABLE t", Ruling(Verdict.DENY, "", "no rule allows drop", ("drop",), ("t",))),
    ]
    events += [event.decided(context, text, Decision(name, ruling)) for name, text, ruling in made]
    journal = Journal(Directory(tmp_path).journal, "worker0")
    journal.append_many(events)
    journal.close()
    return tmp_path


def policy(directory: Path, *rules: object) -> Path:
    file = directory / "new.yaml"
    target = {"name": "orders", "protocol": "postgres", "match": {"addresses": "10.0.0.5"}, "tls": {"upstream": "off"}}
    # the class is known by a parent: events of single decisions leave parents out, the flow's opening has them
    actors = [{"name": "ci", "parent_executable": "/opt/ci"}]
    file.write_text(json.dumps({"version": 1, "actors": actors, "targets": [target], "rules": rules}))
    return file


def test_a_held_request_is_one_decision_and_only_changes_are_shown(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "replay", str(policy(state, READS)), "--state-dir", str(state)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "3 decisions: 2 would be the same, 1 another"
    (row,) = [line.split() for line in out[1:-1]]
    assert row[:5] == ["approve", "deny", "1", "orders", "ci.service"]
    assert row[-4:] == ["f.2", "DELETE", "FROM", "t"]


def test_nothing_that_changes_is_a_yes(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = {"name": "ask", "actors": "*", "targets": "*", "approve": {"kinds": ["delete"]}}
    assert main(["policy", "replay", str(policy(state, READS, ask)), "--state-dir", str(state), "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["same"], found["changed"], found["changes"]) == ("PolicyReplay", 3, 0, [])


def test_a_policy_that_is_wrong_is_said(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "replay", str(policy(state, {"name": "x"})), "--state-dir", str(state)]) == 65
    assert "new.yaml:1:" in capsys.readouterr().err


def test_only_what_is_asked_for(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["policy", "replay", str(policy(state)), "--state-dir", str(state), "-o", "json"]
    assert main([*command, "--target", "other"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] == 0
    assert main([*command, "--actor", "ci.service"]) == 1
    assert json.loads(capsys.readouterr().out)["changed"] == 2
