"""What a client is told when something is refused, and the pill that makes the server raise the error.

A denied message is replaced by one that cannot parse (the pill); the server answers 42601, keeps its transaction
state true by itself, and only the text of its error is replaced on the way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hostagent.protocols.postgres import messages
from hostagent.values.decision import Decision

PILL_TEXT: Final = b"!denied!"  # no SQL statement starts with "!": a syntax error in every version
PILL_NAME: Final = b"hostagent_denied"  # never comes to exist: the text fails before it is stored
PILL_QUERY: Final = messages.query(PILL_TEXT)
PILL_PARSE: Final = messages.parse(PILL_NAME, PILL_TEXT)
PILL_PARSE_UNNAMED: Final = messages.parse(b"", PILL_TEXT)
SYNTAX_ERROR: Final = "42601"
FAILED_TRANSACTION: Final = "25P02"  # the server's own word for it, as programs look for it

MAX_REASON: Final = 2000  # characters of a reason that a client sees: errors stay readable in logs


class Refused(Exception):
    """The session cannot go on, and it is not the peer's protocol that is at fault. The text is for the client."""

    def __init__(self, sqlstate: str, text: str, hint: str = "") -> None:
        self.sqlstate = sqlstate
        self.text = text
        self.hint = hint
        super().__init__(text)

    def response(self) -> bytes:
        """The FATAL ErrorResponse for the client."""
        return messages.error_response("FATAL", self.sqlstate, self.text, hint=self.hint)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why one message is denied while the session goes on. `position`: a character of the statement, 0 for none."""

    sqlstate: str
    text: str
    detail: str = ""
    hint: str = ""
    position: int = 0

    def response(self) -> bytes:
        """The ErrorResponse that the client gets in place of the pill's."""
        return messages.error_response("ERROR", self.sqlstate, self.text, self.detail, self.hint, self.position)


def by_policy(decision: Decision) -> Denial:
    """The denial that a decision asks for; the hint carries the decision's id. A syntax error is told as servers do."""
    ruling = decision.ruling
    if ruling.told:
        return Denial(SYNTAX_ERROR, ruling.told[:MAX_REASON], position=ruling.position)
    hint = f"The operator of this host finds it as decision {decision.id}."
    if ruling.sqlstate == FAILED_TRANSACTION:
        return Denial(ruling.sqlstate, ruling.reason[:MAX_REASON], hint=hint)
    rule = f" (rule {ruling.rule})" if ruling.rule else ""
    return Denial(
        "42501",
        f"denied by policy: {ruling.reason[:MAX_REASON]}{rule}",
        "The statement was stopped on this host and did not reach the server.",
        hint,
    )


def unreadable(why: str, decision: Decision) -> Denial:
    """The denial of a request that could not be read, whatever policy said of it."""
    return Denial(
        "42501",
        f"denied: {why[:MAX_REASON]}",
        "What cannot be read is not forwarded to the server.",
        f"The operator of this host finds it as decision {decision.id}.",
    )
