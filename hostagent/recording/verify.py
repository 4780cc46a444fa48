"""Verify: everything that was recorded is as it was written, or the first place where it is not.

Two kinds of findings: a *problem* (altered, missing, extra: somebody did that, or a disk did) and a *note* (torn by a
crash, not covered yet, removed by retention). What it rests on, from weak to strong: each line's hash, the order of its
chain, the rotation from file to file, the signed checkpoints, the digests of recordings that the chains hold.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hostagent.errors import FileError
from hostagent.recording.chain import GENESIS, Head, is_torn_record, read_link, tells_of_torn
from hostagent.recording.checkpoint import Checkpoint, load_public_key, read_checkpoint
from hostagent.recording.directory import Directory, JournalFile, journal_files
from hostagent.recording.encode import Json
from hostagent.recording.retention import HOST_WRITER, KIND

_BLOCK = 1 << 20


class Fault(StrEnum):
    """What is the matter with a place. The last three are notes."""

    ALTERED = "altered"
    MISSING = "missing"
    EXTRA = "extra"
    TORN = "torn by a crash"
    OPEN = "not covered yet"
    REMOVED = "removed by retention"

    @property
    def is_problem(self) -> bool:
        """Whether it must not be so."""
        return self in (Fault.ALTERED, Fault.MISSING, Fault.EXTRA)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `place` is file:line, or a file."""

    fault: Fault
    place: str
    what: str


@dataclass(slots=True)
class Report:
    """What was checked, and found."""

    files: int = 0
    records: int = 0
    checkpoints: int = 0
    recordings: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> list[Finding]:
        """What must not be so, the first one first."""
        return [finding for finding in self.findings if finding.fault.is_problem]

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written."""
        return not self.problems

    def add(self, fault: Fault, place: object, what: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(fault, str(place), what))


@dataclass(slots=True)
class _Told:
    """What the chains say of files: retention's removals, and the digests of recordings."""

    journals: dict[str, Head] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    digests: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    final: dict[str, int] = field(default_factory=dict)
    flows: set[str] = field(default_factory=set)


def verify_directory(directory: Directory, public_key: Path | None = None) -> Report:
    """Check a state directory. `public_key`: a copy of the checkpoint key, kept elsewhere. Raises OSError."""
    report = Report()
    present = directory.recordings()  # before the events are read: a recording begins after its flow's event
    if not directory.journal.is_dir():
        report.add(Fault.MISSING, directory.journal, "there are no journals")
        return report
    next(directory.journal.iterdir(), None)  # no permission must not look like nothing there
    files = journal_files(directory.journal)
    told = _collect(files)
    points = _checkpoints(directory, public_key or directory.public_key, bool(files), report)
    expected: dict[str, dict[int, str]] = defaultdict(dict)
    for point in points:
        for writer, head in point.heads.items():
            expected[writer][head.seq] = head.hash
    chains: dict[str, list[JournalFile]] = defaultdict(list)
    for file in files:
        chains[file.writer].append(file)
    for writer in sorted(chains.keys() | expected.keys()):
        _Chain(writer, expected[writer], told, report).check(chains[writer], directory)
    _recordings(directory, present, told, report)
    return report


def _collect(files: list[JournalFile]) -> _Told:
    """What sound lines tell of other files; whether they stand where they should is checked afterwards."""
    told = _Told()
    for file in files:
        with file.path.open("rb") as lines:
            for line in lines:
                about_recording = b'"recording":{' in line
                about_removal = file.writer == HOST_WRITER and b'"event_code":"%b"' % KIND.encode() in line
                opens = b'"event_code":"flow_opened"' in line
                if not (about_recording or about_removal or opens):
                    continue
                link = read_link(line.rstrip(b"\n"))
                if link is not None and link.sound:
                    _note(json.loads(line), told)
    return told


def _note(event: Json, told: _Told) -> None:
    unmapped, code = event.get("unmapped", {}), event.get("metadata", {}).get("event_code")
    if code == KIND:
        for removed in unmapped["facts"]["removed"]:
            told.removed.add(removed["name"])
            if removed["what"] == "journal":
                told.journals[removed["name"]] = Head(removed["seq"], removed["hash"])
    elif code == "flow_opened":
        told.flows.add(unmapped["flow"])
    elif code in ("flow_closed", "recording_grew"):
        recording = unmapped["recording"]
        told.digests[recording["name"]][recording["bytes"]] = recording["sha256"]
        if code == "flow_closed":
            told.final[recording["name"]] = recording["bytes"]


class _Chain:
    """One chain, from its first file to its last."""

    def __init__(self, writer: str, expected: dict[int, str], told: _Told, report: Report) -> None:
        self._writer = writer
        self._expected = expected
        self._told = told
        self._report = report
        self._head = Head()
        self._begin = 0

    def check(self, files: list[JournalFile], directory: Directory) -> None:
        """Stops at the first bad record: nothing behind it proves anything."""
        number = 0
        for file in files:
            if file.number != number + 1 and not self._skip_to(file):
                return
            number = file.number
            self._report.files += 1
            if not self._check_file(file, last=file is files[-1]):
                return
        signed = max(self._expected, default=0)
        if self._head.seq < signed:
            place = files[-1].path if files else directory.journal / f"{self._writer}-*.ndjson"
            what = f"a checkpoint signed record {signed} of this chain; the last one here is {self._head.seq}"
            self._report.add(Fault.MISSING, place, what)

    def _skip_to(self, file: JournalFile) -> bool:
        """Accept that the files before this one are gone, when retention told so."""
        before = f"{self._writer}-{file.number - 1:06d}.ndjson"
        end = self._told.journals.get(before)
        if end is None:
            self._report.add(
                Fault.MISSING, file.path.with_name(before), "the file is gone, and no retention event says so"
            )
            return False
        self._report.add(Fault.REMOVED, file.path.with_name(before), f"records up to {end.seq}")
        self._head = end
        return True

    def _check_file(self, file: JournalFile, last: bool) -> bool:
        unfinished: tuple[int, bytes] | None = None
        with file.path.open("rb") as lines:
            for number, raw in enumerate(lines, 1):
                place = f"{file.path}:{number}"
                line = raw.removesuffix(b"\n")
                if unfinished is not None and not tells_of_torn(line, unfinished[1]):
                    return self._bad(f"{file.path}:{unfinished[0]}", "the line is not as it was written")
                link = read_link(line) if raw.endswith(b"\n") else None
                if link is None or not link.sound:
                    if unfinished is not None:
                        return self._bad(place, "the line is not as it was written")
                    unfinished = (number, line)
                    continue
                if not self._take(line, place, torn=unfinished is not None):
                    return False
                if unfinished is not None:
                    what = f"{len(unfinished[1])} bytes of an unfinished record"
                    self._report.add(Fault.TORN, f"{file.path}:{unfinished[0]}", what)
                unfinished = None
        return unfinished is None or self._unfinished_end(file, *unfinished, last=last)

    def _unfinished_end(self, file: JournalFile, number: int, line: bytes, last: bool) -> bool:
        place = f"{file.path}:{number}"
        with file.path.open("rb") as whole:
            whole.seek(-1, 2)
            finished = whole.read(1) == b"\n"
        if finished or not last:
            return self._bad(place, "the line is not as it was written")
        self._report.add(Fault.TORN, place, f"{len(line)} bytes of an unfinished record at the end of the chain")
        return True

    def _take(self, line: bytes, place: str, torn: bool) -> bool:
        link = read_link(line)
        if link is None or not link.sound:
            return self._bad(place, "the line is not as it was written")
        if link.writer != self._writer:
            return self._bad(place, f"this record is of the chain {link.writer}")
        if not link.follows(self._head):
            what = f"record {link.seq} does not follow record {self._head.seq}: lines were removed, added or moved"
            return self._bad(place, what)
        if is_torn_record(line) and not torn:
            return self._bad(place, "a torn record without the unfinished line before it")
        signed = self._expected.get(link.seq)
        if signed is not None and signed != link.hash:
            return self._bad(place, "a checkpoint signed another record at this place: the chain was written anew")
        self._head = Head(link.seq, link.hash)
        self._report.records += 1
        return True

    def _bad(self, place: str, what: str) -> bool:
        self._report.add(Fault.ALTERED, place, what)
        return False


def _checkpoints(directory: Directory, key_file: Path, needed: bool, report: Report) -> list[Checkpoint]:
    path = directory.checkpoints
    if not path.exists() or not key_file.exists():
        if needed:
            gone = path if not path.exists() else key_file
            report.add(Fault.MISSING, gone, "without it nobody can tell whether the chains were written anew")
        return []
    try:
        key = load_public_key(key_file)
    except FileError as error:
        report.add(Fault.ALTERED, key_file, error.what)
        return []
    points: list[Checkpoint] = []
    previous = GENESIS
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            line = raw.removesuffix(b"\n")
            if not raw.endswith(b"\n"):
                report.add(Fault.TORN, f"{path}:{number}", f"{len(line)} bytes of an unfinished checkpoint")
                break
            point = read_checkpoint(line, key)
            if point is None or point.number != number or point.previous != previous:
                what = "the signature does not fit" if point is None else "checkpoints were removed, added or moved"
                report.add(Fault.ALTERED, f"{path}:{number}", what)
                break
            points.append(point)
            previous = hashlib.sha256(line).hexdigest()
    report.checkpoints = len(points)
    if needed and not points and report.ok:
        report.add(Fault.MISSING, path, "there is no checkpoint in it")
    return points


def _recordings(directory: Directory, present: list[Path], told: _Told, report: Report) -> None:
    names = {str(path.relative_to(directory.sessions)) for path in present}
    for name in sorted(told.digests.keys() | names):
        path = directory.sessions / name
        if not path.exists():
            if name not in told.removed and max(told.digests[name]) > 0:
                report.add(Fault.MISSING, path, "the recording is gone, and no event says so")
            continue
        report.recordings += 1
        if name in told.digests:
            _recording(path, told.digests[name], told.final.get(name), report)
        elif Path(name).stem in told.flows:
            report.add(Fault.OPEN, path, "no digest of this recording was written yet")
        else:
            report.add(Fault.EXTRA, path, "no event speaks of this recording")


def _recording(path: Path, digests: dict[int, str], final: int | None, report: Report) -> None:
    """Compare the file's beginnings with their digests; each event covers the first so many bytes."""
    hasher = hashlib.sha256()
    read = 0
    with path.open("rb") as file:
        for length in sorted(digests):
            while read < length and (block := file.read(min(_BLOCK, length - read))):
                hasher.update(block)
                read += len(block)
            if read < length:
                report.add(Fault.MISSING, path, f"{length} bytes were recorded, {read} are here")
                return
            if hasher.hexdigest() != digests[length]:
                report.add(Fault.ALTERED, path, f"the first {length} bytes are not as they were written")
                return
        rest = bool(file.read(1))
    if rest and final is not None:
        report.add(Fault.ALTERED, path, f"the recording was closed with {final} bytes and is longer now")
    elif rest or final is None:
        report.add(Fault.OPEN, path, "the session has not ended, or its worker was killed: no final digest")
