"""Journal: the append-only, hash-chained events of one writer process.

Rules: one append is one write(2); a write that fails or falls short is taken back, so the chain stays whole and later
appends work again; `reserve` takes room on the disk in advance, so that a full disk is known before it is written to;
what a crash left unfinished stays in the file, and the next writer puts a torn record behind it.
An append is in the page cache when it returns: it outlives the process, and the host's power only as far as the kernel
has written back.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from hostagent.errors import HostError
from hostagent.recording.allocate import allocate
from hostagent.recording.chain import Head, extend, read_link, torn_event
from hostagent.recording.directory import JournalFile, journal_files, journal_path

RESERVE_BYTES: Final = 256 << 10  # room taken at a time: a hundred events, and no more is withheld from other files
ROTATE_BYTES: Final = 64 << 20  # retention removes whole files: small enough to be a step, large enough to be few
_BLOCK: Final = 1 << 16  # read from a file's end at a time


class RecordingError(HostError):
    """It could not be written down; what asked for it must not go on."""


class Journal:
    """The chain of one writer. Opening it continues after the last record that was written."""

    def __init__(self, directory: Path, writer: str, rotate_bytes: int = ROTATE_BYTES) -> None:
        """Open or begin the chain. Raises RecordingError: no access, another process writes it, its end was altered."""
        self._directory = directory
        self._writer = writer
        self._encoded_writer = writer.encode()
        self._rotate_bytes = rotate_bytes
        self._unclean = False  # bytes of a failed write may stand at the end
        self._fd = -1
        self._size = 0
        self._room = 0  # up to here the file has its place on the disk
        self._head = Head()
        self._number = 1
        self._path = journal_path(directory, writer, 1)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(directory / f".{writer}.lock")
            self._resume(journal_files(directory, writer))
        except OSError as error:
            raise _failed(directory, error) from None

    @property
    def head(self) -> Head:
        """The last record."""
        return self._head

    def reserve(self, size: int) -> bool:
        """Whether the next `size` bytes have room. On a file system that cannot reserve, the write will tell."""
        if self._unclean and not self._taken_back():
            return False
        if self._size + size <= self._room:
            return True
        taken = allocate(self._fd, self._size, max(size, RESERVE_BYTES))
        if taken:
            self._room = self._size + max(size, RESERVE_BYTES)
        return taken

    def append(self, event: bytes) -> None:
        """Write one event (a JSON object in one line). Raises RecordingError; then nothing was written."""
        self.append_many([event])

    def append_many(self, events: list[bytes]) -> None:
        """Write these events with one write: all or none. Raises RecordingError; then nothing was written."""
        if self._unclean:
            self._take_back()
        if self._size >= self._rotate_bytes:
            self._rotate()
        lines, head = extend(self._head, self._encoded_writer, events)
        data = b"".join(lines)
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            self._unclean = True  # nothing should have been written; the size decides
            self._take_back()
            raise _failed(self._path, error) from None
        if written != len(data):
            self._unclean = True
            self._take_back()
            raise RecordingError(f"{self._path}: only {written} of {len(data)} bytes were written", "is the disk full?")
        self._size += written
        self._head = head

    def close(self) -> None:
        """Close the file and let another process write the chain."""
        self._close_file()
        os.close(self._lock)

    def _close_file(self) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._size)  # gives back the room that was not used
        os.close(self._fd)

    def _resume(self, files: list[JournalFile]) -> None:
        self._number = files[-1].number if files else 1
        unfinished = b""
        for file in reversed(files):
            last, tail = last_line(file.path)
            unfinished = unfinished or tail
            if last is not None:
                self._head = _sound_head(file.path, last)
                break
        self._open()
        if unfinished:
            self._write_torn(unfinished)

    def _write_torn(self, unfinished: bytes) -> None:
        lines, head = extend(self._head, self._encoded_writer, [torn_event(unfinished)])
        data = b"\n" + lines[0]
        if os.write(self._fd, data) != len(data):
            os.ftruncate(self._fd, self._size)
            raise RecordingError(f"{self._path}: the torn record could not be written", "is the disk full?")
        self._size += len(data)
        self._head = head

    def _open(self) -> None:
        self._path = journal_path(self._directory, self._writer, self._number)
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        if self._fd >= 0:
            self._close_file()
        self._fd = fd
        self._size = self._room = os.fstat(fd).st_size

    def _rotate(self) -> None:
        self._number += 1
        try:
            self._open()
        except OSError as error:
            self._number -= 1
            raise _failed(self._directory, error) from None

    def _taken_back(self) -> bool:
        try:
            self._take_back()
        except RecordingError:
            return False
        return True

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
        except OSError as error:
            raise _failed(self._path, error) from None
        self._room = self._size  # truncating gave the rest of it back
        self._unclean = False


def last_line(path: Path) -> tuple[bytes | None, bytes]:
    """The last finished line of a file (without LF; None when there is none) and the unfinished bytes after it."""
    with path.open("rb") as file:
        start = file.seek(0, os.SEEK_END)
        data = b""
        while start and data.count(b"\n") < 2:
            step = min(start, max(_BLOCK, len(data)))
            start -= step
            file.seek(start)
            data = file.read(step) + data
    finished, newline, unfinished = data.rpartition(b"\n")
    return (finished.rpartition(b"\n")[2] if newline else None), unfinished


def _sound_head(path: Path, line: bytes) -> Head:
    link = read_link(line)
    if link is None or not link.sound:
        hint = "run `hostagent audit verify`, keep the file as evidence elsewhere, and start again"
        raise RecordingError(f"{path}: the last record is not as it was written", hint)
    return Head(link.seq, link.hash)


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise RecordingError(f"{path}: another process writes this chain", "one process per writer name") from None
    return fd


def _failed(path: Path, error: OSError) -> RecordingError:
    return RecordingError(f"{path}: {error.strerror}", "free space on its file system, and check its owner and mode")
