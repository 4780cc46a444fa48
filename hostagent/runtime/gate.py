"""The gate: every request of a worker passes here, is decided, recorded, and only then answered.

The slow path decides, the fast path remembers: a remembered ruling costs a dictionary lookup and is given at once, a
miss asks the analyzer process. Whichever way, the decision is in the journal before anything that follows from it
leaves this process: a flow with a decision of this turn withholds its bytes until `recorded()`. Three rules:

1. What one turn of the loop decides is written with one write; how requests ended, some of a flow's in one event.
2. Room is reserved before a decision is given, so a full disk is known in time to deny; the session goes on.
3. A write that fails all the same ends the flows whose decisions it held: they have gone too far to be denied.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Final, Protocol

from hostagent.limits.purse import Tally
from hostagent.policy.decide import decide
from hostagent.policy.limits import Hit, exceeded
from hostagent.policy.model import Policy
from hostagent.protocols.base import EXECUTE, PREPARE, Finished, LookedUp, Request
from hostagent.recording import event
from hostagent.recording.chain import LINK_MOST
from hostagent.recording.journal import RecordingError
from hostagent.runtime.counted import Counted
from hostagent.runtime.limits import Limits
from hostagent.runtime.masking import CHANGING, Place, masked, may_move, place_of
from hostagent.runtime.memory import Memory
from hostagent.runtime.standing import Scope, Standing
from hostagent.sql.analysis import Analysis, Kind, Name, Statement, Unanalyzed
from hostagent.sql.client import analyze
from hostagent.sql.functions import is_harmless
from hostagent.sql.masking.values import Masks
from hostagent.sql.mysql.functions import is_harmless as is_harmless_in_mysql
from hostagent.sql.mysql.template import filled as mysql_filled
from hostagent.sql.mysql.template import template as mysql_template
from hostagent.sql.secrets import cut_at_secret
from hostagent.sql.template import filled, literal_free, template
from hostagent.values.decision import ALLOW, DENY, Decision, Ruling, Verdict
from hostagent.values.mysql import MysqlSettings

log = logging.getLogger("hostagent.gate")

MAX_WAITING: Final = 10_000  # outcome events kept while the disk is full; sessions can make no new ones meanwhile
OUTCOME_DELAY: Final = 0.01  # seconds an outcome waits for others of its flow; what a crash can cost of them
MOST_OUTCOMES: Final = 64  # of one flow in one event
RETRY_DELAY: Final = 0.5  # seconds until outcomes that could not be written are tried again
MAX_SHAPES: Final = 1024  # templates kept by exact text …
MAX_SHAPED: Final = 4096  # … of so many characters at most
ANALYZER_DEADLINE: Final = 5.0  # seconds; a statement that takes longer to analyze is denied

Spawn = Callable[[Coroutine[object, object, None]], object]


class Recorder(Protocol):
    """What the gate needs of a journal."""

    def reserve(self, size: int) -> bool: ...
    def append_many(self, events: list[bytes]) -> None: ...


class Gate:
    """Decides and records for all flows of one worker."""

    def __init__(self, policy: Policy, journal: Recorder, analyzer: str, spawn: Spawn, limits: Limits) -> None:
        self._policy = policy
        self._journal = journal
        self._analyzer = analyzer
        self._spawn = spawn
        self._limits = limits
        self._memory = Memory()
        self._shapes: dict[tuple[MysqlSettings | None, str], str] = {}
        self._loop = asyncio.get_running_loop()
        self._events: list[bytes] = []  # to write, in order
        self._size = 0  # of them, in bytes
        self._kept: list[bytes] = []  # those of them that are tried again when they cannot be written
        self._ended: list[Standing] = []  # whose requests ended, to be recorded with the next tick
        self._askers: list[Standing] = []  # who has a decision among them
        self._answers: list[tuple[Standing, Request, Decision]] = []  # decided late, to be told
        self._scheduled = False
        self._ticking = False
        self._catalog = 1  # counts what masking may not know any more
        self._changing: set[str] = set()  # decisions under way that may change a catalog
        self.counted = Counted(policy)
        self.decisions = 0
        self.hits = 0
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
        self.counted.replace_policy(policy)
        self._memory.clear()

    def forget_catalogs(self) -> None:
        """What servers said of their relations may not be true any more."""
        self._catalog += 1

    def ask(self, asker: Standing, request: Request) -> Decision | None:
        """Decide this request. None: it has to be analyzed, and `decided` of its owner is called later.

        What follows from a decision that is given here may leave once `gated` is False again.
        """
        if request.wire:
            return self._decided(asker, request, self._decide(asker, request, Unanalyzed(request.text)))
        scope = self._scope(asker, request)
        shape = self._shapes.get((request.mysql, request.text))
        ruling = None
        if not asker.unsettled:
            if shape is not None:
                ruling = self._memory.get(scope, shape)
            if ruling is None:
                ruling = self._recall(scope, request.text)
        if ruling is None and shape is None:
            shape = self._shape(request)
            if shape is not None and not asker.unsettled:
                ruling = self._memory.get(scope, shape)
        if ruling is not None:
            self.hits += 1
            return self._ruled(asker, request, ruling)
        self.misses += 1
        self._spawn(self._analyze(asker, request, shape))
        return None

    def rule(self, asker: Standing, request: Request, ruling: Ruling) -> Decision | None:
        """As `ask`, where the ruling is known and neither analyzed nor remembered here."""
        return self._ruled(asker, request, ruling)

    def _recall(self, scope: int, text: str) -> Ruling | None:
        """What is remembered of a text by itself; one that looks like a template is not what that stands for."""
        ruling = self._memory.get(scope, text)
        return None if ruling is None or ruling.pieces else ruling

    def _shape(self, request: Request) -> str | None:
        """The text's template; kept for texts that come again, as those of prepared statements do."""
        mysql, text = request.mysql, request.text
        shape = template(text) if mysql is None else mysql_template(text, mysql)
        if shape is not None and len(text) <= MAX_SHAPED:
            if len(self._shapes) >= MAX_SHAPES:
                self._shapes.clear()
            self._shapes[mysql, text] = shape
        return shape

    def finished(self, asker: Standing, command: Finished, took_us: int) -> None:
        """Record how a forwarded request ended; with what else of its flow ends in the next moment."""
        if command.decision_id in self._changing:
            self._changing.discard(command.decision_id)
            self._catalog += 1
        outcomes = asker.outcomes
        if not outcomes:
            self._ended.append(asker)
        outcomes.append(event.outcome(command.decision_id, command.outcome, took_us))
        asker.failed = asker.failed or bool(command.outcome.error)
        if len(outcomes) >= MOST_OUTCOMES:
            self.gather(asker)
        self._tick_soon()

    def gather(self, asker: Standing) -> None:
        """Record how this flow's requests ended, those that were not recorded yet."""
        if asker.outcomes:
            self._ended.remove(asker)
            self._gather(asker)
            self._tick_soon()

    def gather_all(self) -> None:
        """The same for every flow; it is left to `flush` to write it."""
        ended, self._ended = self._ended, []
        for asker in ended:
            self._gather(asker)

    def _gather(self, asker: Standing) -> None:
        outcomes, failed = asker.outcomes, asker.failed
        asker.outcomes, asker.failed = [], False
        self._keep(event.finished(asker.told(), outcomes, failed))

    def record(self, encoded: bytes) -> None:
        """Record an event that no request waits for; kept and tried again while it cannot be written."""
        self._keep(encoded)
        self._tick_soon()

    def _keep(self, encoded: bytes) -> None:
        self._events.append(encoded)
        self._size += len(encoded) + LINK_MOST
        self._kept.append(encoded)
        if len(self._kept) > MAX_WAITING:
            self._events.remove(self._kept.pop(0))
            self.lost += 1

    def _tick_soon(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(OUTCOME_DELAY, self._tick)

    def flush(self) -> None:
        """Write what is pending and tell who waits for it. Called once a turn of the loop at most."""
        self._scheduled = False
        events, self._events, self._size = self._events, [], 0
        askers, self._askers = self._askers, []
        answers, self._answers = self._answers, []
        try:
            if events:
                self._journal.append_many(events)
            self._kept.clear()
        except RecordingError as error:
            self._not_written(askers, error)
        else:
            for asker in askers:
                asker.gated = False
                asker.owner.recorded()
        for asker, request, decision in answers:
            asker.owner.decided(request, decision)

    def _tick(self) -> None:
        self._ticking = False
        self.gather_all()
        if self._events and not self._scheduled:
            self.flush()
            if self._events:  # they could not be written
                self._ticking = True
                self._loop.call_later(RETRY_DELAY, self._tick)

    def _not_written(self, askers: list[Standing], error: RecordingError) -> None:
        self._events = self._kept.copy()
        self._size = sum(map(len, self._events)) + LINK_MOST * len(self._events)
        self.unrecorded += len(askers)
        for asker in askers:
            asker.gated = False
            asker.owner.unrecorded(error)

    async def _analyze(self, asker: Standing, request: Request, shape: str | None) -> None:
        began = time.monotonic_ns()
        analysis = _function_call(request) or await analyze(
            self._analyzer, request.text, ANALYZER_DEADLINE, mysql=request.mysql
        )
        try:
            ruling = self._decide(asker, request, analysis)
        except Exception:  # a fault of ours denies this statement; the sessions beside it go on
            log.exception("decision_failed")
            analysis = Unanalyzed("an internal error")
            ruling = Ruling(Verdict.DENY, "", analysis.reason, text=cut_at_secret(request.text))
        if isinstance(analysis, Unanalyzed) or not literal_free(analysis):
            shape = None
        if asker.masks is not None:
            ruling = await self._masked(asker, request, ruling, asker.masks, shape)
        elif isinstance(analysis, Analysis):
            self._memory.put(self._scope(asker, request), shape or request.text, ruling)
        self.counted.analyzed(time.monotonic_ns() - began)
        if (decision := self._ruled(asker, request, ruling)) is not None:
            self._answer(asker, request, decision)

    async def _masked(
        self, asker: Standing, request: Request, ruling: Ruling, masks: Masks, shape: str | None
    ) -> Ruling:
        """The ruling with the masked text, kept where names mean what they did to it; a refusal may be of now."""
        if ruling.verdict is DENY:
            return ruling
        policy, catalog, place = self._policy, self._catalog, place_of(asker, request, self._catalog)

        def recall(answer: LookedUp) -> Ruling | None:
            """What is remembered where names mean what the server has just said."""
            where = answer.value or ""
            if answer.idle:
                asker.place, asker.unsettled = Place(where, catalog), False
            if asker.unsettled:
                return None
            scope = self._scope(asker, request, where)
            kept = self._recall(scope, request.text)
            return kept if kept is not None or shape is None else self._memory.get(scope, shape)

        found = await masked(self._analyzer, asker.owner, request, ruling, masks, place, recall)
        asker.unsettled = asker.unsettled and not found.idle
        asker.apart = asker.apart or found.temporary
        as_it_was = policy is self._policy and catalog == self._catalog
        if found.kept is not None and as_it_was and not asker.unsettled:
            scope = self._scope(asker, request, found.where)
            if shape is not None and len(found.kept.pieces) > 1:
                self._memory.put(scope, shape, found.kept)
            else:
                self._memory.put(scope, request.text, found.ruling)
        return found.ruling

    def _ruled(self, asker: Standing, request: Request, ruling: Ruling) -> Decision | None:
        """The decision on a request of this flow: what it prepared before, and limits, may change the ruling."""
        ruling = asker.prepared.ruling(request, ruling)
        if asker.counted and request.phase is EXECUTE and ruling.verdict is not DENY:
            answer = self._limits.check(asker.counted, ruling, request.schemas)
            if isinstance(answer, list):
                self._spawn(self._admit(asker, request, ruling))
                return None
            ruling = self._counted(asker, ruling, answer)
        return self._decided(asker, request, ruling)

    async def _admit(self, asker: Standing, request: Request, ruling: Ruling) -> None:
        answer = await self._limits.admit(asker.counted, ruling, request.schemas)
        self._answer(asker, request, self._decided(asker, request, self._counted(asker, ruling, answer)))

    def _counted(self, asker: Standing, ruling: Ruling, answer: Tally | Hit | None) -> Ruling:
        if isinstance(answer, Hit):
            return exceeded(self._policy.mode, ruling, answer, time.time())
        asker.tally = answer
        return ruling

    def settle(self, asker: Standing, request: Request, decision: Decision) -> None:
        """A human has answered, or cannot: record that, then tell the flow."""
        self._answer(asker, request, self._decided(asker, request, decision.ruling, decision.id))

    def _answer(self, asker: Standing, request: Request, decision: Decision) -> None:
        self._answers.append((asker, request, decision))
        self._schedule()

    def _decide(self, asker: Standing, request: Request, analysis: Analysis | Unanalyzed) -> Ruling:
        harmless = is_harmless if request.mysql is None else is_harmless_in_mysql
        ruling = decide(self._policy, asker.actors, asker.target_name, analysis, request.schemas, harmless)
        if isinstance(analysis, Unanalyzed):  # nobody knows where in it a password stands
            text = cut_at_secret(request.text)
            told = analysis.syntax if text == request.text else analysis.syntax and "syntax error"
            ruling = replace(ruling, text=text, told=told, position=analysis.position)
        return ruling

    def _decided(self, asker: Standing, request: Request, ruling: Ruling, decision_id: str = "") -> Decision:
        """The decision that this ruling makes, its event in the batch; a denial where there is no room for that."""
        sent = None
        if ruling.pieces:
            sent = (filled if request.mysql is None else mysql_filled)(ruling.pieces, request.text)
        decision = Decision(decision_id or asker.next_decision_id(), ruling, sent)
        if request.phase is PREPARE and decision.forwards:
            return decision
        words = asker.words
        if words is None:
            encoded = event.decided(asker.told(), request.text, decision)
        else:
            encoded = words.decided(asker.told(), request, decision)
        if not self._journal.reserve(self._size + len(encoded) + LINK_MOST):
            self.unrecorded += 1
            return _unrecorded(decision)
        self.decisions += 1
        asker.decided += 1
        if ruling.verdict is not ALLOW:
            self.counted.exception(asker.target_name, ruling)
        if asker.masks is not None and not CHANGING.isdisjoint(ruling.kinds):
            self._catalog += 1
            self._changing.add(decision.id)
            asker.apart = asker.apart or "create" in ruling.kinds
            asker.unsettled = True
        if asker.place is not None and may_move(ruling):
            asker.place = None
        self._events.append(encoded)
        self._size += len(encoded) + LINK_MOST
        if not asker.gated:
            asker.gated = True
            self._askers.append(asker)
        self._schedule()
        return decision

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def _scope(self, asker: Standing, request: Request, where: str | None = None) -> int:
        """The number of everything but the text that a ruling depends on, under one policy.

        `where`: what names mean to a session of its own, other than `asker.place` says; None where it says nothing.
        """
        scope = asker.scope
        catalog, place = 0, where
        if asker.masks is not None:
            catalog = self._catalog
            if where is None:
                place = place_of(asker, request, catalog)
        known = scope is not None and scope.schemas is request.schemas and scope.context is request.context
        known = known and scope is not None and scope.catalog == catalog and scope.place == place
        if known and scope is not None and request.function_oid is None:
            return scope.number
        key = (asker.actors, asker.target_name, catalog, request.context, request.schemas, request.function_oid, place)
        number = self._memory.scope(key)
        if request.function_oid is None:
            asker.scope = Scope(number, catalog, request.context, request.schemas, place)
        return number


def _function_call(request: Request) -> Analysis | None:
    if request.function_oid is None:
        return None
    called = frozenset({Name("", f"oid:{request.function_oid}")})
    return Analysis((Statement(frozenset({Kind.FUNCTION_CALL}), functions=called),))


def _unrecorded(decision: Decision) -> Decision:
    ruling = Ruling(Verdict.DENY, "", "the decision could not be recorded; nothing is forwarded unrecorded")
    return Decision(decision.id, replace(ruling, kinds=decision.ruling.kinds, text=decision.ruling.text))
