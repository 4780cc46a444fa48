"""`hostagent events`: filters, both forms of output, and following."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hostagent.cli import events
from hostagent.errors import HostError
from hostagent.recording import event
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal
from hostagent.recording.row import single
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls

CONTEXT = event.FlowContext(
    FlowId("f00-1"),
    FlowKey(Endpoint("10.0.0.9", 40000), Endpoint("10.0.0.5", 5432)),
    None,
    Target("shop", "postgres", UpstreamTls.OFF),
)
ALLOWED = Decision("f00-1.1", Ruling(Verdict.ALLOW, "read", "", ("select",)))
DENIED = Decision("f00-1.2", Ruling(Verdict.DENY, "no-drop", "dropping is denied", ("drop",)))


@pytest.fixture
def state(tmp_path: Path) -> Directory:
    directory = Directory(tmp_path)
    journal = Journal(directory.journal, "worker0")
    journal.append(event.flow_opened(CONTEXT))
    journal.append(event.decided(CONTEXT, "SELECT 1", ALLOWED))
    journal.append(event.finished(CONTEXT, [event.outcome("f00-1.1", Outcome(1, 10), 2500)], failed=False))
    journal.append(event.decided(CONTEXT, "DROP TABLE\n users\x1b[2J", DENIED))
    journal.close()
    return directory


def call(state: Directory, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    events.register(parser.add_subparsers())
    parsed = parser.parse_args(["events", "--state-dir", str(state.path), *arguments])
    code: int = parsed.run(parsed)
    return code


def test_a_table(state: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(state) == 0
    head, opened, allowed, denied = capsys.readouterr().out.splitlines()
    assert head.split() == ["TIME", "VERDICT", "PID", "PROCESS", "UNIT", "TARGET", "STATEMENT", "RULE", "ROWS", "MS"]
    assert "(flow opened)" in opened
    assert allowed.split()[1:] == ["allow", "shop", "SELECT", "1", "read", "1", "2.5"]
    assert "DROP TABLE users" in denied and "[dropping is denied]" in denied and "\x1b" not in denied


@pytest.mark.parametrize(
    ("arguments", "decisions"),
    [
        (("--verdict", "deny"), ["f00-1.2"]),
        (("--id", "f00-1.1"), ["f00-1.1", "f00-1.1"]),
        (("--target", "shop", "--since", "1h", "-n", "1"), ["f00-1.2"]),
        (("--target", "other"), []),
        (("--actor", "psql"), []),
    ],
)
def test_json_lines_are_those_of_the_journal(
    state: Directory, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], decisions: list[str]
) -> None:
    assert call(state, "-o", "json", *arguments) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["unmapped"]["decision"] for line in lines for event in single(line)] == decisions
    assert all("chain" in line for line in lines)


def test_a_decision_that_is_not_there(state: Directory) -> None:
    assert call(state, "--id", "f00-9.9") == 1


def test_no_journals_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no journals"):
        call(Directory(tmp_path))


def test_spans() -> None:
    assert abs(events.since("2m") - (time.time() - 120) * 1000) < 5000
    with pytest.raises(argparse.ArgumentTypeError):
        events.since("soon")


def test_follow_shows_what_comes(state: Directory) -> None:
    script = (
        "import argparse, sys; from hostagent.cli import events\n"
        "p = argparse.ArgumentParser(); events.register(p.add_subparsers())\n"
        "a = p.parse_args(sys.argv[1:]); a.run(a)\n"
    )
    command = [sys.executable, "-u", "-c", script, "events", "-f", "-o", "json", "--state-dir", str(state.path)]
    with subprocess.Popen([*command, "--id", "f00-1.2"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["unmapped"]["verdict"] == "deny"  # what was there
        journal = Journal(state.journal, "worker0")
        journal.append(event.decided(CONTEXT, "SELECT 2", ALLOWED))
        journal.append(event.decided(CONTEXT, "DROP TABLE later", DENIED))
        assert json.loads(process.stdout.readline())["query_info"]["query_string"] == "DROP TABLE later"
        process.kill()
