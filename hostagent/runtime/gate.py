"""The gate: every request of a worker passes here, is decided, recorded, and only then answered.

The slow path decides, the fast path remembers: a remembered ruling costs a dictionary lookup, a miss asks the
analyzer process. Whichever way, the decision is written to the journal before its session hears of it. Decisions of
one turn of the loop are written together; a batch that cannot be written becomes denials.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import replace
from typing import Protocol

from hostagent.policy.decide import decide
from hostagent.policy.model import Policy
from hostagent.protocols.base import Finished, Phase, Request
from hostagent.recording import event
from hostagent.recording.journal import Journal, RecordingError
from hostagent.runtime.memory import Memory
from hostagent.sql.analysis import Analysis, Kind, Name, Statement, Unanalyzed
from hostagent.sql.client import analyze
from hostagent.sql.functions import is_harmless
from hostagent.sql.secrets import cut_at_secret
from hostagent.sql.template import literal_free, template
from hostagent.values.decision import Decision, Ruling, Verdict

log = logging.getLogger("hostagent.gate")

MAX_WAITING = 10_000  # outcome events kept while the disk is full; sessions can make no new ones meanwhile
ANALYZER_DEADLINE = 5.0  # seconds; a statement that takes longer to analyze is denied

Spawn = Callable[[Coroutine[object, object, None]], object]


class Asker(Protocol):
    """What the gate needs of a flow."""

    @property
    def actors(self) -> frozenset[str]: ...
    @property
    def target_name(self) -> str: ...
    @property
    def context(self) -> event.FlowContext: ...
    def next_decision_id(self) -> str: ...
    def decided(self, request: Request, decision: Decision) -> None: ...


class Gate:
    """Decides and records for all flows of one worker."""

    def __init__(self, policy: Policy, journal: Journal, analyzer: str, spawn: Spawn) -> None:
        self._policy = policy
        self._journal = journal
        self._analyzer = analyzer
        self._spawn = spawn
        self._memory = Memory()
        self._loop = asyncio.get_running_loop()
        self._batch: list[tuple[Asker, Request, Decision, bytes]] = []
        self._waiting: list[bytes] = []
        self._scheduled = False
        self.decisions = 0
        self.misses = 0
        self.unrecorded = 0
        self.lost = 0

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    def replace_policy(self, policy: Policy) -> None:
        """Decide by this policy from now on, and forget what was remembered."""
        self._policy = policy
        self._memory.clear()

    def ask(self, asker: Asker, request: Request) -> bool:
        """Decide this request; `asker.decided` is called later, never from within. False: it has to be analyzed."""
        scope = _scope(asker, request)
        shape = None
        if request.wire:
            ruling: Ruling | None = self._decide(asker, request, Unanalyzed(request.text))
        else:
            ruling = self._memory.get(scope, request.text)
        if ruling is None and (shape := template(request.text)) is not None:
            ruling = self._memory.get(scope, shape)
        if ruling is None:
            self.misses += 1
            self._spawn(self._analyze(asker, request, shape))
            return False
        self._answer(asker, request, ruling)
        return True

    def finished(self, asker: Asker, command: Finished, took_us: int) -> None:
        """Record how a forwarded request ended; written with the next batch."""
        self.record(event.finished(asker.context, command.decision_id, command.outcome, took_us))

    def record(self, encoded: bytes) -> None:
        """Record an event that no request waits for; kept and tried again while it cannot be written."""
        self._waiting.append(encoded)
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[0]
            self.lost += 1
        self._schedule()

    def flush(self) -> None:
        """Write what is pending and answer who waits. Called once a turn of the loop at most."""
        self._scheduled = False
        batch, self._batch = self._batch, []
        try:
            if pending := self._waiting + [encoded for *_, encoded in batch if encoded]:
                self._journal.append_many(pending)
            self._waiting.clear()
        except RecordingError:
            self.unrecorded += len(batch)
            batch = [(asker, request, _unrecorded(decision), encoded) for asker, request, decision, encoded in batch]
        for asker, request, decision, _ in batch:
            asker.decided(request, decision)

    async def _analyze(self, asker: Asker, request: Request, shape: str | None) -> None:
        analysis = _function_call(request) or await analyze(self._analyzer, request.text, ANALYZER_DEADLINE)
        try:
            ruling = self._decide(asker, request, analysis)
        except Exception:  # a fault of ours denies this statement; the sessions beside it go on
            log.exception("decision_failed")
            analysis = Unanalyzed("an internal error")
            ruling = Ruling(Verdict.DENY, "", analysis.reason, text=cut_at_secret(request.text))
        if isinstance(analysis, Analysis):
            kept = shape if shape is not None and literal_free(analysis) else request.text
            self._memory.put(_scope(asker, request), kept, ruling)
        self._answer(asker, request, ruling)

    def _decide(self, asker: Asker, request: Request, analysis: Analysis | Unanalyzed) -> Ruling:
        ruling = decide(self._policy, asker.actors, asker.target_name, analysis, request.schemas, is_harmless)
        if isinstance(analysis, Unanalyzed):  # nobody knows where in it a password stands
            ruling = replace(ruling, text=cut_at_secret(request.text))
        return ruling

    def _answer(self, asker: Asker, request: Request, ruling: Ruling) -> None:
        decision = Decision(asker.next_decision_id(), ruling)
        encoded = b""
        if request.phase is Phase.EXECUTE or not ruling.verdict.forwards:
            self.decisions += 1
            encoded = event.decided(asker.context, request.text, decision)
        self._batch.append((asker, request, decision, encoded))
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)


def _scope(asker: Asker, request: Request) -> Hashable:
    """Everything but the text that a ruling depends on, under one policy."""
    return (asker.actors, asker.target_name, request.context, request.schemas, request.function_oid)


def _function_call(request: Request) -> Analysis | None:
    if request.function_oid is None:
        return None
    called = frozenset({Name("", f"oid:{request.function_oid}")})
    return Analysis((Statement(frozenset({Kind.FUNCTION_CALL}), functions=called),))


def _unrecorded(decision: Decision) -> Decision:
    ruling = Ruling(Verdict.DENY, "", "the decision could not be recorded; nothing is forwarded unrecorded")
    return Decision(decision.id, replace(ruling, kinds=decision.ruling.kinds, text=decision.ruling.text))
