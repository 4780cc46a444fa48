"""Events: each is one line of valid OCSF that says who did what, and how that is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.recording import event
from hostagent.recording.row import read_rows, single
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from hostagent.values.flow import FlowId
from tests.unit.recording.conftest import ALLOWED, DENIED, KEY, TARGET, make_actor

SCHEMAS = {int(path.stem): json.loads(path.read_text()) for path in (Path(__file__).parent / "ocsf").glob("*.json")}


def checked(line: bytes) -> dict[str, Any]:
    assert b"\n" not in line and line.isascii()
    value: dict[str, Any] = json.loads(line)
    jsonschema.validate(value, SCHEMAS[value["class_uid"]])
    assert value["type_uid"] == value["class_uid"] * 100 + value["activity_id"]
    assert value["activity_id"] != 99 or value["activity_name"]
    return value


OUTCOMES = [
    event.outcome("f00-1.1", Outcome(3, 99, detected={"card": 2}), 1500),
    event.outcome("f00-1.3", Outcome(0, 0, "42P01"), 10),
]


def made(context: event.FlowContext) -> list[bytes]:
    digest = event.Digest("2026-01-01/f.rec", "0" * 64, 12)
    return [
        event.flow_opened(context),
        event.flow_refused(context, "no record"),
        event.flow_closed(context, "the client left", {"client": 1, "upstream": 2}, digest),
        event.flow_closed(context, "", {"client": 1, "upstream": 2}, None),
        event.session_opened(context),
        event.recording_grew(context, digest),
        event.decided(context, "SELECT 1", Decision("f00-1.1", ALLOWED)),
        event.decided(context, "DROP TABLE users", Decision("f00-1.2", DENIED)),
        event.finished(context, [event.outcome("f00-1.1", Outcome(3, 99), 1500)], failed=False),
        event.finished(context, OUTCOMES, failed=True),
    ]


def test_every_event_is_valid(context: event.FlowContext) -> None:
    for line in made(context):
        checked(line)


def test_every_event_of_an_unattributed_flow_is_valid() -> None:
    for line in made(event.FlowContext(FlowId("f00-2"), KEY, None, None)):
        checked(line)


@pytest.mark.parametrize(
    "kind", ["ready", "stopped", "policy", "policy_refused", "drift", "refused", "child_ended", "run"]
)
def test_every_host_event_is_valid(kind: str) -> None:
    value = checked(event.host_event(kind, "text", {"cgroup": "/a", "times": 3, "path": Path("/x")}))
    assert value["unmapped"]["facts"] == {"cgroup": "/a", "times": 3, "path": "/x"}
    assert value["metadata"]["event_code"] == kind


def test_a_decision_names_the_process_its_parents_cgroup_and_grades(context: event.FlowContext) -> None:
    value = checked(event.decided(context, "DROP TABLE users", Decision("f00-1.2", DENIED)))
    process = value["actor"]["process"]
    assert (process["pid"], process["file"]["path"]) == (4711, "/usr/bin/psql")
    assert process["parent_process"]["pid"] == 4700 and process["parent_process"]["parent_process"]["pid"] == 4600
    assert value["unmapped"]["cgroup"] == "/system.slice/runner.service"
    assert value["unmapped"]["attributes"]["unit"] == {"value": "runner.service", "grade": "kernel-attested"}
    assert value["unmapped"]["attributes"]["ci_job"]["grade"] == "claimed"
    assert value["query_info"]["query_string"] == "DROP TABLE users"
    assert value["policy"]["name"] == value["unmapped"]["rule"] == "no-drop"
    assert (value["action_id"], value["disposition_id"], value["activity_id"]) == (2, 2, 7)
    assert value["unmapped"]["decision"] == value["metadata"]["correlation_uid"] == "f00-1.2"
    assert value["database"]["name"] == "shop"


def test_outcomes_are_told_together_and_read_one_by_one(context: event.FlowContext) -> None:
    whole = checked(event.finished(context, OUTCOMES, failed=True))
    first, second = single(whole)
    assert whole["status_id"] == 2 and first["metadata"] == second["metadata"] == whole["metadata"]
    facts = first["unmapped"]
    assert (facts["decision"], facts["rows"], facts["bytes"], facts["duration_us"]) == ("f00-1.1", 3, 99, 1500)
    assert (facts["flow"], facts["target"], facts["detected"]) == ("f00-1", "shop", {"card": 2})
    assert (second["unmapped"]["decision"], second["unmapped"]["error"]) == ("f00-1.3", "42P01")
    rows = read_rows(event.finished(context, OUTCOMES, failed=True))
    assert [(row.kind, row.decision, row.error) for row in rows] == [
        ("finished", "f00-1.1", ""),
        ("finished", "f00-1.3", "42P01"),
    ]
    other = checked(event.session_opened(context))
    assert single(other) == [other]


def test_what_enforce_would_have_said_is_told(context: event.FlowContext) -> None:
    ruling = Ruling(Verdict.OBSERVE, "no-drop", "seen", ("drop",), would=Verdict.DENY)
    value = checked(event.decided(context, "DROP TABLE users", Decision("f00-1.3", ruling)))
    assert value["unmapped"]["would"] == "deny" and value["action_id"] == 3 and not value["policy"]["is_applied"]


def test_the_redacted_text_is_what_is_recorded(context: event.FlowContext) -> None:
    ruling = Ruling(Verdict.ALLOW, "roles", "", ("role",), text="ALTER ROLE a PASSWORD '…'")
    decision = Decision("f00-1.4", ruling)
    text = "ALTER ROLE a PASSWORD 'hunter2'"
    assert b"hunter2" not in event.decided(context, text, decision)
    assert b"hunter2" not in event.decision_note(context, decision)
    kept = Decision("f00-1.5", ALLOWED)
    assert b"hunter2" in event.decided(context, text, kept)  # the twin: without redaction it would be there


@given(st.text())
def test_any_text_survives(text: str) -> None:
    context = event.FlowContext(FlowId("f00-3"), KEY, make_actor(), TARGET)
    value = checked(event.decided(context, text, Decision("f00-3.1", ALLOWED)))
    assert value["query_info"]["query_string"] == text


def test_a_long_text_is_cut_and_says_so(context: event.FlowContext) -> None:
    value = checked(event.decided(context, "x" * 100_000, Decision("f00-1.6", ALLOWED)))
    assert len(value["query_info"]["query_string"]) == 65536 and value["unmapped"]["text_characters"] == 100_000
