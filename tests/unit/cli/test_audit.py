"""`hostagent audit verify`: exit code and the first bad record."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from hostagent.cli import audit
from hostagent.recording.checkpoint import Checkpointer
from hostagent.recording.directory import Directory
from hostagent.recording.event import host_event
from hostagent.recording.journal import Journal


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    audit.register(parser.add_subparsers())
    parsed = parser.parse_args(["audit", "verify", *arguments])
    code: int = parsed.run(parsed)
    return code


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = Directory(tmp_path)
    journal = Journal(directory.journal, "host")
    for name in ("ready", "policy", "stopped"):
        journal.append(host_event(name, "text", {}))
    journal.close()
    Checkpointer(directory).checkpoint()
    return tmp_path


def test_intact(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--state-dir", str(state)) == 0
    assert capsys.readouterr().out == "intact: 3 records in 1 files, 1 checkpoints, 0 recordings\n"


def test_altered(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = state / "records/journal/host-000001.ndjson"
    path.write_bytes(path.read_bytes().replace(b'"policy"', b'"pOlicy"', 1))
    assert call("--state-dir", str(state)) == 1
    assert f"BAD: {path}:2: altered: the line is not as it was written\n" in capsys.readouterr().out
    assert call("--state-dir", str(state), "-o", "json") == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["place"] == f"{path}:2"


def test_nothing_there_is_not_intact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--state-dir", str(tmp_path)) == 1
    assert "there are no journals" in capsys.readouterr().out
