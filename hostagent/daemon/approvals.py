"""Approvals on the supervisor's side: the queue behind the workers' channel, the control socket and the webhook.

    worker ──approval.ask──▶ queue ◀──answer── control socket, webhook
           ◀─approval.answered──┘                      (an ask is acknowledged at once; its answer is a call of its own)

Rules
1.  Each change of the queue is written to the host's chain before anybody is told. What cannot be written is no
    approval: the worker is told that it was denied.
2.  A request lives with its worker and with the policy that asks: when either goes, it is withdrawn. Nothing of the
    queue outlives the daemon, so a restart approves nothing.
3.  The terms are those of the policy in force, by the names of the rules that a worker gives; never the worker's word.
4.  What was given for ten minutes ends after ten minutes, also where the host's clock is set meanwhile, or it sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hostagent.approvals.queue import Queue, Request
from hostagent.approvals.values import CANCELLED, Answer, Approver, Fact, Grant, Settled, State, Step
from hostagent.approvals.wire import asked_from, rules_of
from hostagent.daemon import log
from hostagent.daemon.limits import Tell
from hostagent.daemon.policies import PolicyInForce
from hostagent.policy.terms import AllTerms
from hostagent.recording.journal import RecordingError
from hostagent.runtime.channel import ChannelError, Handler

MAX_SLEEP = 60.0  # seconds between two looks at the clock, when nothing ends earlier

_BOOTED_AT = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

Arguments = dict[str, Any]
Record = Callable[[Sequence[Fact]], None]  # raises RecordingError
Notify = Callable[[str, Request], None]  # (what happened, to which request); returns at once


def steady() -> float:
    """Seconds since the epoch, by the host's clock as it stood when this process began: nobody sets this one."""
    return _BOOTED_AT + time.clock_gettime(time.CLOCK_BOOTTIME)


class Approvals:
    """What is held for humans on this host."""

    def __init__(
        self, policies: PolicyInForce, tell: Tell, record: Record, clock: Callable[[], float] = steady
    ) -> None:
        """`tell` calls a worker; `record` writes to the chain."""
        self._policies = policies
        self._tell = tell
        self._record = record
        self._clock = clock
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._rules = _asking(policies)
        self.queue = Queue()
        self.notify: Notify = _to_nobody

    async def run(self) -> None:
        """End what its time is over for, and tell workers, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            while True:
                self.carry_out(self.queue.expire(self._clock()))
                self._changed.clear()
                end = self.queue.next_end()
                pause = MAX_SLEEP if end is None else min(MAX_SLEEP, max(0.0, end - self._clock()))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()

    # --- workers ----------------------------------------------------------------------------------------------

    def handlers(self, worker: str) -> Mapping[str, Handler]:
        """The operations of the channel, as one worker sees them."""

        async def ask(args: Arguments) -> Arguments:
            return self._ask(worker, args)

        async def withdraw(args: Arguments) -> Arguments:
            why = str(args["why"])[:200]
            self.carry_out(self.queue.withdraw(worker, str(args["id"]), why, self._clock()))
            return {}

        async def flow_ended(args: Arguments) -> Arguments:
            self.queue.flow_ended(worker, str(args["flow"]))
            return {}

        return {"approval.ask": ask, "approval.withdraw": withdraw, "approval.flow_ended": flow_ended}

    def worker_ended(self, worker: str) -> None:
        """A worker died: what it held is withdrawn."""
        self.carry_out(self.queue.drop_worker(worker, self._clock()))

    def cancelled(self, issued: str) -> bool:
        """A client cancels what runs under that key; whether something was held for a human."""
        step = self.queue.withdraw_all(CANCELLED, self._clock(), lambda asked: issued in asked.cancel_keys)
        self.carry_out(step)
        return bool(step.settled)

    def policy_changed(self) -> None:
        """Another policy is in force: what waits was asked under an older one; grants of rules that changed end."""
        before, self._rules = self._rules, _asking(self._policies)
        changed = {name for name in before if before[name] != self._rules.get(name)}

        def stale(grant: Grant) -> bool:
            return not changed.isdisjoint(grant.request.rules)

        now = self._clock()
        self.carry_out(self.queue.withdraw_all("the policy changed; ask again", now, lambda _: True))
        self.carry_out(self.queue.revoke_where("the policy changed", stale))

    def _ask(self, worker: str, args: Arguments) -> Arguments:
        now = self._clock()
        terms = self._terms(rules_of(args))
        asked = asked_from(args, worker, now, now + terms.expires)
        step = self.carry_out(self.queue.ask(asked, terms, now), acknowledged=asked.id)
        if step.settled:
            return _told(step.settled[0])
        request = self.queue.find(asked.id)
        self.notify("asked", request)
        return {"state": request.state.value, "seconds": terms.expires, "minimum": terms.minimum}

    def _terms(self, rules: tuple[str, ...]) -> AllTerms:
        found = [self._policies.current.terms(name) for name in rules]
        known = [terms for terms in found if terms is not None]
        if len(known) != len(found):
            raise ValueError("the policy in force does not ask a human about this any more: try again")
        return AllTerms(known)

    # --- humans -----------------------------------------------------------------------------------------------

    def answer(self, request: str, answer: Answer) -> Request:
        """Take an answer. Raises NotTaken, RecordingError."""
        found = self.queue.find(request)
        step = self.queue.answer(request, answer)
        if self.carry_out(step) is not step:
            if found.state is State.WAITING:
                found.answers.pop()
            raise RecordingError("the answer could not be recorded: it approves nothing", "is the disk full?")
        if found.state is State.WAITING:
            self.notify("approved once", found)
        return found

    def revoke(self, grant: str, by: Approver) -> int:
        """Take a grant back; how many sessions end with it. Raises NotTaken."""
        step = self.queue.revoke(grant, by)
        self.carry_out(step)
        return len(step.ended)

    def now(self) -> float:
        """Seconds since the epoch, by the queue's clock."""
        return self._clock()

    # --- within -----------------------------------------------------------------------------------------------

    def carry_out(self, step: Step, acknowledged: str = "") -> Step:
        """Write the events, then tell who is to be told. What could not be written is no approval: the Step that was
        carried out instead. `acknowledged`: its asker hears of it as the answer to its call."""
        if step.facts and not self._written(step.facts):
            step = self._refused(step)
        for settled in step.settled:
            if settled.id != acknowledged:
                self._spawn(settled.worker, "approval.answered", _told(settled))
            self.notify(settled.state.value, self.queue.find(settled.id))
        for worker in {worker for worker, _ in step.ended}:
            flows = [flow for owner, flow in step.ended if owner == worker]
            self._spawn(worker, "approval.end_flows", {"flows": flows, "reason": "the grant it lived on was revoked"})
        self._changed.set()
        return step

    def _written(self, facts: Sequence[Fact]) -> bool:
        try:
            self._record(facts)
        except RecordingError as error:
            log.error("approval_not_recorded", error=error.what)
            return False
        return True

    def _refused(self, step: Step) -> Step:
        reason = "the approval could not be recorded"
        approved = {settled.id for settled in step.settled if settled.state is State.APPROVED}
        for request in map(self.queue.find, approved):
            request.state, request.reason = State.DENIED, reason
        taken_back = self.queue.revoke_where(reason, lambda grant: grant.request.id in approved)
        settled = tuple(
            replace(one, state=State.DENIED, reason=reason, by="") if one.id in approved else one
            for one in step.settled
        )
        return Step((), settled, step.ended + taken_back.ended)

    def _spawn(self, worker: str, operation: str, args: Arguments) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._call(worker, operation, args))

    async def _call(self, worker: str, operation: str, args: Arguments) -> None:
        try:
            answer = await self._tell(worker, operation, args)
        except ChannelError as error:
            log.warning("approval_not_told", worker=worker, operation=operation, error=error.what)
            return
        if args.get("state") == State.APPROVED.value and not answer.get("taken"):
            text = "it was approved, but its client had left"
            self._written([Fact("approval_unused", text, {"request": args["id"]})])


def _told(settled: Settled) -> Arguments:
    return {"id": settled.id, "state": settled.state.value, "reason": settled.reason, "by": settled.by}


def _asking(policies: PolicyInForce) -> dict[str, object]:
    """The rules and limits that may ask, by name."""
    policy = policies.current
    return {rule.name: rule for rule in policy.rules} | {limit.name: limit for limit in policy.limits}


def _to_nobody(_what: str, _request: Request) -> None:
    """Without a webhook nobody else is told."""
