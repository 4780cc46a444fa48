"""Events of SSH: valid OCSF of class 4007 that say which operation, in which channel, on whose connection."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hostagent.protocols.base import FinishedWith, Phase, Request
from hostagent.recording import event, ssh_events
from hostagent.recording.row import read_rows
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from hostagent.values.flow import FlowId
from tests.unit.recording.conftest import KEY
from tests.unit.recording.test_event import checked

FACTS = ("kind=exec", "login=root", "channel=3")
REQUEST = Request(1, Phase.EXECUTE, "uname -a", FACTS)
DENIED = Decision("f00-1.2", Ruling(Verdict.DENY, "no-uname", "denied by rule no-uname", ("exec",)))
ALLOWED = Decision("f00-1.1", Ruling(Verdict.ALLOW, "work", "", ("exec",)))
FINISHED = FinishedWith("f00-1.1", Outcome(0, 12, "exit status 3", {"card": 1}), (("exit_status", 3), ("channel", 3)))


def made(context: event.FlowContext) -> list[bytes]:
    return [
        ssh_events.session_opened(context),
        ssh_events.recording_grew(context, event.Digest("2026-01-01/f.rec", "0" * 64, 12)),
        ssh_events.decided(context, REQUEST, ALLOWED),
        ssh_events.decided(context, REQUEST, DENIED),
        ssh_events.finished(context, FINISHED, 1500),
        ssh_events.finished(context, FinishedWith("f00-1.1", Outcome(0, 0), ()), 1),
    ]


def test_every_event_is_valid(context: event.FlowContext) -> None:
    for line in [*made(context), *made(event.FlowContext(FlowId("f00-2"), KEY, None, None))]:
        assert checked(line)["class_uid"] == 4007


def test_a_decision_says_what_in_which_channel_and_whose_connection_that_is(context: event.FlowContext) -> None:
    value = checked(ssh_events.decided(context, REQUEST, DENIED))
    facts = value["unmapped"]
    assert (facts["kind"], facts["login"], facts["channel"]) == ("exec", "root", 3) and "connection" in facts["rides"]
    assert value["message"] == "uname -a" and value["policy"]["name"] == facts["rule"] == "no-uname"
    assert value["actor"]["process"]["pid"] == 4711 and value["severity_id"] == 3
    (row,) = read_rows(ssh_events.decided(context, REQUEST, DENIED))
    assert row is not None and (row.text, row.verdict, row.decision) == ("uname -a", "deny", "f00-1.2")
    assert "rides" not in checked(ssh_events.decided(context, Request(1, Phase.EXECUTE, "x"), DENIED))["unmapped"]


def test_an_end_says_status_bytes_and_what_was_detected(context: event.FlowContext) -> None:
    value = checked(ssh_events.finished(context, FINISHED, 1500))
    facts = value["unmapped"]
    assert (facts["exit_status"], facts["bytes"], facts["error"]) == (3, 12, "exit status 3")
    assert facts["detected"] == {"card": 1} and (value["status_id"], value["duration"]) == (2, 1)


def test_a_marker_names_the_channel(context: event.FlowContext) -> None:
    note = json.loads(ssh_events.note(context, REQUEST, DENIED))
    assert (note["kind"], note["channel"], note["decision"]) == ("decision", 3, "f00-1.2")


@given(st.text(), st.text(min_size=1))
def test_any_text_and_name_can_be_recorded(text: str, login: str) -> None:
    context = event.FlowContext(FlowId("f00-1"), KEY, None, None)
    request = Request(1, Phase.EXECUTE, text, (f"login={login}",))
    value = checked(ssh_events.decided(context, request, ALLOWED))
    assert value["unmapped"]["login"] == login and value["message"] == text[: 64 << 10]
