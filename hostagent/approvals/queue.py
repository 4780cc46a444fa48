"""The queue: requests that wait, what was answered, and grants. It does no I/O and knows no clock: `now` is handed in.

    ask ──▶ waiting ──approve × minimum──▶ approved        deny ▶ denied · time ▶ expired · otherwise ▶ withdrawn
       └─ a grant covers it ──▶ approved at once

Rules
1.  A final state is final, and an approval is good for the one statement that was asked about: its text and its values.
2.  Whatever comes late changes nothing: an answer at `expires_at` is too late, a grant at `until` is over.
3.  Every change returns a Step: the events for the chain, and whom to tell. The queue tells nobody itself.
4.  Everything is bounded; what does not fit is refused, and a refusal denies the statement.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hostagent.approvals.rules import check_answer
from hostagent.approvals.values import (
    Answer,
    Approver,
    Asked,
    Fact,
    Grant,
    NotTaken,
    Problem,
    Settled,
    State,
    Step,
)
from hostagent.policy.terms import AllTerms

MAX_WAITING = 256  # requests; more than any team answers
MAX_OF_ONE = 32  # of one service: an agent in a loop leaves room for the others
MAX_BYTES = 256 << 10  # of text and values of one request: it has to be shown to a human
MAX_SETTLED = MAX_WAITING  # requests that are kept to be looked at; one step may settle all that wait
MAX_GRANTS = 256
MAX_FLOWS = 4096  # of one grant: each is ended when it is revoked
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}")


@dataclass(slots=True)
class Request:
    """A request and how far it has come."""

    asked: Asked
    terms: AllTerms
    state: State = State.WAITING
    answers: list[Answer] = field(default_factory=list)
    settled_at: float = 0.0
    reason: str = ""


class Queue:
    """All requests and grants of one host."""

    def __init__(self) -> None:
        self._waiting: dict[str, Request] = {}
        self._settled: OrderedDict[str, Request] = OrderedDict()
        self._grants: dict[str, Grant] = {}

    # --- looking ----------------------------------------------------------------------------------------------

    def waiting(self) -> list[Request]:
        """Requests that wait, the oldest first."""
        return list(self._waiting.values())

    def settled(self) -> list[Request]:
        """The last requests that were settled, the oldest first."""
        return list(self._settled.values())

    def find(self, request: str) -> Request:
        """A request that waits or was settled not long ago. Raises NotTaken."""
        found = self._waiting.get(request) or self._settled.get(request)
        if found is None:
            raise NotTaken(Problem.UNKNOWN, f"there is no request {request[:64]}", "`hostagent approvals list`")
        return found

    def grants(self, now: float) -> list[Grant]:
        """Grants that are good now."""
        return [grant for grant in self._grants.values() if now < grant.until]

    def next_end(self) -> float | None:
        """When the next request or grant ends by time."""
        ends = [request.asked.expires_at for request in self._waiting.values()]
        return min(ends + [grant.until for grant in self._grants.values()], default=None)

    # --- asking -----------------------------------------------------------------------------------------------

    def ask(self, asked: Asked, terms: AllTerms, now: float) -> Step:
        """Hold a statement, or let it through where a grant covers it. Raises NotTaken: then it is denied."""
        self._check(asked)
        request = Request(asked, terms)
        fact = _fact("approval_asked", f"a {asked.what} waits for a human", asked, **_about(asked, terms))
        for grant in self.grants(now):
            if grant.covers(asked, now) and self._joined(grant, asked):
                by = f"the grant {grant.id} of {', '.join(map(str, grant.approvers))}"
                used = _fact("grant_used", f"let through by {by}", asked, grant=grant.id)
                return Step((fact, used)) + self._settle(request, State.APPROVED, f"by {by}", now, by)
        self._waiting[asked.id] = request
        return Step((fact,))

    def withdraw(self, worker: str, request: str, why: str, now: float) -> Step:
        """The worker's client waits no more. Nothing when the request is not that worker's, or does not wait."""
        found = self._waiting.get(request)
        if found is None or found.asked.worker != worker:
            return Step()
        return self._settle(found, State.WITHDRAWN, why, now)

    def withdraw_all(self, why: str, now: float, which: Callable[[Asked], bool]) -> Step:
        """Withdraw the requests that wait and of which `which` is true."""
        step = Step()
        for request in [r for r in self._waiting.values() if which(r.asked)]:
            step += self._settle(request, State.WITHDRAWN, why, now)
        return step

    # --- answering --------------------------------------------------------------------------------------------

    def answer(self, request: str, answer: Answer) -> Step:
        """Take one approver's word. Raises NotTaken; then nothing has changed."""
        found = self.find(request)
        asked, now = found.asked, answer.at
        if found.state is not State.WAITING or now >= asked.expires_at:
            state = State.EXPIRED if found.state is State.WAITING else found.state
            raise NotTaken(Problem.SETTLED, f"{request} was settled before: {state.value}", found.reason)
        check_answer(asked, found.terms, found.answers, answer)
        if answer.window and len(self._grants) >= MAX_GRANTS:
            raise NotTaken(Problem.WRONG, f"there are {MAX_GRANTS} grants", "revoke some: `hostagent approvals grants`")
        found.answers.append(answer)
        details = _who(answer.approver)
        if not answer.approves:
            fact = _fact("approval_denied", f"denied by {answer.approver}", asked, reason=answer.reason, **details)
            return Step((fact,)) + self._settle(found, State.DENIED, answer.reason, now, str(answer.approver))
        fact = _fact("approval_given", f"approved by {answer.approver}", asked, reason=answer.reason, **details)
        if len(found.answers) < found.terms.minimum:
            return Step((fact,))
        by = ", ".join(str(given.approver) for given in found.answers)
        return Step((fact,)) + self._grant(found, now) + self._settle(found, State.APPROVED, answer.reason, now, by)

    def revoke(self, grant: str, by: Approver) -> Step:
        """Take a grant back; the flows that live on it end. Raises NotTaken."""
        found = self._grants.pop(grant, None)
        if found is None:
            raise NotTaken(Problem.UNKNOWN, f"there is no grant {grant[:64]}", "`hostagent approvals grants`")
        return self._revoked(found, f"revoked by {by}", _who(by))

    def revoke_where(self, why: str, which: Callable[[Grant], bool]) -> Step:
        """Take back the grants of which `which` is true."""
        step = Step()
        for grant in [g for g in self._grants.values() if which(g)]:
            del self._grants[grant.id]
            step += self._revoked(grant, why, {})
        return step

    # --- ends -------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> Step:
        """End what its time is over for."""
        step = Step()
        for request in [r for r in self._waiting.values() if now >= r.asked.expires_at]:
            step += self._settle(request, State.EXPIRED, "nobody answered in time", now)
        for grant in [g for g in self._grants.values() if now >= g.until]:
            del self._grants[grant.id]
            step += Step((Fact("grant_expired", "a grant is over", {"grant": grant.id}),))
        return step

    def drop_worker(self, worker: str, now: float) -> Step:
        """A worker died: its clients are gone."""
        for grant in self._grants.values():
            grant.flows.difference_update({flow for flow in grant.flows if flow[0] == worker})
        return self.withdraw_all("its worker ended", now, lambda asked: asked.worker == worker)

    def flow_ended(self, worker: str, flow: str) -> None:
        """A flow ended by itself: no grant has to end it any more."""
        for grant in self._grants.values():
            grant.flows.discard((worker, flow))

    # --- within -----------------------------------------------------------------------------------------------

    def _check(self, asked: Asked) -> None:
        if not _ID.fullmatch(asked.id) or asked.id in self._waiting or asked.id in self._settled:
            raise NotTaken(Problem.WRONG, "a request needs an id of its own")
        if size_of(asked) > MAX_BYTES:
            raise NotTaken(Problem.WRONG, f"text and values are beyond {MAX_BYTES} bytes: nobody can look at them")
        if len(self._waiting) >= MAX_WAITING:
            raise NotTaken(Problem.WRONG, f"{MAX_WAITING} requests wait already")
        service = asked.requester.service
        if sum(request.asked.requester.service == service for request in self._waiting.values()) >= MAX_OF_ONE:
            raise NotTaken(Problem.WRONG, f"{MAX_OF_ONE} requests of {service} wait already")

    @staticmethod
    def _joined(grant: Grant, asked: Asked) -> bool:
        """Whether the flow lives on the grant now; not when too many do: none may be left standing by a revocation."""
        flow = (asked.worker, asked.flow)
        if flow not in grant.flows and len(grant.flows) >= MAX_FLOWS:
            return False
        grant.flows.add(flow)
        return True

    def _grant(self, request: Request, now: float) -> Step:
        windows = [answer.window for answer in request.answers]
        if not all(windows):
            return Step()
        asked = request.asked
        template = "" if all(answer.any_statement for answer in request.answers) else asked.template
        approvers = tuple(answer.approver for answer in request.answers)
        flows = {(asked.worker, asked.flow)}
        grant = Grant(f"g-{asked.id}", asked.scope, template, now + min(windows), now, approvers, asked, flows)
        self._grants[grant.id] = grant
        what = f"{asked.what}s like this one may go on without asking until then"
        details = {"until": int(grant.until), "any_statement": not template}
        return Step((_fact("grant_made", what, asked, grant=grant.id, **details),))

    def _settle(self, request: Request, state: State, reason: str, now: float, by: str = "") -> Step:
        asked = request.asked
        self._waiting.pop(asked.id, None)
        request.state, request.settled_at, request.reason = state, now, reason
        self._settled[asked.id] = request
        while len(self._settled) > MAX_SETTLED:
            self._settled.popitem(last=False)
        settled = Settled(asked.worker, asked.flow, asked.id, state, reason, by)
        if state is State.DENIED:
            return Step(settled=(settled,))
        waited = f"{now - asked.asked_at:.1f}"
        details = {"by": by, "reason": reason, "waited_seconds": waited, "digest": digest_of(asked)}
        return Step((_fact(f"approval_{state.value}", _SAID[state].format(asked.what), asked, **details),), (settled,))

    @staticmethod
    def _revoked(grant: Grant, why: str, details: dict[str, Any]) -> Step:
        fact = _fact("grant_revoked", why, grant.request, grant=grant.id, flows=len(grant.flows), **details)
        return Step((fact,), ended=tuple(sorted(grant.flows)))


_SAID = {
    State.APPROVED: "a {} was approved and may go on, once",
    State.EXPIRED: "nobody answered in time",
    State.WITHDRAWN: "nobody waits for an answer any more",
}


def size_of(asked: Asked) -> int:
    """Bytes of text and values."""
    return len(asked.text.encode("utf-8", "replace")) + sum(len(bound.value) + 8 for bound in asked.values)


def digest_of(asked: Asked) -> str:
    """SHA-256 over the exact text and values: what was approved, without saying it."""
    digest = hashlib.sha256(asked.text.encode("utf-8", "surrogatepass"))
    for bound in asked.values:
        value = bound.value.encode("utf-8", "surrogatepass")
        digest.update(b"\0%b:%d:%b" % (bound.form.encode(), len(value), value))
    return digest.hexdigest()


def _who(approver: Approver) -> dict[str, Any]:
    uid, login_uid = ("" if one is None else one for one in (approver.uid, approver.login_uid))
    return {"approver": approver.name, "uid": uid, "login_uid": login_uid, "via": approver.via.value}


def _about(asked: Asked, terms: AllTerms) -> dict[str, Any]:
    who = asked.requester
    return {
        "digest": digest_of(asked),
        "values": len(asked.values),
        "minimum": terms.minimum,
        "expires_at": int(asked.expires_at),
        "requester_uid": who.uid,
        "requester_login_uid": "" if who.login_uid is None else who.login_uid,
        "cgroup": who.cgroup,
    }


def _fact(kind: str, text: str, asked: Asked, /, **details: Any) -> Fact:
    about = {"request": asked.id, "flow": asked.flow, "target": asked.target, "rules": ",".join(asked.rules)}
    return Fact(kind, text, {**about, **details})
