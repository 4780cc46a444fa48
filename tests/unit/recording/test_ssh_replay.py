"""Replay of sessions with channels: what is shown, in what order, and what of it may reach an operator's terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.protocols.ssh.git_push import Pushed
from hostagent.recording import event, ssh_notes
from hostagent.recording.capture import SessionRecording
from hostagent.recording.channels import Channel, channels
from hostagent.recording.reading import read_recording
from hostagent.recording.ssh_replay import channel_json, lines, played
from hostagent.recording.terminal import Printed
from tests.unit.recording.ssh_session import record


@pytest.fixture
def recorded(tmp_path: Path, context: event.FlowContext) -> list[Channel]:
    return channels(read_recording(tmp_path / record(tmp_path, context).close().name))


def test_channels_tell_what_became_of_them(recorded: list[Channel]) -> None:
    assert [(c.number, c.title, c.outcome) for c in recorded] == [
        (1, "exec cat -", "exit status 3"),
        (2, "shell", "signal HUP"),
        (3, "subsystem sftp", "ended"),
        (4, "direct-tcpip db:5432", "no end is recorded"),
    ]


def test_a_channel_is_shown_with_its_operations_and_decisions(recorded: list[Channel]) -> None:
    assert list(lines(recorded[0], colour=False)) == [
        "channel 1: exec cat -  exit status 3",
        "  stdin 6 bytes, stdout 9 bytes, stderr 5 bytes",
        "  allow by deploy: deploying is allowed (decision f00-1.1)",
    ]
    third = list(lines(recorded[2], colour=False))
    assert third[2].startswith("  write /srv/a: 12 bytes, sha256") and "(decision f00-1.3)" in third[4]
    assert "(xterm 100x30)" in next(iter(lines(recorded[1], colour=False)))


def test_a_push_is_shown_by_its_refs(tmp_path: Path, context: event.FlowContext) -> None:
    push = Pushed()
    push.feed(b"0065" + b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/main0000")
    recording = SessionRecording(tmp_path, context)
    recording.note(ssh_notes.pushed(1, push))
    (channel,) = channels(read_recording(tmp_path / recording.close().name))
    assert list(lines(channel, colour=False))[1] == "  push refs/heads/main 000000000000..111111111111"


def test_a_command_that_is_not_utf8_can_be_shown(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context)
    recording.note(ssh_notes.started(1, "exec", b"cat \xff".decode("utf-8", "surrogateescape")))
    (channel,) = channels(read_recording(tmp_path / recording.close().name))
    shown = [*lines(channel, colour=False), json.dumps(channel_json(channel), ensure_ascii=False)]
    assert all("cat \\udcff" in text.replace("\\\\", "\\") and text.encode() for text in shown)


def test_one_channel_plays_as_it_was_printed(recorded: list[Channel]) -> None:
    text = "".join(text for _, text in played(recorded[:1], False, 9.0))
    assert text == "-- hostagent: allow by deploy: deploying is allowed\nhello ä\noops\n"
    assert [round(at, 1) for at, _ in played(recorded[:1], False, 9.0)][-1] == 0.5
    painted = "".join(text for _, text in played(recorded[1:2], True, 9.0))
    assert painted == "\x1b[32m$\x1b[0m ls\r\na b\r\n"
    assert max(at for at, _ in played(recorded[1:2], True, 0.5)) <= 1.1


def test_several_channels_are_named_when_they_speak(recorded: list[Channel]) -> None:
    text = "".join(text for _, text in played(recorded, False, 0.0))
    order = [text.index(f"-- channel {number}: ") for number in (1, 2, 3, 4)]
    assert order == sorted(order) and "$ ls\na b\n" in text and text.endswith("answer") and "\x1b" not in text


def test_a_channel_as_json(recorded: list[Channel]) -> None:
    value = channel_json(recorded[0])
    assert value["bytes"] == {"stdin": 6, "stdout": 9, "stderr": 5}
    assert {"at_us": 1_500_000, "kind": "stderr", "channel": 1, "text": "oops\n"} in value["entries"]


@pytest.mark.parametrize(
    "act",
    [
        b"\x1b]0;title\x07",
        b"\x1b]52;c;cm0gLXJm\x1b\\",
        b'\x1bP$q"p\x1b\\',
        b"\x1b[6n",
        b"\x1b[c",
        b"\x1b[?1000h",
        b"\x1b[21t",
        b"\x1b[>c",
        "\x9b6n".encode(),
        b"\x05",
    ],
)
def test_sequences_that_act_do_not_pass(act: bytes) -> None:
    for paint in (True, False):
        for cut in range(len(act) + 1):
            printed = Printed(paint)
            text = printed.feed(b"a" + act[:cut]) + printed.feed(act[cut:] + b"b") + printed.feed(b"", True)
            assert text.replace("6n", "").startswith("a") and text.endswith("b") and not set(text) & set("\x1b\x05\x9b")


@pytest.mark.parametrize(
    "sequence", [b"\x1b[1;31m", b"\x1b[2J", b"\x1b[10;20H", b"\x1b[?25l", b"\x1b[K", b"\x1b(B", b"\x1b7"]
)
def test_sequences_that_paint_pass_on_a_terminal_only(sequence: bytes) -> None:
    for cut in range(len(sequence) + 1):
        printed = Printed(True)
        assert printed.feed(b"a" + sequence[:cut]) + printed.feed(sequence[cut:] + b"b") == f"a{sequence.decode()}b"
    assert Printed(False).feed(b"a" + sequence + b"b") == "ab"


@given(
    st.lists(
        st.binary(max_size=20) | st.sampled_from([b"\x1b", b"\x1b[", b"\x1b]", b"m", b"\x07", b"\xc3"]), max_size=12
    )
)
def test_nothing_that_acts_comes_through_whatever_is_printed(pieces: list[bytes]) -> None:
    printed = Printed(False)
    text = "".join(printed.feed(piece) for piece in pieces) + printed.feed(b"", True)
    assert not any((ord(c) < 32 and c not in "\a\b\t\n\r\x0e\x0f") or 0x7F <= ord(c) < 0xA0 for c in text)
