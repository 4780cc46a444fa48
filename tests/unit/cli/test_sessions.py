"""`hostagent sessions`: list, show, play and export."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import dpkt
import pytest

from hostagent.cli import sessions
from hostagent.errors import FileError
from hostagent.protocols.postgres import messages as pg
from hostagent.recording import event
from hostagent.recording.capture import SessionRecording
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from tests.unit.recording.ssh_session import record


@pytest.fixture
def state(tmp_path: Path) -> Directory:
    directory = Directory(tmp_path)
    directory.sessions.mkdir(parents=True)
    context = event.FlowContext(FlowId("f00-1"), FlowKey(Endpoint("::1", 4), Endpoint("::2", 5432)), None, None)
    recording = SessionRecording(directory.sessions, context)
    recording.capture("client", pg.query(b"SELECT 1"), 1_000)
    recording.capture("upstream", pg.message(pg.COMMAND_COMPLETE, b"SELECT 1\0"), 300_000)
    journal = Journal(directory.journal, "worker0")
    journal.append(event.flow_opened(context))
    journal.append(event.flow_closed(context, "", {"client": 7, "upstream": 9}, recording.close()))
    journal.close()
    return directory


def call(state: Directory, command: str, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    sessions.register(parser.add_subparsers())
    parsed = parser.parse_args(["sessions", command, "--state-dir", str(state.path), *arguments])
    code: int = parsed.run(parsed)
    return code


def test_list(state: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(state, "list") == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.startswith("FLOW") and line.startswith("f00-1 ") and "7 / 9" in line
    assert call(state, "list", "-o", "json") == 0
    (only,) = json.loads(capsys.readouterr().out)["sessions"]
    assert (only["flow"], only["requests"], only["bytes_upstream"]) == ("f00-1", 0, 9)


def test_show(state: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(state, "show", "f00-1") == 0
    shown = capsys.readouterr().out
    assert "f00-1" in shown and "session=> SELECT 1\nSELECT 1\n" in shown
    assert call(state, "show", "f00-1.3", "-o", "json") == 0
    assert [step["kind"] for step in json.loads(capsys.readouterr().out)["steps"]] == ["statement", "done"]


@pytest.mark.parametrize(("arguments", "waited"), [((), 0.3), (("--speed", "3"), 0.1)])
def test_play_takes_its_time(
    state: Directory, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], waited: float
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("hostagent.cli.sessions.time.sleep", waits.append)
    assert call(state, "play", str(state.recordings()[0]), *arguments) == 0
    assert sum(waits) == pytest.approx(waited)


def test_play_without_waiting(state: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(state, "play", "f00-1", "--no-wait") == 0
    assert capsys.readouterr().out == "session=> SELECT 1\nSELECT 1\n"


def test_export(state: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(state, "export", "f00-1") == 0
    header, *lines = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert header["version"] == 2 and [line[1] for line in lines] == ["o", "o"] and lines[1][0] == 0.3
    assert call(state, "export", "f00-1", "--format", "json") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert call(state, "export", "f00-1", "--format", "text") == 0
    assert capsys.readouterr().out == "session=> SELECT 1\nSELECT 1\n"


def test_an_unknown_id_is_told(state: Directory) -> None:
    with pytest.raises(FileError, match="no such recording"):
        call(state, "play", "f00-9")


@pytest.fixture
def ssh(tmp_path: Path) -> Directory:
    directory = Directory(tmp_path / "ssh")
    directory.sessions.mkdir(parents=True)
    key = FlowKey(Endpoint("10.0.0.9", 40000), Endpoint("10.0.0.5", 22))
    record(directory.sessions, event.FlowContext(FlowId("f00-2"), key, None, None)).close()
    return directory


def test_show_lists_channels_operations_and_decisions(ssh: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(ssh, "show", "f00-2") == 0
    shown = capsys.readouterr().out
    assert "channel 1: exec cat -  exit status 3\n" in shown and "(decision f00-1.1)" in shown
    assert "write /srv/a: 12 bytes, sha256 abab" in shown and "deny by no-secrets" in shown
    assert "hello" not in shown
    assert call(ssh, "show", "f00-2", "-o", "json") == 0
    assert [c["request"] for c in json.loads(capsys.readouterr().out)["channels"]] == ["exec", "shell", "subsystem", ""]


def test_play_a_channel(ssh: Directory, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(ssh, "play", "f00-2", "--channel", "1", "--no-wait") == 0
    assert capsys.readouterr().out.endswith("hello ä\noops\n")
    began = time.monotonic()
    assert call(ssh, "play", "f00-2", "--channel", "1", "--max-wait", "0.1", "--speed", "2") == 0
    assert 0.2 <= time.monotonic() - began < 2.0
    with pytest.raises(FileError, match="no channel 9"):
        call(ssh, "play", "f00-2", "--channel", "9")


def test_export_a_channel(ssh: Directory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cast = tmp_path / "two.cast"
    assert call(ssh, "export", "f00-2", "--asciicast", "--channel", "2", "-o", str(cast)) == 0
    header, *events = (json.loads(line) for line in cast.read_text().splitlines())
    assert header["width"] == 100 and [code for _, code, _ in events] == ["o", "i", "r", "o"]
    with pytest.raises(FileError, match="channels 1, 2, 3, 4"):
        call(ssh, "export", "f00-2", "--asciicast")
    assert call(ssh, "export", "f00-2", "--format", "text", "--channel", "2") == 0
    assert capsys.readouterr().out == "$ ls\na b\n"
    assert call(ssh, "export", "f00-2", "--format", "json") == 0
    assert [json.loads(line).get("channel") for line in capsys.readouterr().out.splitlines()] == [None, 1, 2, 3, 4]


def test_export_packets(
    ssh: Directory, state: Directory, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "out.pcap"
    assert call(ssh, "export", "f00-2", "--pcap", "-o", str(file)) == 0
    with file.open("rb") as read:
        assert any(b"question" in data for _, data in dpkt.pcap.Reader(read))
    assert call(state, "export", "f00-1", "--pcap") == 0
    assert b"SELECT 1" in capfdbinary.readouterr().out
