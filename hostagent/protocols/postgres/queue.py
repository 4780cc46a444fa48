"""The answers that are outstanding: one expected item for each message that was sent and will be answered.

The server answers in order, so the head of the queue says what the next message from the server belongs to, and an
error can be told to be the answer to a pill. Two rules:

1. After an error in the extended protocol the server skips everything until Sync; `skip()` drops the same items.
2. Whatever the client side had assumed of skipped items (names of statements and portals) is undone, last first.
"""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

from hostagent.protocols.postgres.denial import Denial
from hostagent.protocols.postgres.lookup import Lookup


class Weighted(Protocol):
    """Something whose memory is counted, in bytes; `settled` once the server has said that it is there."""

    settled: bool

    @property
    def weight(self) -> int: ...


Value = TypeVar("Value", bound=Weighted)


class Awaited:
    """What an item waits for, by the message that was sent. Plain numbers: one is compared for each message."""

    QUERY: Final = 0  # T D C I G H d c E, ends with Z
    CALL: Final = 1  # V or E, ends with Z
    PARSE: Final = 2  # 1
    BIND: Final = 3  # 2
    DESCRIBE: Final = 4  # t, then T or n
    EXECUTE: Final = 5  # D G H d c, ends with C I or s
    CLOSE: Final = 6  # 3
    SYNC: Final = 7  # Z
    PILL_QUERY: Final = 8  # E that is replaced, ends with Z
    PILL_PARSE: Final = 9  # E that is replaced


def ends_with_ready(awaited: int) -> bool:
    """Whether ReadyForQuery ends what is awaited."""
    return awaited in (Awaited.QUERY, Awaited.CALL, Awaited.SYNC, Awaited.PILL_QUERY)


class Run:
    """What one forwarded decision has produced so far. `told`: its end was reported at least once.

    `lexical`: running it may change how the bytes after it are read. `batch`, `settled`, `shape`: see `Statement`.
    """

    __slots__ = ("batch", "bytes", "decision_id", "error", "lexical", "rows", "settled", "shape", "told")
    weight = 256

    def __init__(self, decision_id: str, lexical: bool = False, batch: int = 0) -> None:
        self.decision_id = decision_id
        self.lexical = lexical
        self.batch = batch
        self.settled = False
        self.shape: tuple[str | None, ...] | None = None
        self.rows = 0
        self.bytes = 0
        self.error = ""
        self.told = False


class Names(Generic[Value]):
    """The client's names for prepared statements or portals, with undo for what the server did not do."""

    __slots__ = ("_limit", "_values", "_weight", "_weight_limit", "clearings")

    def __init__(self, limit: int, weight_limit: int) -> None:
        self._values: dict[bytes, Value] = {}
        self._weight = 0
        self._limit = limit
        self._weight_limit = weight_limit
        self.clearings = 0

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
        self.clearings += 1


class Statement:
    """A prepared statement: its text as the client wrote it, and what was `sent` in its place, if anything was.

    `batch` counts the Syncs that were sent before it. Until it is `settled` nobody knows what its name means to the
    server once a Sync stands behind it: if it fails, the server goes on with what the name meant before. `shape`: what
    its masked text promises of its result, as `Ruling.shape`.
    """

    __slots__ = ("batch", "sent", "settled", "shape", "text", "weight")

    def __init__(self, text: str, batch: int = 0) -> None:
        self.text = text
        self.sent: str | None = None
        self.shape: tuple[str | None, ...] | None = None
        self.batch = batch
        self.settled = False
        self.weight = 256 + len(text)


class Undo(Generic[Value]):
    """A change of a name that the server may not make. What it restores it knows to be there; else nothing."""

    __slots__ = ("_clearings", "_name", "_names", "_previous", "_value")

    def __init__(self, names: Names[Value], name: bytes, value: Value | None) -> None:
        self._names = names
        self._name = name
        self._value = value
        self._previous = names.put(name, value)
        self._clearings = names.clearings

    def settle(self) -> None:
        """The server made the change."""
        if self._value is not None:
            self._value.settled = True

    def __call__(self) -> None:
        """Take the change back, unless there was another since."""
        names, previous = self._names, self._previous
        if names.clearings == self._clearings and names.get(self._name) is self._value:
            names.put(self._name, previous if previous is not None and previous.settled else None)


class Expected:
    """One outstanding answer. `run` where a decision is reported, `denial` where the error is replaced, `lookup` where
    the answer is to a question of ours, `shape` where a result must have one."""

    __slots__ = ("awaited", "behind", "denial", "lookup", "run", "shape", "undo")

    def __init__(
        self,
        awaited: int,
        run: Run | None = None,
        denial: Denial | None = None,
        undo: Undo[Statement] | Undo[Run] | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self.awaited = awaited
        self.run = run
        self.denial = denial
        self.undo = undo
        self.lookup = lookup
        self.shape: tuple[str | None, ...] | None = None
        self.behind: Expected | None = None  # the next in the queue


class ResponseQueue:
    """Outstanding answers, oldest first; linked, as a client may pipeline tens of thousands."""

    __slots__ = ("_count", "head", "last", "swallowed")

    def __init__(self) -> None:
        self.head: Expected | None = None  # what the next message from the server answers
        self.last: Expected | None = None
        self._count = 0
        self.swallowed = 0  # Syncs that the server took for part of a COPY, unless it failed before reading them

    def __len__(self) -> int:
        return self._count

    def append(self, item: Expected) -> None:
        """A message was sent that will be answered."""
        if self.last is None:
            self.head = item
        else:
            self.last.behind = item
        self.last = item
        self._count += 1

    def pop(self) -> None:
        """The head has its answer."""
        if self.head is not None:
            self.head = self.head.behind
            self._count -= 1
        if self.head is None:
            self.last = None

    def clear(self) -> list[Expected]:
        """Expect nothing more; gives what was outstanding."""
        dropped: list[Expected] = []
        while (item := self.head) is not None:
            dropped.append(item)
            self.pop()
        return dropped

    def skip(self) -> tuple[list[Expected], bool]:
        """Drop the items that the server skips after an error, up to the next Sync, and undo what they assumed.

        Gives the dropped items and whether that Sync has been sent.
        """
        dropped: list[Expected] = []
        while (item := self.head) is not None and item.awaited != Awaited.SYNC:
            dropped.append(item)
            self.pop()
        for item in reversed(dropped):
            if item.undo is not None:
                item.undo()
        return dropped, self._count > 0

    def swallow_syncs(self) -> bool:
        """The server reads COPY data: it takes the Syncs that were sent behind the head for part of it.

        Gives False when something else stands behind the head, which no client may send there.
        """
        head = self.head
        if head is None:
            return True
        behind, head.behind = head.behind, None
        self.swallowed, self._count, self.last = self._count - 1, 1, head
        while behind is not None:
            if behind.awaited != Awaited.SYNC:
                return False
            behind = behind.behind
        return True
