"""The whole vocabulary between a protocol session and the loop that runs it. Nothing else crosses.

A session is sans-IO: it is handed events, and answers with bytes and commands. Two rules:

1. **Bytes leave in order.** After each call the pump takes what `to_client` and `to_upstream` hold, then runs
   `commands` in order. A session never waits: it remembers where it stands and returns.
2. **Undecided bytes stay inside.** A session puts a request into `to_upstream` only from within `decided()`,
   that is after its decision was made and its record accepted.

Reader contract, the same for every decoder below a session: return what was read, or None for "need more"
(and then nothing was consumed), or raise `PeerError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hostagent.approvals.values import Bound
from hostagent.content.detector import Detector
from hostagent.sql.masking.values import Masks
from hostagent.values.decision import Decision, Outcome, Ruling, Value
from hostagent.values.mysql import MysqlSettings


class Leg(StrEnum):
    """The two connections of a flow: the one the client made, and ours to the real destination."""

    CLIENT = "client"
    UPSTREAM = "upstream"


class Phase(StrEnum):
    """What a request asks leave for. PREPARE plans and does not run; EXECUTE runs, and is what events count."""

    PREPARE = "prepare"
    EXECUTE = "execute"


PREPARE: Final = Phase.PREPARE  # an enum's member is looked up by name each time; compiled, these are not
EXECUTE: Final = Phase.EXECUTE


class Request(Value):
    """One statement (or command, or call), as the client wrote it. `number` counts from 1 within the session.

    `context` names the session settings that change what the text means (`key=value`, sorted), so that a
    remembered decision is never used under other settings. `schemas`: where unqualified names resolve, in
    order; None when that is not known any more. `function_oid` is set for a call by number, which has no text
    of its own (PostgreSQL's FunctionCall message). `wire` is empty, or `unreadable` where the request could not be
    read (`text` then says why): it is asked so that the denial has an id and an event, and denied whatever the ruling.
    `mysql`: the settings of a MySQL session; None for other protocols.
    """

    __slots__ = ("context", "function_oid", "mysql", "number", "phase", "schemas", "text", "wire")

    def __init__(
        self,
        number: int,
        phase: Phase,
        text: str,
        context: tuple[str, ...] = (),
        schemas: tuple[str, ...] | None = None,
        wire: str = "",
        function_oid: int | None = None,
        mysql: MysqlSettings | None = None,
    ) -> None:
        self.number: Final = number
        self.phase: Final = phase
        self.text: Final = text
        self.context: Final = context
        self.schemas: Final = schemas
        self.wire: Final = wire
        self.function_oid: Final = function_oid
        self.mysql: Final = mysql

    def parts(self) -> tuple[object, ...]:
        """All of it, in the order of `__init__`."""
        named = self.context, self.schemas, self.wire, self.function_oid, self.mysql
        return self.number, self.phase, self.text, *named


@dataclass(frozen=True, slots=True)
class Credential:
    """What the upstream leg logs in with; never sent to the client, logged, or recorded."""

    user: str
    secret: str = field(repr=False)


# --- commands: session → pump ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin TLS on that leg once the bytes already queued for it are out. Answered by `tls_started`.

    `early` are bytes already received that belong to the handshake.
    """

    leg: Leg
    alpn: tuple[str, ...] = ()
    early: bytes = b""


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the upstream leg to the flow's destination. Answered by `connected` or `upstream_lost`."""


class Decide(Value):
    """Answered by `decided`, at once when the ruling is remembered. Until then the client leg is not read."""

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request: Final = request

    def parts(self) -> tuple[object, ...]:
        """The request."""
        return (self.request,)


@dataclass(frozen=True, slots=True)
class Rule:
    """As `Decide`, for a request that needs no analyzer: what policy says of it is known; the rest is as for others."""

    request: Request
    ruling: Ruling


class Finished(Value):
    """A forwarded request ended; written beside its decision."""

    __slots__ = ("decision_id", "outcome")

    def __init__(self, decision_id: str, outcome: Outcome) -> None:
        self.decision_id: Final = decision_id
        self.outcome: Final = outcome

    def parts(self) -> tuple[object, ...]:
        """The decision's id and the outcome."""
        return self.decision_id, self.outcome


@dataclass(frozen=True, slots=True)
class FinishedWith:
    """As `Finished`, with more facts, for a protocol that has events of its own. It comes when the flow ends, too, so
    it is no command: the session hands it to its flow."""

    decision_id: str
    outcome: Outcome
    facts: tuple[tuple[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class AskHuman:
    """A held request is whole, with its bound values; None: it is too large to be shown. Answered by `decided`.

    `exact`: a window that is opened for it covers this text alone, not others with other literals.
    """

    request: Request
    decision: Decision
    values: tuple[Bound, ...] | None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Describe:
    """Facts of the session for its events, such as the database user and name (never a secret)."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The answer to `look_up`: the server's one value, or None, why there is none, and the server's SQLSTATE.

    `idle`: no transaction is open, and nothing that was sent is unanswered.
    """

    value: str | None
    error: str = ""
    sqlstate: str = ""
    idle: bool = False


@dataclass(frozen=True, slots=True)
class KeepCancelKey:
    """Make `issued` (ours, sent to the client) mean `upstream` at this destination until the flow ends."""

    issued: bytes
    upstream: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """The client asks, on a flow of its own, to cancel what runs under `issued`. Answered by `cancel_found`, or the
    flow ends."""

    issued: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End the flow once the queued bytes are out. `reason` is empty for an ordinary end."""

    reason: str = ""


Command = (
    StartTls | Connect | Decide | Rule | Finished | Describe | LookedUp | KeepCancelKey | Cancel | Close | AskHuman
)  # fmt: skip


# --- events: pump → session -----------------------------------------------------------------------------------


class Session(ABC):
    """One protocol conversation. The pump calls the methods below; each returns at once.

    `captured` collects (leg the bytes came from, bytes) for the session recording; secrets are never put there.
    `sealed`: masks are in force, so what the upstream says is checked as well; the pump sets it before any statement.
    `forbidden`: table OID and attribute number of columns that must not be in a result then; `masks`: those in force.
    """

    def __init__(self) -> None:
        self.to_client: list[bytes] = []
        self.to_upstream: list[bytes] = []
        self.commands: list[Command] = []
        self.captured: list[tuple[Leg, bytes]] = []
        self.sealed = False
        self.forbidden: set[tuple[int, int]] = set()
        self.masks: Masks | None = None

    @property
    def client_held(self) -> bool:
        """Whether the session takes no more client bytes for now; the pump stops reading that leg meanwhile."""
        return False

    @abstractmethod
    def client_data(self, data: bytes) -> None:
        """Bytes from the client (decrypted where TLS runs). Raises PeerError."""

    @abstractmethod
    def upstream_data(self, data: bytes) -> None:
        """Bytes from the upstream (decrypted where TLS runs). Raises PeerError."""

    @abstractmethod
    def client_eof(self) -> None:
        """The client will send no more."""

    @abstractmethod
    def connected(self) -> None:
        """The upstream leg is open."""

    @abstractmethod
    def upstream_lost(self, reason: str) -> None:
        """The upstream leg could not be opened, its TLS could not be verified, or it ended.

        `reason` is written for the client; empty for an ordinary end of stream.
        """

    @abstractmethod
    def tls_started(self, leg: Leg, binding: bytes) -> None:
        """TLS is up. `binding`: tls-server-end-point data (RFC 5929) of the server's certificate on that leg."""

    @abstractmethod
    def cancel_found(self, upstream: bytes) -> None:
        """The answer to `Cancel`: the upstream's own key. The session asks to connect and hands it over."""

    goes_on_without_cancel = False  # its flow is not for one cancel request alone

    def cancel_not_found(self, withdrawn: bool) -> None:  # noqa: ARG002
        """The answer to `Cancel` where no such key is known, or (`withdrawn`) a human was asked, and is no more."""
        raise ValueError("a session that has nothing but a cancel request goes on")

    @abstractmethod
    def hold(self, request: Request, decision: Decision) -> None:
        """The answer to `Decide` where a human must approve: gather what is to be shown, then `AskHuman`."""

    @abstractmethod
    def progress(self) -> tuple[str, int, int] | None:
        """What the server answers now: its decision's id, and the rows and bytes that it has brought so far."""

    @abstractmethod
    def cut_off(self, reason: str) -> None:
        """End the session for that reason as soon as the message that is on its way to the client is whole."""

    @abstractmethod
    def notify(self, decision: Decision, seconds: int, minimum: int) -> None:
        """Tell the client that so many humans are asked about a request of its, for that long at most."""

    def withdrawn(self, request: Request) -> bool:  # noqa: ARG002
        """Whether the client has given up a held request, and goes on all the same."""
        return False

    def ended(self) -> None:  # noqa: B027  only a session that runs tasks has something to end
        """The flow has ended: no byte leaves any more, but each `Finished` that is given here is recorded."""

    @abstractmethod
    def look_through(self, detector: Detector | None) -> None:
        """Look through what the server sends with these detectors from now on."""

    @abstractmethod
    def look_up(self, question: str) -> None:
        """Ask the server something of our own, while a decision is awaited. Answered by the command `LookedUp`."""

    @abstractmethod
    def decided(self, request: Request, decision: Decision) -> None:
        """The answer to `Decide`. An APPROVE verdict reaches a session only as what the human answered."""
