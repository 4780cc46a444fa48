"""Session recordings: what went in comes out, also after a crash; bounded; a full disk is told."""

from __future__ import annotations

import hashlib
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostagent.errors import FileError
from hostagent.protocols.postgres import messages as pg
from hostagent.recording import event
from hostagent.recording.capture import CHANNEL_TURN_BYTES, ERROR, INPUT, OUTPUT, TURN_BYTES, SessionRecording
from hostagent.recording.journal import RecordingError
from hostagent.recording.reading import Captured, Note, Spoken, read_recording
from hostagent.recording.replay import asciicast, render, timed
from hostagent.recording.transcript import Line, Statement, Table, transcript
from hostagent.values.decision import Decision, Ruling, Verdict


def column(name: bytes) -> bytes:
    return name + b"\0" + bytes(18)


def session(tmp_path: Path, context: event.FlowContext) -> SessionRecording:
    recording = SessionRecording(tmp_path, context)
    recording.capture("client", pg.query(b"SELECT id, name FROM users"), 1_000_000)
    recording.note(event.decision_note(context, Decision("f00-1.1", Ruling(Verdict.ALLOW, "read", ""))))
    row = b"\0\2\0\0\0\x011\xff\xff\xff\xff"
    answer = pg.message(pg.ROW_DESCRIPTION, b"\0\2" + column(b"id") + column(b"name")) + pg.message(pg.DATA_ROW, row)
    answer += pg.message(pg.COMMAND_COMPLETE, b"SELECT 1\0") + pg.message(pg.READY, b"I")
    recording.capture("upstream", answer[:20], 1_500_000)
    recording.capture("upstream", answer[20:], 1_600_000)
    recording.capture("client", pg.query(b"DROP TABLE users"), 9_000_000)
    recording.note(event.decision_note(context, Decision("f00-1.2", Ruling(Verdict.DENY, "no-drop", "no"))))
    recording.capture("upstream", pg.error_response("ERROR", "42501", "denied", hint="ask"), 9_000_100)
    return recording


def test_a_session_reads_as_it_was(tmp_path: Path, context: event.FlowContext) -> None:
    recording = session(tmp_path, context)
    digest = recording.close()
    path = tmp_path / digest.name
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size) == (digest.sha256, digest.bytes)
    read = read_recording(path)
    assert not read.torn and read.header["flow"] == "f00-1" and read.header["actor"]["process"]["pid"] == 4711
    steps = transcript(read)
    kinds = [step.kind if isinstance(step, Line) else type(step).__name__ for step in steps]
    assert kinds == ["Statement", "decision", "Table", "done", "Statement", "decision", "error"]
    table = steps[2]
    assert isinstance(table, Table) and table.columns == ["id", "name"] and table.rows == [["1", None]]
    text = "".join(render(step, "shop=>", colour=False) for step in steps)
    assert "shop=> DROP TABLE users\n" in text and "(1 row)" in text and "ERROR:  denied\nHINT:  ask" in text
    assert "\x1b" not in text and "\x1b[" in "".join(render(step, "shop=>", colour=True) for step in steps)
    assert [round(at, 1) for at, _ in timed(steps, 2.0)][-1] == 3.6
    cast = list(asciicast(read.header, steps, "shop=>", 2.0))
    assert len(cast) == 1 + len(steps) and '"version": 2' in cast[0]


def test_escape_sequences_of_a_server_drive_no_terminal() -> None:
    assert "\x1b" not in render(Statement(0, "SELECT '\x1b[2J'"), "=>", colour=False)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_cut_recording_is_readable_up_to_the_cut(tmp_path: Path, context: event.FlowContext, cut: int) -> None:
    recording = session(tmp_path, context)
    recording.flush()
    recording.capture("client", pg.query(b"SELECT 'lost'"), 9_500_000)
    path = tmp_path / recording.close().name
    path.write_bytes(path.read_bytes()[:-cut])
    read = read_recording(path)
    assert read.torn and [e for e in read.entries if isinstance(e, Captured)]
    last = transcript(read)[-1]
    assert isinstance(last, Line) and last.kind == "gap"


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.rec"
    path.write_bytes(data)
    with pytest.raises(FileError):
        read_recording(path)


@given(st.lists(st.tuples(st.sampled_from(["client", "upstream"]), st.binary(max_size=60)), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_kept_and_can_be_shown(
    tmp_path: Path, context: event.FlowContext, captured: list[tuple[str, bytes]]
) -> None:
    recording = SessionRecording(tmp_path, context)
    for at, (leg, data) in enumerate(captured):
        recording.capture(leg, data, at)
    path = tmp_path / recording.close().name
    read = read_recording(path)
    path.unlink()
    assert [(e.leg, e.data) for e in read.entries if isinstance(e, Captured)] == [c for c in captured if c[1]]
    for step in transcript(read):
        render(step, "=>", colour=False)


def test_a_long_turn_is_cut_with_one_marker_and_the_next_is_readable(
    tmp_path: Path, context: event.FlowContext
) -> None:
    recording = SessionRecording(tmp_path, context)
    recording.capture("client", pg.query(b"COPY users TO STDOUT"), 1)
    for at in range(100):
        recording.capture("upstream", pg.message(pg.COPY_DATA, bytes(9000)), at)
    recording.capture("client", pg.query(b"SELECT 2"), 200)
    recording.capture("upstream", pg.message(pg.COMMAND_COMPLETE, b"SELECT 1\0"), 201)
    read = read_recording(tmp_path / recording.close().name)
    markers = [entry for entry in read.entries if isinstance(entry, Note)]
    kept = sum(len(e.data) for e in read.entries if isinstance(e, Captured) and e.leg == "upstream") - 14
    assert kept == TURN_BYTES
    assert [(m.kind, m.facts) for m in markers] == [("truncated", {"leg": "upstream", "bytes": 900_500 - kept})]
    assert [s.text for s in transcript(read)[-2:] if not isinstance(s, Table)] == ["SELECT 2", "SELECT 1"]


def test_a_session_beyond_its_limit_is_refused(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context, max_bytes=1000)
    recording.capture("client", bytes(1000), 1)
    with pytest.raises(RecordingError, match="more than 1000"):
        recording.capture("client", b"x", 2)


def test_running_digests_come_when_they_are_due(tmp_path: Path, context: event.FlowContext) -> None:
    recording = session(tmp_path, context)
    first = recording.flush()
    assert first is not None and first.sha256 == hashlib.sha256((tmp_path / first.name).read_bytes()).hexdigest()
    recording.capture("client", b"more", 1)
    assert recording.flush() is None
    assert recording.close().bytes > first.bytes


def test_a_full_disk_ends_the_session_and_leaves_a_readable_file(tmp_path: Path, context: event.FlowContext) -> None:
    recording = session(tmp_path, context)
    recording.flush()
    path = tmp_path / recording.name
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
        recording.capture("client", b"x" * 1000, 1)
        with pytest.raises(RecordingError):
            recording.flush()
        digest = recording.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert digest.bytes == size == path.stat().st_size and not read_recording(path).torn


def test_channels_are_kept_apart(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context)
    said = [(1, INPUT, b"ls\n"), (2, OUTPUT, b"two"), (1, OUTPUT, b"a b\n"), (1, ERROR, b"oops"), (70_000, INPUT, b"x")]
    for at, (channel, stream, data) in enumerate(said):
        recording.capture_channel(channel, stream, data, at)
    recording.note(b'{"kind":"resize","channel":1}', 77)
    *spoken, note = read_recording(tmp_path / recording.close().name).entries
    assert [(s.channel, s.stream, s.data) for s in spoken if isinstance(s, Spoken)] == said
    assert note == Note(77, "resize", {"channel": 1})


def test_a_long_turn_of_a_channel_is_cut_and_others_are_not(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context)
    for at in range(10):
        recording.capture_channel(1, OUTPUT, bytes(1 << 20), at)
        recording.capture_channel(2, OUTPUT, b"short", at)
    recording.end_channel(1)
    recording.capture_channel(2, INPUT, b"more", 11)
    entries = read_recording(tmp_path / recording.close().name).entries
    kept = sum(len(e.data) for e in entries if isinstance(e, Spoken) and e.channel == 1)
    assert kept == CHANNEL_TURN_BYTES
    facts = {"channel": 1, "stream": OUTPUT, "bytes": (10 << 20) - CHANNEL_TURN_BYTES}
    assert [e for e in entries if isinstance(e, Note)] == [Note(10 - 1, "truncated", facts)]
    assert sum(len(e.data) for e in entries if isinstance(e, Spoken) and e.channel == 2) == 54


def test_the_next_turn_of_a_channel_is_kept_again(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context)
    recording.capture_channel(1, OUTPUT, bytes(CHANNEL_TURN_BYTES + 7), 1)
    recording.capture_channel(1, INPUT, b"on", 2)
    recording.capture_channel(1, OUTPUT, b"again", 3)
    kinds = [type(e).__name__ for e in read_recording(tmp_path / recording.close().name).entries]
    assert kinds == ["Spoken", "Note", "Spoken", "Spoken"]


def test_channels_count_toward_the_limit(tmp_path: Path, context: event.FlowContext) -> None:
    recording = SessionRecording(tmp_path, context, max_bytes=1000)
    recording.capture_channel(1, OUTPUT, bytes(900), 1)
    with pytest.raises(RecordingError, match="more than 1000"):
        recording.capture_channel(2, OUTPUT, bytes(200), 2)
