"""The queue: who may let what through, once, for how long, and that everything of it is told."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

sys.path.insert(0, str(Path(__file__).parent))
from samples import AGENT, asked, claimed, human, named, no, terms, yes

from hostagent.approvals import queue as queue_module
from hostagent.approvals.queue import Queue, digest_of
from hostagent.approvals.values import Approver, Bound, NotTaken, Problem, State, Step, Via


def held(given: object = None, **other: object) -> Queue:
    """A queue with one request that waits."""
    queue = Queue()
    queue.ask(asked(**other), given or terms(), 0.0)  # type: ignore[arg-type]
    return queue


def refused(queue: Queue, *args: object) -> NotTaken:
    with pytest.raises(NotTaken) as caught:
        queue.answer("f-1.1", *args)  # type: ignore[arg-type]
    return caught.value


def kinds(step: Step) -> list[str]:
    return [fact.kind for fact in step.facts]


def test_an_approval_lets_one_statement_through_once() -> None:
    queue = Queue()
    step = queue.ask(asked(), terms(), 0.0)
    assert (kinds(step), step.settled) == (["approval_asked"], ())
    step = queue.answer("f-1.1", yes(reason="ticket 7"))
    assert kinds(step) == ["approval_given", "approval_approved"]
    (settled,) = step.settled
    assert (settled.worker, settled.id, settled.state, settled.reason) == (
        "worker0", "f-1.1", State.APPROVED, "ticket 7",
    )  # fmt: skip
    assert settled.by == "bob (uid 1001)"
    assert refused(queue, yes(human("carol"))).problem is Problem.SETTLED
    assert kinds(queue.ask(asked("f-1.2"), terms(), 2.0)) == ["approval_asked"]  # the same text again: asked again
    with pytest.raises(NotTaken, match="an id of its own"):
        queue.ask(asked(), terms(), 2.0)  # nor can the same request come twice


def test_what_was_approved_is_the_exact_text_and_its_values() -> None:
    step = held().answer("f-1.1", yes())
    digest = step.facts[-1].details["digest"]
    assert digest == digest_of(asked())
    for other in (
        asked(text="DELETE FROM app.t WHERE id = $1 "),
        asked(values=(Bound("text", "8"),)),
        asked(values=(Bound("hex", "7"),)),
        asked(values=(Bound("text", "7"), Bound("null"))),
        asked(values=(Bound("text", ""), Bound("text", "7"))),
        asked(values=()),
    ):
        assert digest_of(other) != digest


def test_a_denial_is_final_and_says_by_whom() -> None:
    queue = held()
    step = queue.answer("f-1.1", no(reason="not on a Friday"))
    assert kinds(step) == ["approval_denied"]
    assert (step.settled[0].state, step.settled[0].by, step.settled[0].reason) == (
        State.DENIED, "bob (uid 1001)", "not on a Friday",
    )  # fmt: skip
    assert refused(queue, yes(human("carol"))).problem is Problem.SETTLED


@pytest.mark.parametrize(
    "approver",
    [
        human("alice"),  # who logged in behind the agent
        human("alice", uid=0, name="root"),  # sudo makes nobody else of her
        human("alice", uid=1001, name="bob"),
        human("dave", uid=990, name="agent"),  # what the agent runs as
        human("bob", cgroup="/system.slice/agent.service"),  # its own service
        human("bob", cgroup="/system.slice/agent.service/other"),
    ],
)
def test_nobody_approves_what_they_asked_for(approver: Approver) -> None:
    queue = held()
    error = refused(queue, yes(approver))
    assert error.problem is Problem.FORBIDDEN
    assert queue.find("f-1.1").answers == []
    queue.answer("f-1.1", yes(human("bob", cgroup="/system.slice/agent.service-2")))  # a neighbour is no member
    assert queue.find("f-1.1").state is State.APPROVED


def test_a_webhook_cannot_claim_the_requester() -> None:
    given = terms(approvers=named(webhook=("*",)))
    for name in ("alice", "agent"):
        assert refused(held(given), yes(claimed(name))).problem is Problem.FORBIDDEN
    assert held(given).answer("f-1.1", yes(claimed("ann"))).settled[0].by == "ann (claimed through the webhook)"


def test_everybody_may_deny_their_own() -> None:
    assert held().answer("f-1.1", no(human("alice"))).settled[0].state is State.DENIED


def test_a_service_at_the_root_of_cgroups_is_no_service() -> None:
    root = replace(AGENT, cgroup="/", service="/", unit="")
    queue = held(requester=root)
    assert queue.answer("f-1.1", yes(human("bob", cgroup="/anything"))).settled[0].state is State.APPROVED


def test_several_approvers_are_several_humans() -> None:
    queue = held(terms(minimum=2))
    assert kinds(queue.answer("f-1.1", yes(human("bob")))) == ["approval_given"]
    for same in (human("bob"), human("bob", uid=0, name="root"), human("carol", login_uid=1001)):
        assert refused(queue, yes(same)).problem is Problem.FORBIDDEN
    assert queue.find("f-1.1").state is State.WAITING
    step = queue.answer("f-1.1", yes(human("carol")))
    assert step.settled[0].by == "bob (uid 1001), carol (uid 1002)"


def test_two_who_became_root_are_two_humans_still() -> None:
    queue = held(terms(minimum=2))
    queue.answer("f-1.1", yes(human("bob", uid=0, name="root")))
    assert refused(queue, yes(human("bob"))).problem is Problem.FORBIDDEN
    step = queue.answer("f-1.1", yes(human("carol", uid=0, name="root")))
    assert step.settled[0].state is State.APPROVED


def test_all_that_a_webhook_claims_is_one_approver() -> None:
    queue = held(terms(minimum=2, approvers=named(webhook=("*",), groups=("hostagent-approvers",))))
    queue.answer("f-1.1", yes(claimed("carol")))
    assert refused(queue, yes(claimed("zoe"))).problem is Problem.FORBIDDEN
    assert refused(queue, yes(human("carol"))).problem is Problem.FORBIDDEN
    assert queue.answer("f-1.1", yes(human("bob"))).settled[0].state is State.APPROVED


def test_one_denial_ends_it_whoever_approved() -> None:
    queue = held(terms(minimum=2))
    queue.answer("f-1.1", yes(human("bob")))
    assert queue.answer("f-1.1", no(human("carol"))).settled[0].state is State.DENIED


def test_only_those_whom_the_terms_name() -> None:
    given = terms(approvers=named(groups=("dba",), users=("carol",)))
    for approver in (human("bob"), claimed("carol")):
        for answer in (yes(approver), no(approver)):
            assert refused(held(given), answer).problem is Problem.FORBIDDEN
    assert held(given).answer("f-1.1", yes(human("carol"))).settled
    assert held(given).answer("f-1.1", yes(human("bob", groups=frozenset({"dba"})))).settled


def test_a_reason_where_the_terms_ask_for_one() -> None:
    queue = held(terms(reason_required=True))
    for reason in ("", "  "):
        assert refused(queue, yes(reason=reason)).problem is Problem.WRONG
    assert refused(queue, yes(reason="x" * 501)).problem is Problem.WRONG
    assert queue.answer("f-1.1", yes(reason="ticket 7")).settled


def test_time_ends_a_request_and_no_answer_comes_after() -> None:
    queue = held()
    assert queue.next_end() == 300.0
    assert queue.expire(299.9) == Step()
    assert refused(queue, yes(at=300.0)).problem is Problem.SETTLED
    step = queue.expire(300.0)
    assert (kinds(step), step.settled[0].state) == (["approval_expired"], State.EXPIRED)
    assert queue.next_end() is None


def test_a_client_withdraws_its_own_request_only() -> None:
    queue = held()
    assert queue.withdraw("worker1", "f-1.1", "gone", 1.0) == Step()
    assert queue.withdraw("worker0", "f-9.9", "gone", 1.0) == Step()
    step = queue.withdraw("worker0", "f-1.1", "gone", 1.0)
    assert (kinds(step), step.settled[0].state) == (["approval_withdrawn"], State.WITHDRAWN)
    assert refused(queue, yes()).problem is Problem.SETTLED
    assert queue.withdraw("worker0", "f-1.1", "gone", 1.0) == Step()


def test_a_worker_that_dies_takes_its_requests_along() -> None:
    queue = held()
    queue.ask(asked("g-1.1", worker="worker1"), terms(), 0.0)
    assert [s.id for s in queue.drop_worker("worker0", 1.0).settled] == ["f-1.1"]
    assert [r.asked.id for r in queue.waiting()] == ["g-1.1"]


def test_an_unknown_request_is_said_to_be_unknown() -> None:
    with pytest.raises(NotTaken) as caught:
        Queue().answer("f-1.1", yes())
    assert caught.value.problem is Problem.UNKNOWN


# --- grants ---------------------------------------------------------------------------------------------------


def granted(any_statement: bool = False, **given: object) -> Queue:
    queue = held(terms(grant="1h", **given))
    step = queue.answer("f-1.1", yes(window=900, any_statement=any_statement))
    assert kinds(step) == ["approval_given", "grant_made", "approval_approved"]
    return queue


def again(queue: Queue, now: float, **other: object) -> bool:
    """Whether such a statement is let through without asking."""
    again.number += 1  # type: ignore[attr-defined]
    step = queue.ask(asked(f"n-{again.number}", at=now, **other), terms(), now)  # type: ignore[attr-defined]
    return bool(step.settled) and step.settled[0].state is State.APPROVED


again.number = 0  # type: ignore[attr-defined]


def test_a_grant_lets_the_same_statement_through_until_its_end() -> None:
    queue = granted()
    assert [grant.until for grant in queue.grants(1.0)] == [901.0]
    assert again(queue, 900.9)
    assert again(queue, 900.9, values=(Bound("text", "8"),))  # its values are what changes
    assert not again(queue, 901.0)
    assert queue.grants(901.0) == []
    assert "grant_expired" in kinds(queue.expire(901.0))


@pytest.mark.parametrize(
    "other",
    [
        {"template": "DELETE FROM app.t"},
        {"target": "other"},
        {"rules": ("writes", "pay")},
        {"requester": replace(AGENT, unit="other.service")},
        {"requester": replace(AGENT, unit="", cgroup="/other")},
        {"requester": replace(AGENT, uid=1001)},  # bob's own process: bob would approve his own
        {"requester": replace(AGENT, login_uid=1001)},
    ],
)
def test_a_grant_is_good_for_nothing_else(other: dict[str, object]) -> None:
    queue = granted()
    assert not again(queue, 2.0, **other)
    assert again(queue, 2.0)


def test_a_grant_for_any_statement() -> None:
    queue = granted(any_statement=True)
    assert again(queue, 2.0, template="DROP TABLE x", text="DROP TABLE x")
    assert not again(queue, 2.0, rules=("other",))


def test_a_used_grant_is_told_with_its_approvers() -> None:
    queue = granted()
    step = queue.ask(asked("f-2.1"), terms(), 2.0)
    assert kinds(step) == ["approval_asked", "grant_used", "approval_approved"]
    assert step.settled[0].by == "the grant g-f-1.1 of bob (uid 1001)"


@pytest.mark.parametrize(
    ("given", "answer", "problem"),
    [
        ({}, yes(window=60), Problem.FORBIDDEN),
        ({"grant": "1m"}, yes(window=61), Problem.FORBIDDEN),
        ({"grant": "1h"}, yes(any_statement=True), Problem.WRONG),
        ({"grant": "1h"}, yes(window=-1), Problem.WRONG),
        ({"grant": "1h", "approvers": named(webhook=("*",))}, yes(claimed(), window=60), Problem.FORBIDDEN),
    ],
)
def test_a_window_is_opened_on_the_terms_only(given: dict[str, object], answer: object, problem: Problem) -> None:
    queue = held(terms(**given))
    assert refused(queue, answer).problem is problem
    assert queue.grants(0.0) == []


def test_several_approvers_open_the_shortest_window_that_all_of_them_gave() -> None:
    queue = held(terms(minimum=2, grant="1h"))
    queue.answer("f-1.1", yes(window=900, any_statement=True))
    queue.answer("f-1.1", yes(human("carol"), window=60))
    assert [(g.until, g.template != "") for g in queue.grants(1.0)] == [(61.0, True)]
    queue = held(terms(minimum=2, grant="1h"))
    queue.answer("f-1.1", yes(window=900))
    queue.answer("f-1.1", yes(human("carol")))
    assert queue.grants(1.0) == []


def test_revoking_ends_the_flows_that_live_on_the_grant() -> None:
    queue = granted()
    assert again(queue, 2.0, flow="f-2", worker="worker1")
    assert again(queue, 2.0, flow="f-3")
    queue.flow_ended("worker0", "f-3")
    step = queue.revoke("g-f-1.1", human("carol"))
    assert step.ended == (("worker0", "f-1"), ("worker1", "f-2"))
    assert (kinds(step), step.facts[0].details["uid"]) == (["grant_revoked"], 1002)
    assert not again(queue, 2.0)
    with pytest.raises(NotTaken):
        queue.revoke("g-f-1.1", human("carol"))


def test_a_dead_workers_flows_are_ended_by_nobody() -> None:
    queue = granted()
    queue.drop_worker("worker0", 2.0)
    assert queue.revoke("g-f-1.1", human("carol")).ended == ()


# --- bounds ---------------------------------------------------------------------------------------------------


def test_everything_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_OF_ONE", 2)
    monkeypatch.setattr(queue_module, "MAX_WAITING", 3)
    monkeypatch.setattr(queue_module, "MAX_SETTLED", 2)
    monkeypatch.setattr(queue_module, "MAX_FLOWS", 1)
    queue, others = Queue(), replace(AGENT, service="/other")
    for number in range(2):
        queue.ask(asked(f"a{number}"), terms(), 0.0)
    with pytest.raises(NotTaken, match=r"2 requests of /system.slice/agent.service wait"):
        queue.ask(asked("a2"), terms(), 0.0)
    queue.ask(asked("b0", requester=others), terms(grant="1h"), 0.0)
    with pytest.raises(NotTaken, match="3 requests wait"):
        queue.ask(asked("b1", requester=others), terms(), 0.0)
    for request in ("a0", "a1"):
        queue.answer(request, no())
    queue.answer("b0", yes(window=60))
    assert [r.asked.id for r in queue.settled()] == ["a1", "b0"]
    assert not again(queue, 2.0, requester=others, flow="f-2")  # one flow more than can be ended is asked about
    assert again(queue, 2.0, requester=others, flow="f-1")


def test_one_step_may_settle_all_that_wait() -> None:
    queue = Queue()
    for number in range(queue_module.MAX_WAITING):
        queue.ask(asked(f"a{number}", requester=replace(AGENT, service=f"/{number}")), terms(), 0.0)
    step = queue.withdraw_all("the policy changed", 1.0, lambda _: True)
    assert len(step.settled) == queue_module.MAX_WAITING
    assert all(queue.find(settled.id).state is State.WITHDRAWN for settled in step.settled)


@pytest.mark.parametrize(
    "other",
    [
        {"text": "x" * (queue_module.MAX_BYTES + 1)},
        {"values": (Bound("text", "x" * queue_module.MAX_BYTES),)},
        {"id": ""},
        {"id": "a/b"},
        {"id": "x" * 65},
    ],
)
def test_what_cannot_be_shown_cannot_be_approved(other: dict[str, object]) -> None:
    with pytest.raises(NotTaken):
        Queue().ask(replace(asked(), **other), terms(), 0.0)  # type: ignore[arg-type]


# --- any order of events ----------------------------------------------------------------------------------------


class Life(RuleBasedStateMachine):
    """Random lives of requests; what must hold in all of them."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.now = 0.0
        self.number = 0
        self.final: dict[str, State] = {}
        self.minimum: dict[str, int] = {}
        self.approvals: dict[str, set[int]] = {}

    def take(self, step: Step) -> None:
        for settled in step.settled:
            assert settled.id not in self.final  # one use: nothing is settled twice
            self.final[settled.id] = settled.state
        approved = {settled.id for settled in step.settled if settled.state is State.APPROVED}
        told = {fact.details["request"] for fact in step.facts if fact.kind == "approval_approved"}
        assert approved == told  # nothing is approved that the chain does not hear of

    @rule(target=requests, minimum=st.integers(1, 3), flow=st.sampled_from(["f-1", "f-2"]))
    def ask(self, minimum: int, flow: str) -> object:
        self.number += 1
        request = f"r{self.number}"
        worker = "worker0" if flow == "f-1" else "worker1"
        new = asked(request, self.now, self.now + 60, flow=flow, worker=worker)
        live = any(grant.covers(new, self.now) for grant in self.queue.grants(self.now))
        try:
            step = self.queue.ask(new, terms(minimum=minimum, grant="1m"), self.now)
        except NotTaken:
            return multiple()
        self.minimum[request] = 0 if live else minimum
        self.approvals[request] = set()
        self.take(step)
        return request

    @rule(
        request=requests,
        who=st.sampled_from(["alice", "bob", "carol", "dave"]),
        uid=st.sampled_from([None, 0, 990]),
        window=st.sampled_from([0, 30]),
    )
    def approve(self, request: str, who: str, uid: int | None, window: int) -> None:
        approver = human(who) if uid is None else human(who, uid=uid)
        try:
            step = self.queue.answer(request, yes(approver, self.now, window=window))
        except NotTaken:
            return
        assert who != "alice"
        assert uid != 990
        assert approver.login_uid is not None
        self.approvals[request].add(approver.login_uid)
        self.take(step)

    @rule(request=requests)
    def deny(self, request: str) -> None:
        try:
            self.take(self.queue.answer(request, no(at=self.now)))
        except NotTaken:
            assert request in self.final or self.queue.find(request).asked.expires_at <= self.now

    @rule(request=requests)
    def withdraw(self, request: str) -> None:
        self.take(self.queue.withdraw("worker0", request, "gone", self.now))

    @rule(seconds=st.sampled_from([1.0, 20.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.queue.expire(self.now))

    @rule(worker=st.sampled_from(["worker0", "worker1"]))
    def die(self, worker: str) -> None:
        self.take(self.queue.drop_worker(worker, self.now))

    @rule()
    def revoke(self) -> None:
        for grant in self.queue.grants(self.now):
            flows = set(grant.flows)
            assert set(self.queue.revoke(grant.id, human("bob")).ended) == flows

    @invariant()
    def enough_humans_approved(self) -> None:
        for request, state in self.final.items():
            if state is State.APPROVED and self.minimum[request]:
                assert len(self.approvals[request]) >= self.minimum[request]

    @invariant()
    def waiting_and_settled_are_apart(self) -> None:
        waiting = {r.asked.id for r in self.queue.waiting()}
        assert waiting.isdisjoint(self.final)
        assert all(self.queue.find(request).state is State.WAITING for request in waiting)
        assert all(self.queue.find(request).state is state for request, state in self.final.items())


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_via_is_part_of_what_is_recorded() -> None:
    step = held(terms(approvers=named(webhook=("ann",)))).answer("f-1.1", yes(claimed("ann")))
    assert step.facts[0].details["via"] == Via.WEBHOOK.value
    assert step.facts[0].details["uid"] == ""
