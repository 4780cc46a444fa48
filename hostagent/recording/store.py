"""Store: the sqlite index of the journals. Made from them alone; deleting it costs a rebuild and nothing else.

Rules: only whole lines are indexed, in one transaction with the offset they end at, so no line is indexed twice or left
out; a `finished` event fills rows, bytes and duration of the decision it names; the lines
themselves stay in the journals.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from importlib import resources
from pathlib import Path

from hostagent.recording.directory import JournalFile, journal_files
from hostagent.recording.journal import RecordingError
from hostagent.recording.row import Row, read_rows

_BATCH_BYTES = 4 << 20  # of lines, a transaction
_COLUMNS = tuple(field.name for field in fields(Row))
_INSERT = (
    f"INSERT INTO event (file, offset, length, {', '.join(_COLUMNS)}) "  # noqa: S608 (names of our own fields)
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 3))})"
)
_FINISH = "UPDATE event SET rows = ?, bytes = ?, duration_us = ?, error = ? WHERE decision = ? AND kind = 'decided'"
_SELECT = f"SELECT file, offset, length, {', '.join(_COLUMNS)} FROM event"  # noqa: S608 (as above)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events; an empty field asks nothing. `actor`: part of user, executable, command line, cgroup, unit."""

    since_ms: int = 0
    verdict: str = ""
    actor: str = ""
    target: str = ""
    decision: str = ""
    flow: str = ""
    kinds: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def admits(self, row: Row) -> bool:
        """Whether a row is among them."""
        return (
            row.time >= self.since_ms
            and self.verdict in ("", row.verdict)
            and self.actor in row.actor
            and self.target in ("", row.target)
            and self.decision in ("", row.decision)
            and self.flow in ("", row.flow)
            and (not self.kinds or row.kind in self.kinds)
            and row.kind not in self.without
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """An indexed event: its row, and where its line stands."""

    file: str
    offset: int
    length: int
    row: Row


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One flow in short: times in milliseconds since the epoch, `closed` None while it runs or after a crash."""

    opening: Row
    closed: int | None
    user: str
    database: str
    requests: int
    denied: int
    bytes_client: int | None
    bytes_upstream: int | None
    reason: str


class Store:
    """An open index. One connection; not for threads."""

    def __init__(self, path: Path | str, read_only: bool = False) -> None:
        """Open, or make, the index; `:memory:` for one that is gone afterwards. Raises RecordingError."""
        try:
            where = f"file:{path}?mode=ro" if read_only else str(path)
            self._db = sqlite3.connect(where, uri=read_only, isolation_level=None, timeout=10)
            if not read_only:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = OFF")  # it can be made again
                self._migrate()
            self._db.execute("SELECT 1 FROM source LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise RecordingError(f"{path}: {error}", "delete the index: it is made again from the journals") from None

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def index_journals(self, journal: Path) -> int:
        """Index what was written since the last time; how many events. Raises RecordingError, OSError."""
        total = 0
        try:
            self._forget(journal)
            for file in journal_files(journal):
                while (count := self._index_some(file)) is not None:
                    total += count
        except sqlite3.Error as error:
            raise RecordingError(f"the index cannot be written: {error}", "delete it: it is made again") from None
        return total

    def query_events(self, wanted: Filter, limit: int) -> list[Stored]:
        """The newest `limit` events of these, oldest first."""
        where, values = _where(wanted)
        rows = self._db.execute(f"{_SELECT} WHERE {where} ORDER BY time DESC, id DESC LIMIT ?", (*values, limit))
        return [Stored(row[0], row[1], row[2], Row(*row[3:])) for row in rows][::-1]

    def sessions(self, wanted: Filter, limit: int) -> list[SessionRow]:
        """The newest `limit` flows of these, oldest first."""
        openings = self.query_events(
            Filter(wanted.since_ms, "", wanted.actor, wanted.target, "", wanted.flow, ("flow_opened",)), limit
        )
        return [self._session(stored.row) for stored in openings]

    def _session(self, opening: Row) -> SessionRow:
        def of(kind: str) -> sqlite3.Row | tuple[object, ...] | None:
            columns = "time, user, database, bytes_client, bytes_upstream, reason"
            found: tuple[object, ...] | None = self._db.execute(
                f"SELECT {columns} FROM event WHERE flow = ? AND kind = ?",  # noqa: S608 (names of our own)
                (opening.flow, kind),
            ).fetchone()
            return found

        closed, session = of("flow_closed"), of("session_opened")
        counted = "SELECT count(*), total(verdict = 'deny') FROM event WHERE flow = ? AND kind = 'decided'"
        requests, denied = self._db.execute(counted, (opening.flow,)).fetchone()
        end: tuple[object, ...] = tuple(closed) if closed else (None, "", "", None, None, "")
        return SessionRow(
            opening=opening,
            closed=_number(end[0]),
            user=str(session[1]) if session else "",
            database=str(session[2]) if session else "",
            requests=requests,
            denied=int(denied),
            bytes_client=_number(end[3]),
            bytes_upstream=_number(end[4]),
            reason=str(end[5]),
        )

    def _index_some(self, file: JournalFile) -> int | None:
        """Index one batch of a file; None when nothing new is in it."""
        name = file.path.name
        known = self._db.execute("SELECT offset FROM source WHERE file = ?", (name,)).fetchone()
        if known is not None and known[0] >= file.path.stat().st_size:
            return None
        self._db.execute("BEGIN IMMEDIATE")
        try:
            known = self._db.execute("SELECT offset FROM source WHERE file = ?", (name,)).fetchone()
            start = known[0] if known else 0
            data = read_whole_lines(file.path, start, _BATCH_BYTES)
            rows, finished = _rows(name, start, data)
            self._db.executemany(_INSERT, rows)
            self._db.executemany(_FINISH, finished)
            self._db.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (name, start + len(data)))
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return len(rows) if data else None

    def _forget(self, journal: Path) -> None:
        """Drop what retention removed from the journals."""
        present = {file.path.name for file in journal_files(journal)}
        for (name,) in self._db.execute("SELECT file FROM source").fetchall():
            if name not in present:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("DELETE FROM event WHERE file = ?", (name,))
                self._db.execute("DELETE FROM source WHERE file = ?", (name,))
                self._db.execute("COMMIT")

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        for number, script in _scripts():
            if number > version:
                self._db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def read_whole_lines(path: Path, offset: int, most: int) -> bytes:
    """The finished lines from `offset` on, about `most` bytes of them, at least one when there is one."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(most)
        while data and b"\n" not in data and (more := file.read(most)):
            data += more
    return data[: data.rfind(b"\n") + 1]


def _rows(name: str, start: int, data: bytes) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    rows: list[tuple[object, ...]] = []
    finished: list[tuple[object, ...]] = []
    offset = start
    for line in data.split(b"\n"):
        for row in read_rows(line):
            rows.append((name, offset, len(line), *astuple(row)))
            if row.kind == "finished":
                finished.append((row.rows, row.bytes, row.duration_us, row.error, row.decision))
        offset += len(line) + 1
    return rows, finished


def _where(wanted: Filter) -> tuple[str, list[object]]:
    clauses: list[tuple[str, object]] = [("time >= ?", wanted.since_ms)]
    equal = {"verdict": wanted.verdict, "target": wanted.target, "decision": wanted.decision, "flow": wanted.flow}
    clauses += [(f"{column} = ?", value) for column, value in equal.items() if value]
    if wanted.actor:
        clauses.append(("instr(actor, ?) > 0", wanted.actor))
    values = [value for _, value in clauses]
    text = " AND ".join(clause for clause, _ in clauses)
    for operator, kinds in (("IN", wanted.kinds), ("NOT IN", wanted.without)):
        if kinds:
            text += f" AND kind {operator} ({', '.join('?' * len(kinds))})"
            values += kinds
    return text, values


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _scripts() -> Iterator[tuple[int, str]]:
    folder = resources.files("hostagent.recording") / "schema"
    for script in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if script.name.endswith(".sql"):
            yield int(script.name.partition("_")[0]), script.read_text("utf-8")
