"""What is under way and what is kept of a session: runs, prepared statements, and the one answer that is awaited.

Clients do not pipeline: one command is answered before the next is read. Two commands have no answer at all.
"""

from __future__ import annotations

from typing import Final

from hostagent.protocols.mysql.change_user import Relogin
from hostagent.protocols.mysql.question import Question
from hostagent.protocols.mysql.rows import Rows
from hostagent.protocols.mysql.sealed import Promise
from hostagent.protocols.mysql.settings import Settings


class Awaited:
    """The form of an awaited answer. Plain numbers: they are compared for each packet."""

    RESULTS: Final = 0  # result sets, or OK, as many as there are
    ROWS: Final = 1  # rows of a cursor
    PREPARED: Final = 2
    STATUS: Final = 3  # one OK, EOF or ERR
    LINE: Final = 4  # one packet of text
    FIELDS: Final = 5  # column definitions


class Run:
    """What one forwarded decision has produced so far.

    `lexical`: running it may change how the next text is read. `tracking`: … or what the server says of such changes.
    `told`: its end was reported at least once. `binary`: its rows are; `looked`: how rows are looked at, if they are.
    `file`: the one that the server may ask the client for, once.
    """

    __slots__ = ("binary", "bytes", "decision_id", "error", "file", "lexical", "looked", "rows", "told", "tracking")

    def __init__(self, decision_id: str, lexical: bool, tracking: bool, binary: bool = False) -> None:
        self.decision_id = decision_id
        self.lexical = lexical
        self.tracking = tracking
        self.binary = binary
        self.looked: Rows | None = None
        self.file: str | None = None
        self.rows = 0
        self.bytes = 0
        self.error = ""
        self.told = False


class Statement:
    """A prepared statement. `sent`: the masked text that the server has in the place of `text`, or None.

    `context`, `schemas` and `mysql` are the settings that it was prepared under: it is run under those, whatever the
    session's are by then. `cursor`: the run whose rows FETCH brings. `types` are those of the parameters when they were
    last told.
    """

    __slots__ = ("context", "cursor", "id", "long_data", "mysql", "parameters", "schemas", "sent", "text", "types")

    def __init__(self, text: str, settings: Settings) -> None:
        self.text = text
        self.context = settings.context
        self.schemas = settings.schemas
        self.mysql = settings.mysql
        self.sent: str | None = None
        self.id = -1
        self.parameters = 0
        self.types: tuple[int, ...] = ()
        self.long_data = False
        self.cursor: Run | None = None


class Statements:
    """Prepared statements by the server's id, bounded in number and in text. `last` is what id -1 means to MariaDB."""

    __slots__ = ("_by_id", "_most", "_most_size", "_size", "last")

    def __init__(self, most: int, most_size: int) -> None:
        self._by_id: dict[int, Statement] = {}
        self._most = most
        self._most_size = most_size
        self._size = 0
        self.last: Statement | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    def full(self, text: str) -> bool:
        """Whether there is no room for one more with that text."""
        return len(self._by_id) >= self._most or self._size + len(text) > self._most_size

    def get(self, number: int) -> Statement | None:
        """The statement with that id, or None."""
        return self.last if number == LAST else self._by_id.get(number)

    def add(self, statement: Statement) -> None:
        """The server has prepared it."""
        self.remove(statement.id)
        self._by_id[statement.id] = statement
        self._size += len(statement.text)
        self.last = statement

    def remove(self, number: int) -> None:
        """It was closed."""
        gone = self._by_id.pop(number, None)
        if gone is not None:
            self._size -= len(gone.text)
            if self.last is gone:
                self.last = None

    def clear(self) -> None:
        """All of them are gone."""
        self._by_id.clear()
        self._size = 0
        self.last = None


LAST: Final = 0xFFFFFFFF  # MariaDB: the statement that was prepared last


class Expected:
    """The answer that is awaited. `question`: it is to one of ours. `asks_again`: settings are asked for after it.
    `promise`: what it must look like in a sealed session. `login`: what takes it instead."""

    __slots__ = ("asks_again", "awaited", "login", "promise", "question", "run", "statement")

    def __init__(
        self,
        awaited: int,
        run: Run | None = None,
        statement: Statement | None = None,
        question: Question | None = None,
        asks_again: bool = False,
        promise: Promise | None = None,
    ) -> None:
        self.awaited = awaited
        self.promise = promise
        self.login: Relogin | None = None
        self.run = run
        self.statement = statement
        self.question = question
        self.asks_again = asks_again
