"""Verify: any edit of what was recorded is found; a crash is told from an edit; retention is accepted, nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostagent.recording import event
from hostagent.recording.checkpoint import Checkpointer
from hostagent.recording.directory import Directory, journal_files
from hostagent.recording.journal import Journal, RecordingError
from hostagent.recording.retention import apply_retention
from hostagent.recording.verify import Fault, verify_directory

reuse = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)


def copy_of(state: Directory) -> Directory:
    path = Path(tempfile.mkdtemp(dir=state.path.parent)) / "state"
    shutil.copytree(state.path, path)
    return Directory(path)


def faults(directory: Directory) -> list[Fault]:
    return [finding.fault for finding in verify_directory(directory).findings]


def test_what_was_written_is_intact(state: Directory) -> None:
    report = verify_directory(state)
    assert report.ok and not report.findings
    assert report.files >= 4 and report.checkpoints == 2 and report.recordings == 1 and report.records >= 14


def alter(lines: list[bytes], at: int, amount: int) -> None:
    line = bytearray(lines[at])
    line[amount % (len(line) - 1)] ^= 1
    lines[at] = bytes(line)


def delete(lines: list[bytes], at: int, _: int) -> None:
    del lines[at]


def swap(lines: list[bytes], at: int, _: int) -> None:
    other = at - 1 if at else 1
    lines[at], lines[other] = lines[other], lines[at]


def insert(lines: list[bytes], at: int, _: int) -> None:
    lines.insert(at, lines[at])


def truncate(lines: list[bytes], at: int, amount: int) -> None:
    lines[at] = lines[at][: amount % (len(lines[at]) - 1)]
    del lines[at + 1 :]


def shorten(lines: list[bytes], at: int, amount: int) -> None:
    lines[at] = lines[at][: amount % (len(lines[at]) - 1)] + b"\n"


@given(
    st.sampled_from([alter, delete, swap, insert, truncate, shorten]),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
@reuse
def test_any_edit_of_a_journal_or_of_the_checkpoints_is_found(
    state: Directory, edit: Callable[[list[bytes], int, int], None], place: int, amount: int
) -> None:
    directory = copy_of(state)
    every = [
        (path, number)
        for path in (*(file.path for file in journal_files(directory.journal)), directory.checkpoints)
        for number in range(len(path.read_bytes().split(b"\n")) - 1)
    ]
    path, at = every[place % len(every)]
    lines = path.read_bytes().splitlines(keepends=True)
    if edit is swap and len(lines) < 2:
        edit = delete
    edit(lines, at, amount)
    path.write_bytes(b"".join(lines))
    report = verify_directory(directory)
    cut_of_checkpoints = path == directory.checkpoints and edit in (truncate, delete) and at == 1
    assert not report.ok or cut_of_checkpoints  # the last checkpoint itself has no successor that would miss it


def test_the_first_bad_line_is_named(state: Directory) -> None:
    path = journal_files(state.journal, "worker0")[0].path
    lines = path.read_bytes().splitlines(keepends=True)
    alter(lines, 1, 10)
    path.write_bytes(b"".join(lines))
    (problem, *_) = verify_directory(state).problems
    assert problem.fault is Fault.ALTERED and problem.place == f"{path}:2"


def test_a_chain_written_anew_is_found(state: Directory, context: event.FlowContext) -> None:
    for file in journal_files(state.journal, "worker0"):
        file.path.unlink()
    journal = Journal(state.journal, "worker0")
    for _ in range(40):
        journal.append(event.flow_opened(context))
    journal.close()
    assert "written anew" in verify_directory(state).problems[0].what


def test_a_torn_tail_is_a_note_before_and_after_the_restart(state: Directory, context: event.FlowContext) -> None:
    journal = Journal(state.journal, "worker0")
    journal.append(event.flow_opened(context))
    journal.close()
    path = journal_files(state.journal, "worker0")[-1].path
    os.truncate(path, path.stat().st_size - 30)
    assert faults(state) == [Fault.TORN] and verify_directory(state).ok
    Journal(state.journal, "worker0").close()
    assert faults(state) == [Fault.TORN] and verify_directory(state).ok
    lines = path.read_bytes().splitlines(keepends=True)
    alter(lines, len(lines) - 2, 5)  # the unfinished bytes themselves
    path.write_bytes(b"".join(lines))
    assert not verify_directory(state).ok


@pytest.mark.parametrize("which", ["worker0", "host"])
def test_missing_files_are_told(state: Directory, which: str) -> None:
    for file in journal_files(state.journal, which):
        directory = copy_of(state)
        (directory.journal / file.path.name).unlink()
        assert Fault.MISSING in faults(directory)


def test_missing_checkpoints_are_told(state: Directory) -> None:
    state.checkpoints.unlink()
    assert faults(state) == [Fault.MISSING]


def test_a_key_of_somebody_else_is_told(state: Directory, tmp_path: Path) -> None:
    kept = tmp_path / "kept.pub"
    kept.write_bytes(state.public_key.read_bytes())
    for path in (state.private_key, state.public_key, state.checkpoints):
        path.unlink()
    Checkpointer(state).checkpoint()
    assert verify_directory(state).ok  # signed anew with a new key: only a copy of the old key tells
    assert not verify_directory(state, kept).ok


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), Fault.MISSING),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), Fault.ALTERED),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), Fault.ALTERED),
        (lambda path: path.unlink(), Fault.MISSING),
        (lambda path: path.with_name("other.rec").write_bytes(b"x"), Fault.EXTRA),
    ],
)
def test_recordings_match_their_digests(state: Directory, damage: Callable[[Path], object], fault: Fault) -> None:
    damage(state.recordings()[0])
    assert faults(state) == [fault]


def test_retention_is_accepted_and_nothing_else(state: Directory) -> None:
    worker = journal_files(state.journal, "worker0")
    old = time.time() - 10 * 86400
    for path in (worker[0].path, worker[1].path, *state.recordings()):
        os.utime(path, (old, old))
    host = Journal(state.journal, "host")
    assert apply_retention(state, host, 86400, 1 << 40, time.time()) == 3
    host.close()
    assert not worker[1].path.exists() and not state.recordings()
    assert verify_directory(state).ok and faults(state) == [Fault.REMOVED]
    worker[2].path.unlink()
    assert not verify_directory(state).ok


def test_retention_by_size_keeps_the_newest_file_of_each_chain(state: Directory) -> None:
    host = Journal(state.journal, "host")
    apply_retention(state, host, 10**9, 1, time.time())
    host.close()
    assert [len(journal_files(state.journal, writer)) for writer in ("worker0", "host")] == [1, 1]
    assert verify_directory(state).ok


class FullJournal:
    """A journal whose disk is full."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)

    def append(self, _: bytes) -> None:
        raise RecordingError("full")

    append_many = append


def test_retention_that_cannot_be_told_removes_nothing(state: Directory) -> None:
    host = FullJournal(Journal(state.journal, "host"))
    before = sorted(state.path.rglob("*"))
    with pytest.raises(RecordingError):
        apply_retention(state, host, 0, 1, time.time())  # type: ignore[arg-type]
    assert sorted(state.path.rglob("*")) == before


def test_checkpoints_go_on_after_a_restart_and_after_a_crash(state: Directory, context: event.FlowContext) -> None:
    with state.checkpoints.open("ab") as file:
        file.write(b'{"number":3,"ti')
    assert faults(state) == [Fault.TORN]
    checkpointer = Checkpointer(state)
    assert not checkpointer.checkpoint()
    journal = Journal(state.journal, "worker0")
    journal.append(event.flow_opened(context))
    journal.close()
    assert checkpointer.checkpoint()
    assert verify_directory(state).checkpoints == 3 and verify_directory(state).ok
    assert state.private_key.stat().st_mode & 0o777 == 0o600
