"""The journal: one write an append, failures taken back, crashes told."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hostagent.recording.chain import is_torn_record, read_link
from hostagent.recording.directory import journal_files
from hostagent.recording.journal import Journal, RecordingError

EVENT = b'{"a":"' + b"x" * 200 + b'"}'


def lines(directory: Path) -> list[bytes]:
    return b"".join(file.path.read_bytes() for file in journal_files(directory)).split(b"\n")[:-1]


def check_sound(directory: Path) -> None:
    previous = None
    for line in lines(directory):
        link = read_link(line)
        assert link is not None and link.sound
        assert previous is None or link.prev == previous
        previous = link.hash


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    for _ in range(3):
        journal = Journal(tmp_path, "worker0")
        journal.append_many([EVENT, EVENT])
        journal.close()
    assert len(lines(tmp_path)) == 6
    check_sound(tmp_path)


def test_it_rotates_and_links_the_files(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "worker0", rotate_bytes=1000)
    for _ in range(10):
        journal.append(EVENT)
    assert [file.number for file in journal_files(tmp_path)] == [1, 2, 3, 4]
    check_sound(tmp_path)


def test_one_process_a_chain(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "worker0")
    with pytest.raises(RecordingError, match="another process"):
        Journal(tmp_path, "worker0")
    Journal(tmp_path, "worker1").close()
    journal.close()
    Journal(tmp_path, "worker0").close()


@pytest.mark.parametrize("keep", [1, 100, 350])
def test_a_torn_line_is_kept_and_told(tmp_path: Path, keep: int) -> None:
    journal = Journal(tmp_path, "worker0")
    journal.append_many([EVENT, EVENT])
    journal.close()
    path = journal_files(tmp_path)[0].path
    first, second = lines(tmp_path)
    path.write_bytes(first + b"\n" + second[:keep])
    again = Journal(tmp_path, "worker0")
    again.append(EVENT)
    again.close()
    found = lines(tmp_path)
    assert found[1] == second[:keep] and is_torn_record(found[2])
    links = [read_link(line) for line in (found[0], *found[2:])]
    assert [link.seq for link in links if link is not None] == [1, 2, 3]


def test_an_altered_end_is_not_continued(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "worker0")
    journal.append(EVENT)
    journal.close()
    path = journal_files(tmp_path)[0].path
    path.write_bytes(path.read_bytes().replace(b"xx", b"xy", 1))
    with pytest.raises(RecordingError, match="not as it was written"):
        Journal(tmp_path, "worker0")


def test_a_full_disk_denies_and_later_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "worker0")
    journal.append(EVENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal_files(tmp_path)[0].path.stat().st_size + 50, hard))
        for _ in range(2):  # the first falls short, the second as well
            with pytest.raises(RecordingError):
                journal.append(EVENT)
        assert len(lines(tmp_path)) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    journal.append(EVENT)
    assert len(lines(tmp_path)) == 2
    check_sound(tmp_path)


def test_a_write_error_is_a_recording_error_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "worker0")
    journal.append(EVENT)

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(RecordingError, match="No space left"):
            journal.append(EVENT)
    journal.append(EVENT)
    check_sound(tmp_path)


def test_a_killed_writer_loses_no_event(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from hostagent.recording.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), 'worker0', rotate_bytes=50_000)\n"
        "while True:\n    journal.append(b'{\"a\":1}'); print(journal.head.seq, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(500):
        last = int(process.stdout.readline())
    process.kill()
    last = max([last, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    process.wait()
    journal = Journal(tmp_path, "worker0")
    assert journal.head.seq >= last
    check_sound(tmp_path)
