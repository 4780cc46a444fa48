"""`hostagent policy suggest`: reads events, prints a draft, and says when there is nothing to draft."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from hostagent.cli import policy_suggest
from hostagent.recording import event
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal
from hostagent.values.decision import Decision, Ruling, Verdict
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls

CONTEXT = event.FlowContext(
    FlowId("f00-1"), FlowKey(Endpoint("10.0.0.9", 40000), Endpoint("10.0.0.5", 3306)), None, None
)


def call(directory: Path, *events: bytes) -> int:
    journal = Journal(Directory(directory).journal, "worker0")
    for encoded in events:
        journal.append(encoded)
    journal.close()
    parser = argparse.ArgumentParser()
    policy_suggest.register(parser.add_subparsers())
    parsed = parser.parse_args(["suggest", "--state-dir", str(directory)])
    code: int = parsed.run(parsed)
    return code


def test_a_refused_flow_is_drafted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = event.flow_refused(CONTEXT, "denied: no target of the policy covers 10.0.0.5:3306")
    assert call(tmp_path, refused, refused) == 0
    printed = capsys.readouterr().out
    assert "protocol: mysql" in printed
    assert "asked for 2 times" in printed


def test_what_was_only_observed_is_drafted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = event.FlowContext(CONTEXT.flow_id, CONTEXT.key, None, Target("shop", "mysql", UpstreamTls.OFF))
    ruling = Ruling(Verdict.OBSERVE, "", "no rule allows select on sales", ("select",), would=Verdict.DENY)
    assert call(tmp_path, event.decided(context, "SELECT 1 FROM sales", Decision("f00-1.1", ruling))) == 0
    printed = capsys.readouterr().out
    assert 'kinds: ["select"], relations: ["sales"]' in printed
    assert "SELECT 1 FROM sales" in printed


def test_nothing_to_draft_is_a_negative_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path, event.flow_opened(CONTEXT)) == 1
    assert capsys.readouterr().out == ""
