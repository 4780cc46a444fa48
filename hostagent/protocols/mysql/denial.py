"""What a client is told when something is refused: ERR packets, and nothing is sent to the server.

There is no pipelining in this protocol, so a denied command is answered at once and the session and its transaction are
as they were. Clients cut a message after 511 bytes (MYSQL_ERRMSG_SIZE), so it is kept below.
"""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.approvals.values import CANCELLED
from hostagent.protocols.mysql.packets import ERR, packet
from hostagent.values.decision import Decision

MAX_MESSAGE = 500  # bytes of an error's text
MAX_REASON = 320  # characters of a reason in it: the decision's id has its place behind

ACCESS_DENIED = 1045, "28000"
UNKNOWN_COMMAND = 1047, "08S01"
DENIED = 1142, "42000"  # ER_TABLEACCESS_DENIED_ERROR
NETWORK = 1158, "08S01"
UNKNOWN_STATEMENT = 1243, "HY000"
INTERRUPTED = 1317, "70100"
TOO_MANY = 1461, "42000"
MALFORMED = 1835, "HY000"  # ER_MALFORMED_PACKET
HOST_NOT_PRIVILEGED = 1130


def err(sequence: int, number: int, sqlstate: str, text: str) -> bytes:
    """The ERR packet with that sequence number."""
    said = _cut(text)
    return packet(sequence, bytes((ERR,)) + number.to_bytes(2, "little") + b"#" + sqlstate.encode("ascii") + said)


def before_greeting(text: str, number: int = HOST_NOT_PRIVILEGED) -> bytes:
    """The ERR packet in the place of a greeting: it has no SQLSTATE yet."""
    return packet(0, bytes((ERR,)) + number.to_bytes(2, "little") + _cut(text))


class Refused(Exception):
    """The session cannot go on, and it is not the peer's protocol that is at fault. The text is for the client."""

    def __init__(self, kind: tuple[int, str], text: str) -> None:
        self.number, self.sqlstate = kind
        self.text = text
        super().__init__(text)

    def packet(self, sequence: int, *, greeted: bool) -> bytes:
        """The ERR packet for the client."""
        if greeted:
            return err(sequence, self.number, self.sqlstate, self.text)
        return before_greeting(self.text, self.number)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why one command is denied while the session goes on."""

    number: int
    sqlstate: str
    text: str


def by_policy(decision: Decision) -> Denial:
    """The denial that a decision asks for; its text ends with the decision's id."""
    ruling = decision.ruling
    rule = f" (rule {ruling.rule})" if ruling.rule else ""
    return Denial(*DENIED, f"denied by policy: {ruling.reason[:MAX_REASON]}{rule}. {_find(decision)}")


def not_approved(decision: Decision) -> Denial:
    """The denial of a statement that no human let through; a cancelled one reads as the server's own word for it."""
    if decision.ruling.reason == CANCELLED:
        return Denial(*INTERRUPTED, f"Query execution was interrupted while it waited for a human. {_find(decision)}")
    return by_policy(decision)


def unreadable(why: str, decision: Decision) -> Denial:
    """The denial of a command that could not be read, whatever policy said of it."""
    return Denial(*DENIED, f"denied: {why[:MAX_REASON]}. {_find(decision)}")


def _find(decision: Decision) -> str:
    return f"The operator of this host finds it as decision {decision.id}."


def _cut(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:MAX_MESSAGE].decode("utf-8", "ignore").encode()
