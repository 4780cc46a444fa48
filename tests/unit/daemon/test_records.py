"""Records are signed and kept within bounds; a fault of that is told and does not end the daemon."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

from hostagent.daemon.config import Retention
from hostagent.daemon.counts import Counts
from hostagent.daemon.records import Records
from hostagent.recording.directory import Directory
from hostagent.recording.event import host_event
from hostagent.recording.journal import Journal


def run_shortly(records: Records) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(records.run())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())


def make(tmp_path: Path, retention: Retention) -> tuple[Directory, Journal, Records, Counts]:
    directory, counts = Directory(tmp_path), Counts()
    directory.sessions.mkdir(parents=True)
    journal = Journal(directory.journal, "host")
    return directory, journal, Records(directory, journal, retention, counts), counts


def test_chains_are_signed_at_once_and_at_the_end(tmp_path: Path) -> None:
    directory, journal, records, counts = make(tmp_path, Retention())
    journal.append(host_event("ready", "governing", {}))
    run_shortly(records)
    assert len(directory.checkpoints.read_text().splitlines()) == 1
    assert counts.last_error == ""


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    directory, journal, records, _ = make(tmp_path, Retention(days=1))
    journal.append(host_event("ready", "governing", {}))
    old, new = directory.sessions / "2020-01-01" / "a.rec", directory.sessions / "2020-01-02" / "b.rec"
    for path in (old, new):
        path.parent.mkdir()
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    run_shortly(records)
    assert not old.exists()
    assert new.exists()


def test_a_fault_is_remembered_and_told(tmp_path: Path) -> None:
    directory, journal, records, counts = make(tmp_path, Retention())
    journal.append(host_event("ready", "governing", {}))
    shutil.rmtree(directory.sessions)
    directory.checkpoints.mkdir()
    run_shortly(records)
    assert "checkpoint failed" in counts.last_error
