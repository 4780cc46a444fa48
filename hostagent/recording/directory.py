"""Where things lie under the state directory.

    records/journal/<writer>-<n>.ndjson      events, hash-chained; one writer process each   (written by that process)
    records/sessions/<date>/<flow id>.rec    session recordings                              (written by workers)
    index.sqlite                             made from the journals; can be deleted          (written by the supervisor)
    checkpoints.ndjson, checkpoint.key/.pub  signed heads of the chains                      (written by the supervisor)

Only `records` belongs to the workers' user: a taken-over worker can write neither a checkpoint nor the index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STATE = Path("/var/lib/hostagent")
_JOURNAL_NAME = re.compile(r"([a-z][a-z0-9_]{0,31})-(\d{6,})\.ndjson")
_WRITER = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Directory:
    """A state directory."""

    path: Path = DEFAULT_STATE

    @property
    def journal(self) -> Path:
        """Where the journals lie."""
        return self.path / "records" / "journal"

    @property
    def sessions(self) -> Path:
        """Where the session recordings lie."""
        return self.path / "records" / "sessions"

    @property
    def index(self) -> Path:
        """The sqlite file."""
        return self.path / "index.sqlite"

    @property
    def checkpoints(self) -> Path:
        """The signed heads of all chains."""
        return self.path / "checkpoints.ndjson"

    @property
    def private_key(self) -> Path:
        """What signs checkpoints."""
        return self.path / "checkpoint.key"

    @property
    def public_key(self) -> Path:
        """What checkpoints are verified with."""
        return self.path / "checkpoint.pub"

    def recordings(self) -> list[Path]:
        """All recordings, by name."""
        return sorted(self.sessions.glob("*/*.rec"))


@dataclass(frozen=True, slots=True, order=True)
class JournalFile:
    """One journal file: the chain it belongs to and its place in it, from 1."""

    writer: str
    number: int
    path: Path


def journal_files(journal: Path, writer: str = "") -> list[JournalFile]:
    """The journal files of one writer or of all, each chain in its order."""
    found = []
    for path in journal.glob("*.ndjson"):
        match = _JOURNAL_NAME.fullmatch(path.name)
        if match and writer in ("", match[1]):
            found.append(JournalFile(match[1], int(match[2]), path))
    return sorted(found)


def journal_path(journal: Path, writer: str, number: int) -> Path:
    """The path of a journal file. Raises ValueError for a writer name that cannot be one."""
    if not _WRITER.fullmatch(writer):
        raise ValueError(f"not a writer name: {writer!r}")
    return journal / f"{writer}-{number:06d}.ndjson"
