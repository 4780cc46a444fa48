"""Standing: what the gate knows of a flow, and keeps for it. A native object: every statement looks at it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from hostagent.limits.purse import Tally
from hostagent.protocols.base import FinishedWith, LookedUp, Request
from hostagent.recording import event
from hostagent.recording.journal import RecordingError
from hostagent.runtime.limits import Counted
from hostagent.runtime.masking import Place
from hostagent.runtime.waiting import AskedWhenRun
from hostagent.sql.masking.values import Masks
from hostagent.values.decision import Decision
from hostagent.values.flow import FlowId


class Scope(NamedTuple):
    """Where a ruling is remembered: `number` stands for actors, target, and these facts of the request."""

    number: int
    catalog: int
    context: tuple[str, ...]
    schemas: tuple[str, ...] | None
    place: str | None


class Words(Protocol):
    """The events of a protocol that has event classes of its own; see `recording.event` for the usual ones."""

    def session_opened(self, context: event.FlowContext) -> bytes: ...
    def decided(self, context: event.FlowContext, request: Request, decision: Decision) -> bytes: ...
    def finished(self, context: event.FlowContext, command: FinishedWith, took_us: int) -> bytes: ...
    def recording_grew(self, context: event.FlowContext, digest: event.Digest) -> bytes: ...
    def note(self, context: event.FlowContext, request: Request, decision: Decision) -> bytes: ...


class Owner(Protocol):
    """What the gate tells a flow."""

    def decided(self, request: Request, decision: Decision) -> None: ...
    def recorded(self) -> None: ...
    async def look_up(self, question: str) -> LookedUp: ...
    def unrecorded(self, error: RecordingError) -> None: ...


class Standing:
    """How one flow stands with the gate. `gated`: a decision of it is not written yet; set by the gate alone."""

    def __init__(self, flow_id: FlowId, owner: Owner) -> None:
        self.owner = owner
        self.actors: frozenset[str] = frozenset()  # classes of its actor
        self.target_name = ""
        self.context: event.FlowContext | None = None
        self.gated = False
        self.counted: Counted = ()  # the limits that may count what it does
        self.tally: Tally | None = None  # of the decision that it is given next
        self.prepared = AskedWhenRun()
        self.scope: Scope | None = None  # the last one it was asked in; None when its actors may be others now
        self.words: Words | None = None  # its events; None for those of databases
        self.masks: Masks | None = None  # what is masked for its actors at its target
        self.apart = False  # it may have temporary relations, so its names mean something else than those of others
        self.place: Place | None = None  # what its names mean, where its server was asked and that cannot have changed
        self.unsettled = False  # it may see a catalog that others do not: it changed one, in what may be a transaction
        self.decided = 0  # decisions recorded, for metrics
        self.outcomes: list[bytes] = []  # of its requests, to be recorded together
        self.failed = False  # one of them was an error
        self._flow_id = flow_id
        self._decisions = 0

    def next_decision_id(self) -> str:
        """Unique on this host."""
        self._decisions += 1
        return f"{self._flow_id}.{self._decisions}"

    def told(self) -> event.FlowContext:
        """What its events share. Raises RuntimeError before it is open."""
        if self.context is None:
            raise RuntimeError("the flow is not open")
        return self.context
