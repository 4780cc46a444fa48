"""Approvals between real channels, a real control socket and a chain that can be full."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import os
import pwd
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "policy"))
from policy_samples import actor

from hostagent.approvals.rules import APPROVERS_GROUP
from hostagent.approvals.values import CANCELLED, Answer, Approver, Bound, Fact, NotTaken, State, Via
from hostagent.approvals.wire import Held, asked_from, to_json
from hostagent.daemon.approvals import Approvals
from hostagent.daemon.approver import approvals_operations, approver_of
from hostagent.daemon.control import ControlServer, Operation, Peer
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.socket_acl import admit_group
from hostagent.daemon.workers import listen_unix
from hostagent.errors import HostError
from hostagent.recording.journal import RecordingError
from hostagent.runtime.channel import Channel, ChannelError
from hostagent.runtime.waiting import Left, Waiting
from hostagent.values.decision import Decision, Ruling, Verdict
from tests.lab.folders import open_to_all

POLICY = """version: 1
rules:
  - {name: writes, actors: '*', targets: '*', approve: {kinds: write, grant: 1h}}
  - {name: two, actors: '*', targets: '*', approve: {kinds: ddl, minimum: 2}}
  - {name: soon, actors: '*', targets: '*', approve: {kinds: admin, expires: 10s}}
  - {name: dba, actors: '*', targets: '*', approve: {kinds: read, approvers: {users: nobody}}}
"""
RULING = Ruling(Verdict.APPROVE, "writes", "a human must approve it: rule writes", ("delete",), approval="writes")
BOB = Approver("bob", Via.SOCKET, 4711, 4711)
CAROL = Approver("carol", Via.SOCKET, 4712, 4712)


def held(request: str = "f-1.1", rules: tuple[str, ...] = ("writes",), flow: str = "f-1", **other: Any) -> Held:
    text = "DELETE FROM t WHERE id = $1"
    fields = {"values": (Bound("text", "7"),), "template": text, "cancel_keys": ("0a",), **other}
    return Held(request, flow, actor("/a"), "db", text, rules=rules, **fields)


class Host:
    """A supervisor's approvals and one worker, with a channel between them."""

    def __init__(self, tmp_path: Path) -> None:
        self.file = tmp_path / "policy.yaml"
        self.file.write_text(POLICY)
        self.policies = PolicyInForce(self.file)
        self.facts: list[Fact] = []
        self.full = False
        self.now = 1_767_225_600.0
        self.approvals = Approvals(self.policies, self.tell, self.record, lambda: self.now)
        self.told: list[tuple[str, str]] = []
        self.approvals.notify = lambda what, request: self.told.append((what, request.asked.id))
        self.ended: list[str] = []
        self.waits: list[tuple[int, int]] = []
        self.client_left = False

    def record(self, facts: Sequence[Fact]) -> None:
        if self.full:
            raise RecordingError("no space left")
        self.facts += facts

    @property
    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts]

    async def tell(self, worker: str, operation: str, args: dict[str, Any]) -> dict[str, Any]:
        if worker != "worker0":
            raise ChannelError(f"{worker} is down")
        return await self.ours.call(operation, args)

    async def end_flows(self, args: dict[str, Any]) -> dict[str, Any]:
        self.ended += args["flows"]
        return {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Host]:
        mine, theirs = socket.socketpair()
        for sock in (mine, theirs):
            sock.setblocking(False)
        self.ours = Channel(mine, self.approvals.handlers("worker0"))
        self.waiting = Waiting(lambda op, args: worker.call(op, args))
        handlers = {"approval.answered": self.waiting.answered, "approval.end_flows": self.end_flows}
        worker = Channel(theirs, handlers)
        tasks = [asyncio.ensure_future(work()) for work in (self.ours.run, worker.run, self.approvals.run)]
        await asyncio.sleep(0.01)  # all of them run
        try:
            yield self
        finally:
            for task in reversed(tasks):
                task.cancel()
            await asyncio.wait(tasks)

    def decide(self, what: Held | None = None) -> asyncio.Task[Decision]:
        waits = lambda seconds, minimum: self.waits.append((seconds, minimum))  # noqa: E731
        return asyncio.ensure_future(self.waiting.decide(what or held(), RULING, waits, lambda: self.client_left))

    async def asked(self, number: int = 1) -> None:
        async with asyncio.timeout(5):
            while len(self.waits) < number:
                await asyncio.sleep(0.005)

    def yes(self, approver: Approver = BOB, request: str = "f-1.1", **other: Any) -> State:
        return self.approvals.answer(request, Answer(approver, True, other.pop("reason", ""), self.now, **other)).state


def play(tmp_path: Path, scenario: Callable[[Host], Awaitable[None]]) -> Host:
    async def go() -> Host:
        async with Host(tmp_path).running() as host, asyncio.timeout(10):
            await scenario(host)
        return host

    return asyncio.run(go())


def test_a_statement_waits_and_goes_on_when_a_human_says_so(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        assert host.waits == [(300, 1)]
        assert not decision.done()
        assert host.yes(reason="ticket 7") is State.APPROVED
        made = await decision
        assert (made.id, made.ruling.verdict, made.ruling.approval) == ("f-1.1", Verdict.ALLOW, "")
        assert made.ruling.reason == "approved by bob (uid 4711): ticket 7"
        assert made.ruling.kinds == ("delete",)

    host = play(tmp_path, scenario)
    assert host.kinds == ["approval_asked", "approval_given", "approval_approved"]
    assert host.told == [("asked", "f-1.1"), ("approved", "f-1.1")]
    given = host.facts[1].details
    assert (given["approver"], given["uid"], given["via"], given["reason"]) == ("bob", 4711, "socket", "ticket 7")


def test_a_denial_reaches_the_client_with_who_and_why(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        host.approvals.answer("f-1.1", Answer(BOB, False, "not today", host.now))
        made = await decision
        assert (made.ruling.verdict, made.ruling.reason) == (Verdict.DENY, "denied by bob (uid 4711): not today")

    play(tmp_path, scenario)


def test_other_statements_wait_and_go_on_beside_it(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        first, second = host.decide(), host.decide(held("f-2.1", flow="f-2"))
        await host.asked(2)
        host.yes(request="f-2.1")
        assert (await second).ruling.verdict is Verdict.ALLOW
        assert not first.done()
        host.yes()
        assert (await first).ruling.verdict is Verdict.ALLOW

    play(tmp_path, scenario)


def test_two_humans_where_the_policy_asks_for_two(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide(held(rules=("writes", "two")))
        await host.asked()
        assert host.waits == [(300, 2)]
        assert host.yes() is State.WAITING
        with pytest.raises(NotTaken):
            host.yes()
        assert host.yes(CAROL) is State.APPROVED
        assert (await decision).ruling.reason == "approved by bob (uid 4711), carol (uid 4712)"

    host = play(tmp_path, scenario)
    assert ("approved once", "f-1.1") in host.told


def test_nobody_answers_in_time(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide(held(rules=("soon",)))
        await host.asked()
        host.now += 10
        host.approvals._changed.set()
        made = await decision
        assert (made.ruling.verdict, made.ruling.reason) == (Verdict.DENY, "nobody answered in time")
        with pytest.raises(NotTaken, match="settled before"):
            host.yes()

    assert play(tmp_path, scenario).kinds == ["approval_asked", "approval_expired"]


def test_a_client_that_hangs_up_withdraws(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        host.client_left = True
        with pytest.raises(Left):
            await decision
        with pytest.raises(NotTaken, match="withdrawn"):
            host.yes()

    assert play(tmp_path, scenario).kinds == ["approval_asked", "approval_withdrawn"]


def test_a_flow_that_ends_withdraws_and_a_late_answer_is_not_taken(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        decision.cancel()
        await asyncio.wait([decision])
        assert len(host.waiting) == 0
        assert await host.waiting.answered({"id": "f-1.1", "state": "approved"}) == {"taken": False}
        with pytest.raises(NotTaken, match="withdrawn"):
            host.yes()

    play(tmp_path, scenario)


def test_a_client_cancels(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        assert not host.approvals.cancelled("0b")
        assert host.approvals.cancelled("0a")
        made = await decision
        assert (made.ruling.verdict, made.ruling.reason) == (Verdict.DENY, CANCELLED)
        assert not host.approvals.cancelled("0a")

    play(tmp_path, scenario)


def test_a_policy_that_changes_withdraws_what_waits_and_ends_what_it_asks_no_more(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        first = host.decide()
        await host.asked()
        host.yes(window=600)
        await first
        second = host.decide(held("f-2.1", rules=("two",), flow="f-2"))
        await host.asked(2)
        host.file.write_text(POLICY + "  - {name: more, actors: '*', targets: '*', deny: {kinds: drop}}\n")
        assert host.policies.reload()
        host.approvals.policy_changed()
        assert (await second).ruling.reason == "the policy changed; ask again"
        assert len(host.approvals.queue.grants(host.now)) == 1  # its rule is as it was
        host.file.write_text(POLICY.replace("grant: 1h", "grant: 2h"))
        assert host.policies.reload()
        host.approvals.policy_changed()
        assert host.approvals.queue.grants(host.now) == []
        await asyncio.sleep(0.05)
        assert host.ended == ["f-1"]

    play(tmp_path, scenario)


def test_a_grant_goes_until_its_end_or_its_revocation(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        first = host.decide()
        await host.asked()
        host.yes(window=900)
        await first
        second = await host.decide(held("f-2.1", flow="f-2"))
        assert second.ruling.reason == "approved by the grant g-f-1.1 of bob (uid 4711)"
        assert host.waits == [(300, 1)]  # nobody was asked
        await host.waiting.flow_ended("f-1")
        assert host.approvals.revoke("g-f-1.1", CAROL) == 1
        third = host.decide(held("f-3.1", flow="f-3"))
        await host.asked(2)
        assert not third.done()
        assert host.ended == ["f-2"]
        third.cancel()
        await asyncio.wait([third])

    host = play(tmp_path, scenario)
    assert host.kinds[:7] == [
        "approval_asked", "approval_given", "grant_made", "approval_approved",
        "approval_asked", "grant_used", "approval_approved",
    ]  # fmt: skip


def test_what_cannot_be_recorded_is_no_approval(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        host.full = True
        with pytest.raises(RecordingError):
            host.yes(window=60)
        made = await decision
        assert (made.ruling.verdict, made.ruling.reason) == (Verdict.DENY, "the approval could not be recorded")
        assert host.approvals.queue.grants(host.now) == []

    play(tmp_path, scenario)


def test_half_an_approval_that_cannot_be_recorded_does_not_count(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide(held(rules=("two",)))
        await host.asked()
        host.full = True
        with pytest.raises(RecordingError):
            host.yes()
        host.full = False
        assert host.yes(CAROL) is State.WAITING
        assert host.yes() is State.APPROVED
        assert (await decision).ruling.verdict is Verdict.ALLOW

    play(tmp_path, scenario)


@pytest.mark.parametrize("rules", [("nothing",), ("writes", "nothing"), (), ("",), ("writes",) * 17])
def test_the_terms_are_the_policys_and_not_the_workers(tmp_path: Path, rules: tuple[str, ...]) -> None:
    async def scenario(host: Host) -> None:
        made = await host.decide(held(rules=rules))
        assert made.ruling.verdict is Verdict.DENY
        assert host.waits == []

    assert play(tmp_path, scenario).kinds == []


def test_a_supervisor_that_goes_away_denies_and_a_new_one_knows_nothing(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        host.ours._writer.close()  # type: ignore[union-attr]
        host.waiting._held["f-1.1"].set_exception(ChannelError("the other side of the channel is gone"))
        assert (await decision).ruling.verdict is Verdict.DENY

    play(tmp_path, scenario)
    with pytest.raises(NotTaken, match="no request"):
        Host(tmp_path).yes()


def test_a_worker_that_dies_withdraws(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        decision = host.decide()
        await host.asked()
        host.approvals.worker_ended("worker0")
        assert (await decision).ruling.reason == "its worker ended"

    play(tmp_path, scenario)


def test_an_approval_whose_client_had_left_is_told(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        held_ = held()
        await host.approvals.handlers("worker0")["approval.ask"](to_json(held_))
        host.yes()
        async with asyncio.timeout(5):
            while host.kinds[-1] != "approval_unused":
                await asyncio.sleep(0.01)

    play(tmp_path, scenario)


def test_the_wire_carries_all_of_it_and_checks_what_comes() -> None:
    given = held(values=(Bound("null"), Bound("hex", "00ff"), Bound("text", "ü")))
    asked = asked_from(json.loads(json.dumps(to_json(given))), "worker0", 1.0, 2.0)
    assert (asked.text, asked.values, asked.rules) == (given.text, given.values, given.rules)
    assert (asked.worker, asked.requester.cgroup, asked.requester.login_uid) == ("worker0", "/a", 1001)
    for key, value in (("text", 7), ("values", [["blob", "x"]]), ("values", [["text", 7]]), ("flow", "x" * 65)):
        with pytest.raises(ValueError):
            asked_from({**to_json(given), key: value}, "worker0", 1.0, 2.0)
    with pytest.raises(KeyError):
        asked_from({}, "worker0", 1.0, 2.0)


# --- the control socket -----------------------------------------------------------------------------------------

GROUP = 61234  # stands for hostagent-approvers; no account of this host has it
STRANGER = 61299


def ask_as(path: Path, uid: int, groups: list[int], op: str, login_uid: int | None = None, **args: Any) -> Any:
    """Ask as another user, from a process of its own that stays until the answer is there."""
    ours, theirs = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            if login_uid is not None:
                Path("/proc/self/loginuid").write_text(str(login_uid))
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(5)
                try:
                    sock.connect(str(path))
                    sock.sendall(json.dumps({"op": op, "args": args}).encode() + b"\n")
                    answer = sock.makefile("rb").readline()
                except PermissionError:
                    answer = b'"not admitted"'
            os.write(theirs, answer)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text)


async def _status(_: dict[str, Any]) -> dict[str, Any]:
    return {}


@contextlib.asynccontextmanager
async def control(host: Host, directory: Path) -> AsyncIterator[Path]:
    """A control socket of mode 0660 with an ACL for the approvers' group, as the daemon makes it."""
    open_to_all(directory)
    path = directory / "control.sock"
    sock = listen_unix(path, 0o660)
    admit_group(path, GROUP)
    offered = {"status": Operation(_status), **approvals_operations(host.approvals)}
    server = asyncio.ensure_future(ControlServer(sock, offered, None, GROUP).run())
    yield path
    server.cancel()
    await asyncio.wait([server])
    sock.close()


def test_the_approvers_group_answers_and_nobody_else(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        async with control(host, tmp_path) as path:
            decision = host.decide()
            await host.asked()

            async def ask(*args: Any, **more: Any) -> Any:
                return await asyncio.to_thread(ask_as, path, *args, **more)

            for op in ("approvals.list", "approvals.show", "approvals.approve", "approvals.grants", "approvals.revoke"):
                assert await ask(STRANGER, [], op, id="f-1.1") == "not admitted"
            assert not (await ask(STRANGER, [GROUP], "status"))["ok"]
            listed = await ask(STRANGER, [GROUP], "approvals.list")
            assert [r["id"] for r in listed["result"]["requests"]] == ["f-1.1"]
            shown = (await ask(STRANGER, [GROUP], "approvals.show", id="f-1.1"))["result"]
            assert (shown["text"], shown["values"]) == (held().text, [{"form": "text", "value": "7"}])
            taken = await ask(STRANGER, [GROUP], "approvals.approve", id="f-1.1", reason="ticket 7", **{"for": "15m"})
            assert taken["result"]["state"] == "approved"
            assert (await decision).ruling.reason == f"approved by {STRANGER} (uid {STRANGER}): ticket 7"
            grants = (await ask(STRANGER, [GROUP], "approvals.grants"))["result"]["grants"]
            assert [(g["id"], g["until"]) for g in grants] == [("g-f-1.1", host.now + 900)]
            assert (await ask(STRANGER, [GROUP], "approvals.revoke", id="g-f-1.1"))["result"] == {"sessions_ended": 1}
            late = await ask(STRANGER, [GROUP], "approvals.deny", id="f-1.1")
            assert "settled before" in late["error"]

    host = play(tmp_path, scenario)
    given = next(fact for fact in host.facts if fact.kind == "approval_given")
    assert given.details["uid"] == STRANGER


def test_the_human_behind_the_request_cannot_approve_by_any_account(tmp_path: Path) -> None:
    async def scenario(host: Host) -> None:
        async with control(host, tmp_path) as path:
            decision = host.decide()
            await host.asked()

            def ask(uid: int, login_uid: int | None) -> Any:
                return ask_as(path, uid, [GROUP], "approvals.approve", login_uid, id="f-1.1")

            # the sample actor runs as 1000, and 1001 logged in
            for uid, login_uid in ((1000, None), (1001, None), (0, 1001), (STRANGER, 1001)):
                refused = await asyncio.to_thread(ask, uid, login_uid)
                assert refused["error"] == "nobody approves what they asked for", (uid, login_uid)
            assert not decision.done()
            assert (await asyncio.to_thread(ask, 0, 4711))["ok"]
            assert (await decision).ruling.verdict is Verdict.ALLOW

    play(tmp_path, scenario)


def test_only_those_whom_the_rule_names(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid

    async def scenario(host: Host) -> None:
        async with control(host, tmp_path) as path:
            decision = host.decide(held(rules=("dba",)))
            await host.asked()
            refused = await asyncio.to_thread(ask_as, path, STRANGER, [GROUP], "approvals.approve", id="f-1.1")
            assert "not among the approvers" in refused["error"]
            taken = await asyncio.to_thread(ask_as, path, nobody, [GROUP], "approvals.approve", id="f-1.1")
            assert taken["ok"], taken
            assert (await decision).ruling.reason == f"approved by nobody (uid {nobody})"

    play(tmp_path, scenario)


def test_setting_the_clock_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    approvals = Approvals(PolicyInForce(tmp_path / "policy.yaml"), nobody_told, lambda _: None)
    before = approvals.now()
    assert abs(before - time.time()) < 60
    monkeypatch.setattr("time.time", lambda: before + 3600)
    assert 0 <= approvals.now() - before < 60


async def nobody_told(worker: str, operation: str, args: dict[str, Any]) -> dict[str, Any]:
    raise ChannelError(f"{worker} is down")


def test_who_is_gone_or_hidden_approves_nothing(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="nobody knows who it is"):
        approver_of(Peer(1 << 22, 0, frozenset()))
    me = approver_of(Peer(os.getpid(), 0, frozenset({0})))
    assert (me.name, me.uid, me.groups) == ("root", 0, frozenset({grp.getgrgid(0).gr_name}))
    assert me.cgroup.startswith("/")
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "loginuid").write_text("4294967295")
    (tmp_path / "7" / "cgroup").write_text("0::/user.slice/x.scope\n")
    assert approver_of(Peer(7, STRANGER, frozenset()), tmp_path).login_uid is None
    assert approver_of(Peer(7, STRANGER, frozenset()), tmp_path).cgroup == "/user.slice/x.scope"
    assert APPROVERS_GROUP == "hostagent-approvers"
