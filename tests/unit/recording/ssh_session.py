"""A recorded SSH session: an exec, a shell with a terminal, an sftp channel and a forwarded stream."""

from __future__ import annotations

from pathlib import Path

from hostagent.protocols.ssh.transfer import Transfer
from hostagent.recording import event, ssh_notes
from hostagent.recording.capture import ERROR, INPUT, OUTPUT, SessionRecording
from hostagent.values.decision import Decision, Ruling, Verdict

ALLOWED = Ruling(Verdict.ALLOW, "deploy", "deploying is allowed", ("exec",))
DENIED = Ruling(Verdict.DENY, "no-secrets", "secrets stay", ("sftp_read",))


def record(directory: Path, context: event.FlowContext) -> SessionRecording:
    recording = SessionRecording(directory, context)
    _exec(recording, context)
    _shell(recording, context)
    recording.note(ssh_notes.channel_opened(3, "session"), 6_000_000)
    recording.note(ssh_notes.started(3, "subsystem", "sftp"))
    recording.note(ssh_notes.transferred(3, Transfer("/srv/a", "write", 12, "ab" * 32, "", True)))
    recording.note(ssh_notes.transferred(3, Transfer("/srv/b", "read", 9, "", "appended", False)))
    recording.note(ssh_notes.decided(3, event.decision_note(context, Decision("f00-1.3", DENIED))))
    recording.note(ssh_notes.ended(3, None, "", (100, 200, 0)))
    recording.note(ssh_notes.channel_opened(4, "direct-tcpip", "db:5432"), 7_000_000)
    recording.capture_channel(4, INPUT, b"question", 7_000_001)
    recording.capture_channel(4, OUTPUT, b"answer", 7_000_002)
    return recording


def _exec(recording: SessionRecording, context: event.FlowContext) -> None:
    recording.note(ssh_notes.channel_opened(1, "session"), 1_000_000)
    recording.note(ssh_notes.decided(1, event.decision_note(context, Decision("f00-1.1", ALLOWED))))
    recording.note(ssh_notes.started(1, "exec", "cat -"))
    recording.capture_channel(1, INPUT, b"hello\n", 1_100_000)
    recording.capture_channel(1, OUTPUT, b"hel", 1_200_000)
    recording.capture_channel(1, OUTPUT, b"lo \xc3", 1_300_000)
    recording.capture_channel(1, OUTPUT, b"\xa4\n", 1_400_000)
    recording.capture_channel(1, ERROR, b"oops\n", 1_500_000)
    recording.note(ssh_notes.ended(1, 3, "", (6, 9, 5)), 1_600_000)
    recording.end_channel(1)


def _shell(recording: SessionRecording, context: event.FlowContext) -> None:
    recording.note(ssh_notes.channel_opened(2, "session"), 2_000_000)
    recording.note(ssh_notes.pty(2, "xterm", 100, 30))
    recording.note(ssh_notes.started(2, "shell"))
    recording.capture_channel(2, OUTPUT, b"\x1b[32m$\x1b[0m \x1b]52;c;cm0=\x07", 2_100_000)
    recording.capture_channel(2, INPUT, b"ls\r", 4_100_000)
    recording.note(ssh_notes.resized(2, 120, 40), 4_200_000)
    recording.capture_channel(2, OUTPUT, b"ls\r\na b\r\n", 4_300_000)
    recording.note(ssh_notes.ended(2, None, "HUP", (3, 30, 0)), 4_400_000)
