"""A state directory with two chains, a recording and a checkpoint, and the values that events are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.recording import event
from hostagent.recording.capture import SessionRecording
from hostagent.recording.checkpoint import Checkpointer
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal
from hostagent.values.actor import Actor, Attribute, Grade, Process
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls

KEY = FlowKey(Endpoint("10.0.0.9", 40000), Endpoint("10.0.0.5", 5432))
TARGET = Target("shop", "postgres", UpstreamTls.VERIFY_FULL)
ALLOWED = Ruling(Verdict.ALLOW, "read", "reading is allowed", ("select",), ("public.users",))
DENIED = Ruling(Verdict.DENY, "no-drop", "dropping is denied", ("drop",), ("public.users",))


def make_actor() -> Actor:
    """psql, started by a shell, started by a service."""
    chain = [
        Process(pid, start * 10**9, f"/usr/bin/{name}", (name, "-x"), name, 1000)
        for pid, start, name in ((4711, 90, "psql"), (4700, 80, "bash"), (4600, 70, "runner"))
    ]
    attributes = (Attribute("unit", "runner.service", Grade.KERNEL), Attribute("ci_job", "17", Grade.CLAIMED))
    path = "/system.slice/runner.service"
    return Actor(chain[0], tuple(chain[1:]), 1000, "ci", 1000, "ci", None, "", path, attributes)


@pytest.fixture
def context() -> event.FlowContext:
    made = event.FlowContext(FlowId("f00-1"), KEY, make_actor(), TARGET)
    made.describe({"user": "app", "database": "shop"})
    return made


@pytest.fixture
def state(tmp_path: Path, context: event.FlowContext) -> Directory:
    """Two chains of several files, one closed recording, two checkpoints."""
    directory = Directory(tmp_path)
    write_flow(directory, context)
    host = Journal(directory.journal, "host")
    host.append(event.host_event("ready", "governing", {"swept": 0}))
    checkpointer = Checkpointer(directory)
    assert checkpointer.checkpoint()
    host.append(event.host_event("stopped", "removed", {}))
    host.close()
    assert checkpointer.checkpoint()
    return directory


def write_flow(directory: Directory, context: event.FlowContext, requests: int = 6) -> None:
    """What a worker writes of one flow: each second statement is denied."""
    directory.sessions.mkdir(parents=True, exist_ok=True)
    journal = Journal(directory.journal, "worker0", rotate_bytes=6000)
    journal.append(event.flow_opened(context))
    recording = SessionRecording(directory.sessions, context)
    journal.append(event.session_opened(context))
    for number in range(1, requests + 1):
        decision = Decision(f"{context.flow_id}.{number}", DENIED if number % 2 == 0 else ALLOWED)
        journal.append(event.decided(context, f"SELECT {number}", decision))
        recording.capture("client", b"Q\0\0\0\x0dSELECT 1\0", number * 1000)
        recording.note(event.decision_note(context, decision))
        if (digest := recording.flush()) is not None:
            journal.append(event.recording_grew(context, digest))
        if decision.ruling.verdict.forwards:
            journal.append(event.finished(context, [event.outcome(decision.id, Outcome(number, 100), 1500)], False))
    journal.append(event.flow_closed(context, "", {"client": 10, "upstream": 20}, recording.close()))
    journal.close()
