"""Retention: what is too old or too much is removed, whole files, oldest first, and the removal is an event.

Rules: the event is chained before the files go, so `audit verify` accepts exactly what it names; the newest file of a
chain always stays, so a chain goes on; a file of the host's own chain goes only when all that is left of the other
chains is younger, so a removal is told for as long as anything refers to what was removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hostagent.recording.chain import read_link
from hostagent.recording.directory import Directory, JournalFile, journal_files
from hostagent.recording.encode import Json
from hostagent.recording.event import host_event
from hostagent.recording.journal import Journal, RecordingError, last_line

HOST_WRITER = "host"  # whose chain tells of removals; no other chain's word counts
KIND = "retention"


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    name: str
    journal: JournalFile | None
    changed: float  # seconds since the epoch
    bytes: int

    @property
    def order(self) -> tuple[float, bool, str]:
        return (self.changed, self.journal is not None, self.name)


def apply_retention(directory: Directory, journal: Journal, max_age_seconds: float, max_bytes: int, now: float) -> int:
    """Remove files older than the age or beyond the total size; how many. Raises RecordingError, before any removal.

    `journal` is the open chain of the host; `now` is in seconds since the epoch.
    """
    candidates = sorted(_candidates(directory), key=lambda c: c.order)
    total = sum(c.bytes for c in candidates)
    newest = {file.writer: file.number for file in journal_files(directory.journal)}
    doomed: list[tuple[_Candidate, str]] = []
    for candidate in candidates:
        why = "age" if candidate.changed < now - max_age_seconds else "size" if total > max_bytes else ""
        if not why:
            break
        if candidate.journal and newest[candidate.journal.writer] == candidate.journal.number:
            continue
        if candidate.journal and candidate.journal.writer == HOST_WRITER and _referred(candidate, candidates, doomed):
            continue
        if candidate.journal and not _is_first(candidate.journal, candidates, doomed):
            continue
        doomed.append((candidate, why))
        total -= candidate.bytes
    if doomed:
        removed = [_told(candidate, why) for candidate, why in doomed]
        journal.append(host_event(KIND, f"{len(doomed)} old files are removed", {"removed": removed}))
        for candidate, _ in doomed:
            candidate.path.unlink(missing_ok=True)
        _remove_empty_days(directory)
    return len(doomed)


def _candidates(directory: Directory) -> list[_Candidate]:
    found = []
    for file in journal_files(directory.journal):
        found.append(_candidate(file.path, file.path.name, file))
    for path in directory.recordings():
        found.append(_candidate(path, str(path.relative_to(directory.sessions)), None))
    return found


def _candidate(path: Path, name: str, journal: JournalFile | None) -> _Candidate:
    status = path.stat()
    return _Candidate(path, name, journal, status.st_mtime, status.st_size)


def _referred(host: _Candidate, candidates: list[_Candidate], doomed: list[tuple[_Candidate, str]]) -> bool:
    """Whether another chain still has records from before this file of the host's chain ended."""
    going = {candidate.path for candidate, _ in doomed}
    others = [c.path for c in candidates if c.journal and c.journal.writer != HOST_WRITER and c.path not in going]
    return any(_begins(path) <= host.changed for path in others)


def _begins(path: Path) -> float:
    """When the first record of a file was written, seconds since the epoch; 0 where that is not known."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        return float(json.loads(line)["time"]) / 1000
    except (ValueError, KeyError, TypeError):
        return 0.0


def _is_first(file: JournalFile, candidates: list[_Candidate], doomed: list[tuple[_Candidate, str]]) -> bool:
    going = {candidate.path for candidate, _ in doomed}
    return not any(c.journal and _comes_before(c.journal, file) and c.path not in going for c in candidates)


def _comes_before(one: JournalFile, other: JournalFile) -> bool:
    return one.writer == other.writer and one.number < other.number


def _told(candidate: _Candidate, why: str) -> Json:
    told: Json = {"name": candidate.name, "why": why, "bytes": candidate.bytes}
    if candidate.journal is None:
        return {**told, "what": "recording"}
    line, _ = last_line(candidate.path)
    link = read_link(line) if line is not None else None
    if link is None or not link.sound:
        hint = "run `hostagent audit verify`; nothing is removed until the file is put elsewhere"
        raise RecordingError(f"{candidate.path}: the last record is not as it was written", hint)
    return {**told, "what": "journal", "writer": candidate.journal.writer, "seq": link.seq, "hash": link.hash}


def _remove_empty_days(directory: Directory) -> None:
    for day in directory.sessions.iterdir():
        if day.is_dir() and not any(day.iterdir()):
            try:
                day.rmdir()
            except OSError:  # a recording was begun in it meanwhile
                continue
