"""A flow: one intercepted connection, from accept to its last event. The pump between two legs and a session.

    accepted → attributed → target found → session runs → ended          (any failure: refused, and recorded as such)

The session is sans-IO; here its bytes go to the legs and its commands are carried out, in order. Three rules:

1. Nothing is read from the client before the flow is attributed and its opening stands in the journal.
2. While the flow is gated (a decision of it is not written yet) nothing goes upstream: bytes and end are withheld.
3. Whatever goes wrong in here ends the flow; there is no way on that skips a step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final

from hostagent.errors import PeerError
from hostagent.policy.match import actor_classes
from hostagent.protocols import base
from hostagent.protocols.base import EXECUTE
from hostagent.protocols.base import Leg as LegName
from hostagent.recording import event
from hostagent.recording.journal import RecordingError
from hostagent.runtime.holding import ask_humans
from hostagent.runtime.leg import Leg
from hostagent.runtime.masking import Lookup, LookupFailed
from hostagent.runtime.opening import Opened, open_flow
from hostagent.runtime.reach import find_cancel_key, reach_upstream, start_client_tls, start_upstream_tls, why_lost
from hostagent.runtime.standing import Standing
from hostagent.runtime.tallies import Tallies, count
from hostagent.runtime.tape import Tape
from hostagent.runtime.way import TCP, Refused, Way
from hostagent.upstream.verify import end_point_binding
from hostagent.values.actor import Actor
from hostagent.values.decision import APPROVE, Decision, Outcome
from hostagent.values.flow import FlowId

if TYPE_CHECKING:
    from hostagent.runtime.worker import Worker

Step = Callable[[], None]

log = logging.getLogger("hostagent.flow")
_clock: Final = time.monotonic_ns

CUT_OFF = "08006"  # how a request ended whose connection was lost, in SQL's words
ESTABLISH_DEADLINE = 60.0  # seconds from accept to an authenticated session; a typed password fits


class Flow:
    """One intercepted connection. Made at accept; the worker holds it until it has ended."""

    def __init__(self, worker: Worker, flow_id: FlowId, way: Way = TCP) -> None:
        self.id = flow_id
        self.way = way
        self.standing = Standing(flow_id, self)
        self.tape = Tape(worker, self.standing)
        self.client = Leg(LegName.CLIENT, self)
        self.upstream = Leg(LegName.UPSTREAM, self)
        self.client.hold()  # until it is open
        self.worker = worker
        self._gate = worker.gate
        self._opened: Opened | None = None
        self._session: base.Session | None = None
        self._deadline = asyncio.get_running_loop().call_later(ESTABLISH_DEADLINE, self._late)
        self._forwarded: dict[str, int] = {}  # decision id → monotonic ns when its request went on
        self._lookup: Lookup | None = None
        self.tallies = Tallies()
        self._withheld: list[bytes] = []  # for the upstream, while gated
        self._ends: str | None = None  # why the flow ends as soon as it is not gated
        self._held = False
        self._left = ""  # what the event says of an end that the session finds ordinary
        self.cancel_keys: list[bytes] = []
        self.leaf_binding = b""  # what a client that binds its login to our leaf has bound it to
        self.bytes_from: dict[str, int] = dict.fromkeys(LegName, 0)
        self.ended_because: str | None = None

    @property
    def actors(self) -> frozenset[str]:
        """The classes that its actor is in."""
        return self.standing.actors

    @property
    def actor(self) -> Actor:
        """Who made it."""
        return self.facts.actor

    @property
    def target_name(self) -> str:
        """The target's name, empty for none."""
        return self.standing.target_name

    # what the gate tells

    def decided(self, request: base.Request, decision: Decision) -> None:
        """The gate's answer to a request that had to be analyzed; its record is written."""
        if self.ended_because is not None or self._session is None:
            if decision.forwards and request.phase is base.Phase.EXECUTE:
                self._cut_off(decision)
            return
        try:
            self._take(self._session, request, decision)
            self._drain()
        except Exception as error:
            self._failed(error)

    async def look_up(self, question: str) -> base.LookedUp:
        """Ask the server in this session. Raises LookupFailed."""
        session = self._session
        if session is None or self.ended_because is not None:
            raise LookupFailed("the session has ended")
        lookup = self._lookup = Lookup()
        self.guarded(lambda: session.look_up(question))
        return await lookup.answer()

    def recorded(self) -> None:
        """Every decision is written: what was withheld goes on."""
        if self.ended_because is not None:
            return
        if self._withheld:
            withheld, self._withheld = self._withheld, []
            self.upstream.write(withheld)
        if self._ends is not None:
            self.end(self._ends)

    def unrecorded(self, error: RecordingError) -> None:
        """A decision could not be written although there was room: what followed from it never leaves."""
        self._withheld.clear()
        self._failed(error)

    def classify(self) -> None:
        """Find the actor's classes by the policy in force; done again when that changes."""
        if self._opened is not None:
            standing, target = self.standing, self._opened.target
            actors = standing.actors = actor_classes(self._gate.policy, self._opened.actor)
            standing.masks = self.worker.masks_of(actors, target)
            standing.scope = None
            standing.counted = self.worker.limits.of_flow(actors, target.name, self._opened.actor)
            self._opened.session.sealed = standing.masks is not None
            self._opened.session.masks = standing.masks
            self._opened.session.look_through(self.worker.detector_of(actors, target))

    def flush_recording(self) -> None:
        """Write what the recording holds back; called twice a second."""
        if self.tape.recording is not None:
            self.guarded(self.tape.flush)

    # what the legs tell

    def opened(self, leg: Leg) -> None:
        if leg is self.client:
            self.spawn(self._open_up())

    def received(self, leg: Leg, data: bytes) -> None:
        session = self._session
        if session is None or self.ended_because is not None:
            return
        self.bytes_from[leg.name] += len(data)
        try:
            if leg is self.client:
                session.client_data(data)
            else:
                session.upstream_data(data)
                if self.tallies and (progress := session.progress()) is not None:
                    count(self, session, *progress)
            self._drain()
        except Exception as error:
            self._failed(error)

    def encrypted(self, leg: Leg) -> None:
        session = self._session
        if session is None:
            return
        if leg is self.client:
            binding = self.leaf_binding
        else:
            certificate = leg.peer_certificate()
            binding = end_point_binding(certificate) if certificate else b""
        self.guarded(lambda: session.tls_started(leg.name, binding))

    def ended(self, leg: Leg) -> None:
        session = self._session
        if session is None:
            self.end("the client left")
        elif leg is self.client:
            self.guarded(session.client_eof)
        else:
            self._left = "the server closed the connection"
            self.guarded(lambda: session.upstream_lost(""))

    def lost(self, leg: Leg, error: Exception | None) -> None:
        session = self._session
        if leg is self.client or session is None:
            self.end("" if error is None else f"client leg: {error}")
        else:
            self.guarded(lambda: session.upstream_lost(why_lost(error)))
            self.end("" if error is None else f"upstream leg: {error}")

    def congested(self, leg: Leg, stuck: bool) -> None:
        other = self.upstream if leg is self.client else self.client
        if stuck:
            other.hold()
        else:
            other.release()

    # the pump

    def guarded(self, step: Step) -> None:
        """Let the session take one step and carry out what it wants. What it raises ends the flow."""
        if self.ended_because is not None:
            return
        try:
            step()
            self._drain()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """End this flow, and this flow only, whatever went wrong in it."""
        if isinstance(error, PeerError):
            self._drain_bytes(self.facts.session)
            self.end(f"protocol error: {error}")
        elif isinstance(error, RecordingError):
            self.end(f"not recorded: {error.what}")
        else:
            log.error("session_failed flow=%s session=%r", self.id, self._session, exc_info=error)
            self.end("internal error")

    def _drain(self) -> None:
        """Carry out what the session wants. Its bytes leave at the end: what one chunk of the client says goes on in
        one write, also where several questions were asked about it."""
        session = self._session or self.facts.session
        while session.commands and self.ended_because is None:
            commands, session.commands = session.commands, []
            for command in commands:
                self._carry_out(session, command)
        self._drain_bytes(session)
        held = session.client_held
        if held != self._held:
            self._hold_client(held)

    def _drain_bytes(self, session: base.Session) -> None:
        self._drain_captured(session)
        if session.to_upstream:
            if self.standing.gated:
                self._withheld += session.to_upstream
            else:
                self.upstream.write(session.to_upstream)
            session.to_upstream.clear()
        if session.to_client:
            self.client.write(session.to_client)
            session.to_client.clear()

    def _drain_captured(self, session: base.Session) -> None:
        if session.captured:
            self.tape.captured(session.captured)
            session.captured.clear()

    def _hold_client(self, hold: bool) -> None:
        self._held = hold
        if hold:
            self.client.hold()
        else:
            self.client.release()

    def _take(self, session: base.Session, request: base.Request, decision: Decision) -> None:
        """Let the session have a decision."""
        asks = decision.ruling.verdict is APPROVE
        standing = self.standing
        if standing.tally is not None:
            self.tallies.keep(decision.id, standing.tally)
            standing.tally = None
        if asks:
            session.hold(request, decision)
            return
        if not decision.forwards:
            self.tallies.drop(decision.id)
        elif request.phase is EXECUTE:
            self._forwarded[decision.id] = _clock()
        if request.phase is EXECUTE or not decision.forwards:
            words, context = standing.words, standing.told()
            self._drain_captured(session)
            self.tape.note(
                event.decision_note(context, decision) if words is None else words.note(context, request, decision)
            )
        session.decided(request, decision)

    def wake(self) -> None:
        """The session has bytes or commands that nobody called it for."""
        self.guarded(_nothing)

    def _carry_out(self, session: base.Session, command: base.Command) -> None:
        if isinstance(command, base.Decide):
            decision = self._gate.ask(self.standing, command.request)
            if decision is not None:
                self._take(session, command.request, decision)
        elif isinstance(command, base.Finished):
            self.tallies.finished(command)
            self._gate.finished(self.standing, command, self._took_us(command.decision_id))
        else:
            self._carry_out_rare(session, command)

    def _took_us(self, decision_id: str) -> int:
        """Microseconds since that request went on."""
        return (_clock() - self._forwarded.pop(decision_id, self.tape.started)) // 1000

    def _carry_out_rare(self, session: base.Session, command: base.Command) -> None:
        self._drain_bytes(session)
        match command:
            case base.StartTls(LegName.CLIENT):
                self.client.await_hello(command.early, self._hello)
            case base.StartTls():
                start_upstream_tls(self, command.early)
            case base.Connect():
                self.spawn(reach_upstream(self))
            case base.AskHuman():
                self.spawn(ask_humans(self, session, command))
            case base.Describe(facts):
                self._established(facts)
            case base.Rule(request, ruling):
                if (decision := self._gate.rule(self.standing, request, ruling)) is not None:
                    self._take(session, request, decision)
            case base.LookedUp():
                if self._lookup is not None:
                    self._lookup.found(command)
            case base.KeepCancelKey(issued, upstream):
                self.cancel_keys.append(issued)
                self.spawn(self.worker.keep_cancel_key(self.facts, issued, upstream))
            case base.Cancel(issued):
                self.spawn(find_cancel_key(self, issued))
            case base.Close(reason):
                if self.standing.gated:
                    self._ends = reason
                else:
                    self.end(reason)

    def _cut_off(self, decision: Decision) -> None:
        """It was let through when its flow had ended already."""
        words = self.standing.words
        if words is None:
            self._gate.finished(self.standing, base.Finished(decision.id, Outcome(0, 0, CUT_OFF)), 0)
        else:
            lost = base.FinishedWith(decision.id, Outcome(0, 0, "the connection was lost"), ())
            self._gate.record(words.finished(self.standing.told(), lost, 0))

    def finished_with(self, command: base.FinishedWith) -> None:
        """What was let through has ended; also while the flow itself ends."""
        self.tallies.finished(base.Finished(command.decision_id, command.outcome))
        took_us = self._took_us(command.decision_id)
        if (words := self.standing.words) is not None:
            self._gate.record(words.finished(self.standing.told(), command, took_us))

    # slower steps

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run this beside the pump; what it raises ends the flow."""
        self.worker.spawn(self._contained(work))

    async def _contained(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except Exception as error:
            self._failed(error)

    async def _open_up(self) -> None:
        try:
            opened = await open_flow(self)
        except Refused as refused:
            self.end(refused.reason)
            return
        self._opened = opened
        self.standing.context, self.standing.target_name = opened.context, opened.target.name
        self.classify()
        self._session = opened.session
        if opened.answer:  # the canary: answered here, never forwarded
            self.client.write([opened.answer])
            self.end("")
            return
        self.client.release()
        self.guarded(_nothing)  # what the session has to say before its client does

    def _hello(self, hello: bytes) -> None:
        self.spawn(start_client_tls(self, hello))

    def _established(self, facts: tuple[tuple[str, str], ...]) -> None:
        self._deadline.cancel()
        context, words = self.standing.told(), self.standing.words
        context.describe(dict(facts))
        self._gate.record(event.session_opened(context) if words is None else words.session_opened(context))

    def _late(self) -> None:
        self.end(f"no session within {ESTABLISH_DEADLINE:g} s")

    def _last_outcomes(self, session: base.Session) -> None:
        """What was on its way has ended with the flow."""
        commands, session.commands = session.commands, []
        for command in commands:
            if isinstance(command, base.Finished):
                self._carry_out(session, command)

    def end(self, reason: str) -> None:
        """End the flow; idempotent. `reason` is for the event, empty for an ordinary end."""
        if self.ended_because is not None:
            return
        self.ended_because = reason or self._left
        self._deadline.cancel()
        if self._lookup is not None:
            self._lookup.found(base.LookedUp(None, "the session has ended"))
        if self._session is not None:
            self._session.ended()
            self._last_outcomes(self._session)
        self.tallies.close()
        self.client.close()
        self.upstream.close()
        self.worker.flow_ended(self, self._opened, self.tape.end(), self.cancel_keys)

    @property
    def facts(self) -> Opened:
        if self._opened is None:
            raise RuntimeError("the flow is not open")
        return self._opened


def _nothing() -> None:
    pass
