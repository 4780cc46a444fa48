"""`hostagent events`: what was decided, for whom, and how it ended. Reads the state directory; needs no daemon."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from hostagent.cli.output import add_output, print_table
from hostagent.recording.directory import DEFAULT_STATE, Directory, journal_files
from hostagent.recording.journal import RecordingError
from hostagent.recording.row import Row, read_rows
from hostagent.recording.store import Filter, Store, read_whole_lines

_COLUMNS = ("time", "verdict", "pid", "process", "unit", "target", "statement", "rule", "rows", "ms")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FOLLOW_SECONDS = 0.2
_READ_BYTES = 1 << 20
_NOT_IN_TABLES = ("finished", "recording_grew")  # part of a decision's line, or of no interest to a reader


def register(verbs: Any) -> None:
    """Add the verb."""
    parser: argparse.ArgumentParser = verbs.add_parser("events", help="decisions and flows, newest last")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what happens from now on")
    parser.add_argument("--since", type=since, default=0, metavar="AGO", help="such as 90s, 15m, 1h, 7d")
    parser.add_argument("--verdict", choices=("allow", "deny", "approve", "observe"), default="")
    parser.add_argument("--actor", default="", help="part of a user, executable, command line, cgroup or unit")
    parser.add_argument("--target", default="", help="name of a target")
    parser.add_argument("--id", dest="decision", default="", metavar="DECISION", help="as the client's error names it")
    parser.add_argument("-n", "--limit", type=int, default=100, help="at most so many (default: %(default)s)")
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE, help="default: %(default)s")
    add_output(parser)
    parser.set_defaults(run=run)


def since(text: str) -> int:
    """Milliseconds since the epoch, so long ago. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span such as 90s, 15m, 1h or 7d")
    return int((time.time() - int(match[1]) * _UNITS[match[2]]) * 1000)


def run(arguments: argparse.Namespace) -> int:
    """0; 1 when a decision was asked for by id and there is none."""
    directory = Directory(arguments.state_dir)
    tail = _Tail(directory.journal)  # first, so that nothing falls between the index and what follows
    wanted = _filter(arguments)
    store = open_index(directory)
    found = store.query_events(wanted, arguments.limit)
    if arguments.output == "json":
        places = dict.fromkeys((stored.file, stored.offset, stored.length) for stored in found)
        for place in places:  # a line that tells several outcomes is told once
            print(_line(directory, *place))
    elif found or not arguments.follow:
        print_table(_COLUMNS, (cells(stored.row) for stored in found))
    if arguments.follow:
        _follow(tail, wanted, arguments.output == "json")
    return os.EX_OK if found or not arguments.decision else 1


def open_index(directory: Directory) -> Store:
    """The index, brought up to date where this user may; else one made in memory. Raises HostError, OSError."""
    if not directory.journal.is_dir():
        hint = "is --state-dir right, and did hostagentd run here?"
        raise RecordingError(f"{directory.journal}: there are no journals", hint)
    next(directory.journal.iterdir(), None)  # PermissionError here names the place; glob would be silent
    try:
        store = Store(directory.index)
        store.index_journals(directory.journal)
    except RecordingError:
        store = Store(":memory:")
        store.index_journals(directory.journal)
    return store


def cells(row: Row) -> tuple[str, ...]:
    """The columns of a table line."""
    when = datetime.fromtimestamp(row.time / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]
    process = f"{row.pid} {row.executable.rpartition('/')[2]}".split(" ", 1) if row.pid is not None else ["", ""]
    text = " ".join(row.text.split()) or f"({row.kind.replace('_', ' ')})"
    if row.reason and row.verdict != "allow":
        text += f"  [{row.reason}]"
    took = "" if row.duration_us is None else f"{row.duration_us / 1000:.1f}"
    rows = "" if row.rows is None else str(row.rows)
    shown = text if len(text) <= 100 else text[:99] + "…"
    where = (row.unit or row.cgroup, row.target or row.destination)
    return (when, row.verdict or row.kind, *process, *where, shown, row.rule, rows, took)


def _filter(arguments: argparse.Namespace) -> Filter:
    return Filter(
        since_ms=arguments.since,
        verdict=arguments.verdict,
        actor=arguments.actor,
        target=arguments.target,
        decision=arguments.decision,
        without=() if arguments.output == "json" else _NOT_IN_TABLES,
    )


def _line(directory: Directory, name: str, offset: int, length: int) -> str:
    with (directory.journal / name).open("rb") as file:
        file.seek(offset)
        return file.read(length).decode("ascii", "backslashreplace").rstrip("\n")


def _follow(tail: _Tail, wanted: Filter, as_json: bool) -> None:
    while True:
        for line in tail.new_lines():
            rows = [row for row in read_rows(line) if wanted.admits(row)]
            if as_json and rows:
                print(line.decode("ascii", "backslashreplace"))
            elif rows:
                print("\n".join("  ".join(filter(None, cells(row))) for row in rows))
        sys.stdout.flush()
        time.sleep(_FOLLOW_SECONDS)


class _Tail:
    """What is written to the journals after this was made."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._offsets = {file.path: file.path.stat().st_size for file in journal_files(journal)}

    def new_lines(self) -> Iterator[bytes]:
        """The lines since the last call, without LF."""
        for file in journal_files(self._journal):
            offset = self._offsets.get(file.path, 0)
            while data := read_whole_lines(file.path, offset, _READ_BYTES):
                offset += len(data)
                yield from data[:-1].split(b"\n")
            self._offsets[file.path] = offset
