"""Request and decision: what a session asks, and what policy answers.

What is made for every statement is a `Value` with its own `__init__`: compiled, that is a native object, a tenth of the
cost of a dataclass or a named tuple.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Value:
    """Equal to another of its kind with equal `parts`, and shown by them. Its attributes are never set again."""

    __slots__ = ()

    def parts(self) -> tuple[object, ...]:
        """What it consists of, as its `__init__` takes it."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Value) and self.parts() == other.parts()

    def __hash__(self) -> int:
        return hash(self.parts())

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.parts()!r}"


class Verdict(StrEnum):
    """What is done with a request. `OBSERVE` lets it through and records what would have been."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVE = "approve"
    OBSERVE = "observe"

    @property
    def forwards(self) -> bool:
        """Whether the request goes on to the upstream without a human."""
        return self is Verdict.ALLOW or self is Verdict.OBSERVE


ALLOW: Final = Verdict.ALLOW  # an enum's member is looked up by name each time; compiled, these are not
APPROVE: Final = Verdict.APPROVE
DENY: Final = Verdict.DENY


@dataclass(frozen=True, slots=True)
class Ruling:
    """What policy says of one text from one class of actors to one target: the part that is remembered.

    `rule` is the name of the rule that answered, empty when nothing matched. `would` is the verdict that
    `enforce` would have given when `verdict` is OBSERVE. `text` is the statement as it may be recorded, with
    passwords taken out, or None when the statement itself may. `kinds` name the statement kinds, for events.
    `settings` are the names that SET, RESET or set_config touch, lower case; `*` where that cannot be known.

    `rewritten` is the statement that is sent in the place of the client's, None for the client's own. `masked` are the
    columns that it masks, for events; `forbidden` are relation oid and column number of what no result may hold then.
    `pieces`, in the place of `rewritten`: that text between the literals of the client's, for all of one template.
    `shape`: the names of the columns of its result, None for one that is not known, None as a whole for no promise.
    `constants`: what each of these columns shows in text (or NULL), None for one that shows other things; for MySQL.
    `derived`: names that the text gives to what is no relation itself, as a result may call it by them; for MySQL.
    `sqlstate`: what a denied client is told, empty for 42501. `told`: a syntax error in the parser's own words, for the
    client alone, at the character `position` of its text (0: none). With the verdict APPROVE, `approval` names the
    terms on which humans are asked.
    """

    verdict: Verdict
    rule: str
    reason: str
    kinds: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    text: str | None = None
    would: Verdict | None = None
    settings: tuple[str, ...] = ()
    rewritten: str | None = field(default=None, repr=False)  # it can hold a mask's key: never recorded
    masked: tuple[str, ...] = ()
    forbidden: tuple[tuple[int, int], ...] = ()
    pieces: tuple[str, ...] = field(default=(), repr=False)
    shape: tuple[str | None, ...] | None = None
    constants: tuple[str | None, ...] = ()
    derived: tuple[str, ...] = ()
    sqlstate: str = ""
    told: str = field(default="", repr=False)  # it quotes the text: never recorded
    position: int = 0
    approval: str = ""


class Decision(Value):
    """A ruling on one request; `id` is unique on this host, the client sees it and an operator can look it up.

    `forwards`: whether the request goes on to the upstream without a human. `rewritten`: what is sent in its place, for
    a ruling with pieces these `filled`; None for the client's own text.
    """

    __slots__ = ("forwards", "id", "rewritten", "ruling")

    def __init__(self, id: str, ruling: Ruling, filled: str | None = None) -> None:
        self.id: Final = id
        self.ruling: Final = ruling
        self.forwards: Final = ruling.verdict.forwards
        self.rewritten: Final = ruling.rewritten if filled is None else filled

    def parts(self) -> tuple[object, ...]:
        """Its id and ruling, and the text to send."""
        return self.id, self.ruling, self.rewritten


class Outcome(Value):
    """How a forwarded request ended. `error` is the server's SQLSTATE or empty; `detected` what a net found in its
    result, by detector."""

    __slots__ = ("bytes", "detected", "error", "rows")

    def __init__(self, rows: int, bytes: int, error: str = "", detected: dict[str, int] | None = None) -> None:
        self.rows: Final = rows
        self.bytes: Final = bytes
        self.error: Final = error
        self.detected: Final = detected

    def parts(self) -> tuple[object, ...]:
        """Rows, bytes, error and what was detected."""
        return self.rows, self.bytes, self.error, self.detected

    def __hash__(self) -> int:
        return hash((self.rows, self.bytes, self.error))
