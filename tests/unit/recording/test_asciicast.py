"""Channels as asciicast files: their times, sizes, streams and markers, and a recording that was cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostagent.recording import event
from hostagent.recording.asciicast import channel_cast
from hostagent.recording.capture import CHANNEL_TURN_BYTES, ERROR, INPUT, OUTPUT, SessionRecording
from hostagent.recording.channels import channels, has_channels
from hostagent.recording.reading import read_recording
from tests.unit.recording.ssh_session import record

NO_LIMIT = float("inf")


def casts(path: Path, idle_limit: float = NO_LIMIT) -> dict[int, list[Any]]:
    recording = read_recording(path)
    return {
        channel.number: [json.loads(line) for line in channel_cast(recording.header, channel, idle_limit)]
        for channel in channels(recording)
    }


def test_an_exec_without_a_terminal(tmp_path: Path, context: event.FlowContext) -> None:
    header, *events = casts(tmp_path / record(tmp_path, context).close().name)[1]
    assert header["version"] == 2 and (header["width"], header["height"]) == (80, 24) and "env" not in header
    assert header["title"] == "hostagent f00-1 shop exec cat -"
    assert events == [
        [0.0, "m", "allow by deploy: deploying is allowed"],
        [0.1, "i", "hello\n"],
        [0.2, "o", "hel"],
        [0.3, "o", "lo "],
        [0.4, "o", "ä\r\n"],
        [0.5, "o", "oops\r\n"],
    ]


def test_a_shell_with_a_terminal(tmp_path: Path, context: event.FlowContext) -> None:
    header, *events = casts(tmp_path / record(tmp_path, context).close().name)[2]
    assert (header["width"], header["height"], header["env"]) == (100, 30, {"TERM": "xterm"})
    assert [(at, code) for at, code, _ in events] == [(0.1, "o"), (2.1, "i"), (2.2, "r"), (2.3, "o")]
    assert events[2][2] == "120x40" and events[3][2] == "ls\r\na b\r\n"


def test_pauses_are_cut_to_the_limit(tmp_path: Path, context: event.FlowContext) -> None:
    _, *events = casts(tmp_path / record(tmp_path, context).close().name, 0.5)[2]
    assert [at for at, _, _ in events] == [0.1, 0.6, 0.7, 0.8]


def test_operations_of_a_transfer_are_markers(tmp_path: Path, context: event.FlowContext) -> None:
    _, *events = casts(tmp_path / record(tmp_path, context).close().name)[3]
    assert [code for _, code, _ in events] == ["m", "m", "m"]
    assert events[0][2] == f"write /srv/a: 12 bytes, sha256 {'ab' * 32}"
    assert events[1][2] == "read /srv/b: 9 bytes, not complete, no hash: appended"
    assert events[2][2] == "deny by no-secrets: secrets stay"


def test_what_was_left_out_is_marked(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context)
    recording.capture_channel(1, OUTPUT, b"x" * (CHANNEL_TURN_BYTES + 9), 1)
    *_, last = casts(tmp_path / recording.close().name)[1]
    assert last == [0.0, "m", "9 more bytes, not recorded"]


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_cut_recording_gives_a_cast_up_to_the_cut(tmp_path: Path, context: event.FlowContext, cut: int) -> None:
    recording = record(tmp_path, context)
    recording.flush()
    recording.capture_channel(4, INPUT, b"lost", 9_000_000)
    path = tmp_path / recording.close().name
    path.write_bytes(path.read_bytes()[:-cut])
    read = read_recording(path)
    assert read.torn and has_channels(read)
    assert [len(cast) > 1 for cast in casts(path).values()][:3] == [True, True, True]


@given(st.lists(st.tuples(st.sampled_from([INPUT, OUTPUT, ERROR]), st.binary(max_size=40)), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_any_bytes_give_a_cast(tmp_path: Path, context: event.FlowContext, said: list[tuple[int, bytes]]) -> None:
    recording = SessionRecording(tmp_path, context)
    for at, (stream, data) in enumerate(said):
        recording.capture_channel(7, stream, data, at)
    path = tmp_path / recording.close().name
    for cast in casts(path).values():
        assert all(code in "io" and text for _, code, text in cast[1:])
    path.unlink()
