"""The answers that are outstanding: one expected item for each message that was sent and will be answered.

The server answers in order, so the head of the queue says what the next message from the server belongs to, and an
error can be told to be the answer to a pill. Two rules:

1. After an error in the extended protocol the server skips everything until Sync; `skip()` drops the same items.
2. Whatever the client side had assumed of skipped items (names of statements and portals) is undone, last first.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

from hostagent.protocols.postgres.denial import Denial


class Weighted(Protocol):
    """Something whose memory is counted, in bytes."""

    @property
    def weight(self) -> int: ...


Value = TypeVar("Value", bound=Weighted)


class Awaited(IntEnum):
    """What an item waits for, by the message that was sent."""

    QUERY = 0  # T D C I G H d c E, ends with Z
    CALL = 1  # V or E, ends with Z
    PARSE = 2  # 1
    BIND = 3  # 2
    DESCRIBE = 4  # t, then T or n
    EXECUTE = 5  # D G H d c, ends with C I or s
    CLOSE = 6  # 3
    SYNC = 7  # Z
    PILL_QUERY = 8  # E that is replaced, ends with Z
    PILL_PARSE = 9  # E that is replaced


ENDS_WITH_READY = frozenset({Awaited.QUERY, Awaited.CALL, Awaited.SYNC, Awaited.PILL_QUERY})


class Run:
    """What one forwarded decision has produced so far. `told`: its end was reported at least once.

    `lexical`: running it may change how the bytes after it are read.
    """

    __slots__ = ("bytes", "decision_id", "error", "lexical", "rows", "told")
    weight = 256

    def __init__(self, decision_id: str, lexical: bool = False) -> None:
        self.decision_id = decision_id
        self.lexical = lexical
        self.rows = 0
        self.bytes = 0
        self.error = ""
        self.told = False


class Names(Generic[Value]):
    """The client's names for prepared statements or portals, with undo for what the server did not do."""

    __slots__ = ("_limit", "_values", "_weight", "_weight_limit")

    def __init__(self, limit: int, weight_limit: int) -> None:
        self._values: dict[bytes, Value] = {}
        self._weight = 0
        self._limit = limit
        self._weight_limit = weight_limit

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: bytes) -> Value | None:
        """What that name stands for, or None."""
        return self._values.get(name)

    def full(self, name: bytes) -> bool:
        """Whether that name would be one too many."""
        return self._weight >= self._weight_limit or (len(self._values) >= self._limit and name not in self._values)

    def put(self, name: bytes, value: Value | None) -> Value | None:
        """Let the name stand for the value (None: for nothing) and give back what it stood for."""
        previous = self._values.pop(name, None)
        if previous is not None:
            self._weight -= previous.weight
        if value is not None:
            self._values[name] = value
            self._weight += value.weight
        return previous

    def clear(self) -> None:
        """Forget all names."""
        self._values.clear()
        self._weight = 0


class Statement:
    """A prepared statement: its text, as the client wrote it."""

    __slots__ = ("text", "weight")

    def __init__(self, text: str) -> None:
        self.text = text
        self.weight = 256 + len(text)


class Undo(Generic[Value]):
    """Gives a name back what it stood for."""

    __slots__ = ("_name", "_names", "_previous")

    def __init__(self, names: Names[Value], name: bytes, previous: Value | None) -> None:
        self._names = names
        self._name = name
        self._previous = previous

    def __call__(self) -> None:
        """Take the assumption back."""
        self._names.put(self._name, self._previous)


class Expected:
    """One outstanding answer. `run` where a decision is reported, `denial` where the error is replaced."""

    __slots__ = ("awaited", "denial", "run", "undo")

    def __init__(
        self,
        awaited: Awaited,
        run: Run | None = None,
        denial: Denial | None = None,
        undo: Undo[Statement] | Undo[Run] | None = None,
    ) -> None:
        self.awaited = awaited
        self.run = run
        self.denial = denial
        self.undo = undo


class ResponseQueue:
    """Outstanding answers, oldest first."""

    __slots__ = ("items", "swallowed")

    def __init__(self) -> None:
        self.items: deque[Expected] = deque()
        self.swallowed = 0  # Syncs that the server took for part of a COPY, unless it failed before reading them

    def __len__(self) -> int:
        return len(self.items)

    def head(self) -> Expected | None:
        """What the next message from the server answers, or None."""
        return self.items[0] if self.items else None

    def skip(self) -> tuple[list[Expected], bool]:
        """Drop the items that the server skips after an error, up to the next Sync, and undo what they assumed.

        Gives the dropped items and whether that Sync has been sent.
        """
        dropped: list[Expected] = []
        while self.items and self.items[0].awaited is not Awaited.SYNC:
            dropped.append(self.items.popleft())
        for item in reversed(dropped):
            if item.undo is not None:
                item.undo()
        return dropped, bool(self.items)

    def swallow_syncs(self) -> bool:
        """The server reads COPY data: it takes the Syncs that were sent behind the head for part of it.

        Gives False when something else stands behind the head, which no client may send there.
        """
        self.swallowed = len(self.items) - 1
        while len(self.items) > 1:
            if self.items.pop().awaited is not Awaited.SYNC:
                return False
        return True
