"""Request and decision: what a session asks, and what policy answers.

What is made for every statement is a NamedTuple: a third of the cost of a frozen dataclass, and as immutable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


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


@dataclass(frozen=True, slots=True)
class Ruling:
    """What policy says of one text from one class of actors to one target: the part that is remembered.

    `rule` is the name of the rule that answered, empty when nothing matched. `would` is the verdict that
    `enforce` would have given when `verdict` is OBSERVE. `text` is the statement as it may be recorded, with
    passwords taken out, or None when the statement itself may. `kinds` name the statement kinds, for events.
    `settings` are the names that SET, RESET or set_config touch, lower case; `*` where that cannot be known.

    `rewritten` is the statement that is sent in the place of the client's, None for the client's own. `masked` are the
    columns that it masks, for events; where they are, the session checks what comes back. With the verdict APPROVE,
    `approval` names the terms on which humans are asked.
    """

    verdict: Verdict
    rule: str
    reason: str
    kinds: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    text: str | None = None
    would: Verdict | None = None
    settings: tuple[str, ...] = ()
    rewritten: str | None = None
    masked: tuple[str, ...] = ()
    approval: str = ""


class Decision(NamedTuple):
    """A ruling on one request; `id` is unique on this host, the client sees it and an operator can look it up."""

    id: str
    ruling: Ruling


class Outcome(NamedTuple):
    """How a forwarded request ended. `error` is the server's SQLSTATE or empty."""

    rows: int
    bytes: int
    error: str = ""
