"""Process records of the kernel → processes with executable and command line, read from /proc without a race.

The flow's own process is not read here: its record is complete, and it may be gone. Parents are read later than the
connect(), so each is checked to be the same process still.

Rules
1.  All reads go through one open `/proc/PID` directory, which stays that of the process it was opened for; the start
    time is compared before and after. Not the same process, or gone: only what the kernel recorded.
2.  The executable is the kernel's link; the command line lies in memory of the process: a claim. Both are as of
    the reading: a parent that called exec() since its child's connect() shows its new program, never another process's.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hostagent.values.actor import Process
from hostagent.values.flow import ProcessRecord

MAX_COMMAND_LINE = 4096  # bytes; enough to know a command by, and an argument list may hold two megabytes
MAX_STAT = 4096  # bytes; the line is below 400
MAX_KEPT = 2048  # parents: some hundred bytes each, shells and runners that live for many flows
_START_TIME = 22 - 3  # field 22 of proc_pid_stat(5); the fields after "pid (comm)" count from 3
_NANOSECONDS = 1_000_000_000


class Proc:
    """Reads processes from a procfs mounted at `root`, and remembers the last ones."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self._root = os.fsencode(root)
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._kept: OrderedDict[ProcessRecord, Process] = OrderedDict()

    def process(self, record: ProcessRecord) -> Process:
        """The process of that record; executable and command line are empty where it was gone or is another one."""
        kept = self._kept.get(record)
        if kept is not None and self._still_runs(kept):
            self._kept.move_to_end(record)
            return kept
        seen = self._read(record)
        if seen is None:
            return kept or Process(record.pid, record.start_time, "", (), record.comm, record.uid)
        self._kept[record] = seen
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return seen

    def _still_runs(self, kept: Process) -> bool:
        path = b"%s/%d/exe" % (self._root, kept.pid)
        try:
            return _text(os.readlink(path)) == kept.executable  # noqa: PTH115 (pathlib takes no bytes)
        except OSError:
            return True

    def _read(self, record: ProcessRecord) -> Process | None:
        try:
            with _directory(b"%s/%d" % (self._root, record.pid)) as fd:
                if not self._is(record, fd):
                    return None
                executable = _text(os.readlink(b"exe", dir_fd=fd))
                command_line = _contents(fd, b"cmdline", MAX_COMMAND_LINE)
                if not self._is(record, fd):
                    return None
        except OSError:  # gone, a zombie or a kernel thread (no executable), or not ours to read
            return None
        return Process(record.pid, record.start_time, executable, _words(command_line), record.comm, record.uid)

    def _is(self, record: ProcessRecord, fd: int) -> bool:
        fields = _contents(fd, b"stat", MAX_STAT).rpartition(b")")[2].split()
        if len(fields) <= _START_TIME:
            return False
        return int(fields[_START_TIME]) == record.start_time * self._ticks // _NANOSECONDS


def up_to_leader(record_parents: tuple[ProcessRecord, ...], session_leader_pid: int) -> tuple[ProcessRecord, ...]:
    """The parents up to and with the session leader.

    All that the kernel recorded where the leader is not among them: it has exited, or the process leads a session of
    its own, and then setsid(2) shall not hide who started it.
    """
    for position, parent in enumerate(record_parents):
        if parent.pid == session_leader_pid:
            return record_parents[: position + 1]
    return record_parents


@contextmanager
def _directory(path: bytes) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _contents(directory: int, name: bytes, limit: int) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(fd, limit)
    finally:
        os.close(fd)


def _words(command_line: bytes) -> tuple[str, ...]:
    stripped = command_line.rstrip(b"\0")  # a process that wrote itself a title pads it with NULs
    return tuple(_text(word) for word in stripped.split(b"\0")) if stripped else ()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
