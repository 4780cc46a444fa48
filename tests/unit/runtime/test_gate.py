"""The gate: decided, recorded, and only then answered; what cannot be recorded is denied."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from hostagent.policy.load import load_policy
from hostagent.policy.model import Policy
from hostagent.protocols.base import Finished, LookedUp, Phase, Request
from hostagent.recording import event
from hostagent.recording.event import FlowContext
from hostagent.recording.journal import RecordingError
from hostagent.recording.row import single
from hostagent.runtime import gate as gate_module
from hostagent.runtime.gate import MOST_OUTCOMES, Gate
from hostagent.runtime.limits import Limits
from hostagent.runtime.masking import LookupFailed
from hostagent.runtime.standing import Standing
from hostagent.sql.analysis import Analysis, Unanalyzed
from hostagent.sql.postgres import analyze
from hostagent.values.decision import Decision, Outcome, Verdict
from hostagent.values.flow import Endpoint, FlowId, FlowKey

POLICY = """
version: 1
targets: [{name: orders, protocol: postgres, match: {addresses: [10.0.0.5]}, tls: {upstream: "off"}}]
rules:
  - name: read
    actors: "*"
    targets: orders
    allow: {kinds: [select, insert, create, transaction, set], relations: "*"}
"""


class Journal:
    """A journal in memory, whose disk can be full."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.full = False

        self.broken = False

    def reserve(self, size: int) -> bool:
        return not self.full

    def append_many(self, events: list[bytes]) -> None:
        if self.full or self.broken:
            raise RecordingError("no space left")
        self.lines += events

    def codes(self) -> list[str]:
        return [json.loads(line)["metadata"]["event_code"] for line in self.lines]


class Asker:
    """A flow that hears its answers, and whether they were recorded by then."""

    def __init__(self, journal: Journal) -> None:
        key = FlowKey(Endpoint("10.0.0.1", 4000), Endpoint("10.0.0.5", 5432))
        self.standing = Standing(FlowId("f"), self)
        self.standing.target_name = "orders"
        self.standing.context = FlowContext(FlowId("f"), key, None, None)
        self.lookups: list[str] = []
        self.answers: Callable[[str], LookedUp] | None = None  # of the server
        self.given: Decision | None = None  # at once, and not recorded yet
        self.heard: list[Decision] = []
        self.recorded_by_then: list[int] = []
        self.failures: list[RecordingError] = []
        self._journal = journal

    def decided(self, request: Request, decision: Decision) -> None:
        self.heard.append(decision)
        self.recorded_by_then.append(len(self._journal.lines))

    def recorded(self) -> None:
        if self.given is not None:
            decision, self.given = self.given, None
            self.decided(Request(1, Phase.EXECUTE, ""), decision)

    async def look_up(self, question: str) -> LookedUp:
        self.lookups.append(question)
        if self.answers is None:
            raise LookupFailed("not here")
        return self.answers(question)

    def unrecorded(self, error: RecordingError) -> None:
        self.given = None
        self.failures.append(error)


async def _nobody(_op: str, _args: dict[str, object]) -> dict[str, object]:
    raise AssertionError("the supervisor is not asked")


class Stage:
    """A gate over a journal in memory and an analyzer in this process."""

    def __init__(self, policy: Policy) -> None:
        self.analyzed: list[str] = []
        self.journal = Journal()
        self.asker = Asker(self.journal)
        self.tasks: set[asyncio.Task[None]] = set()
        self.gate = Gate(policy, self.journal, "analyzer.sock", self._spawn, Limits(policy, _nobody))  # type: ignore[arg-type]

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self.tasks.add(task)

    async def codes(self, count: int) -> list[str]:
        """The codes of so many events; waits for them."""
        async with asyncio.timeout(5):
            while len(self.journal.lines) < count:
                await asyncio.sleep(0.001)
        return self.journal.codes()

    async def ask(self, text: str, phase: Phase = Phase.EXECUTE, **more: object) -> Decision:
        before = len(self.asker.heard)
        self.asker.given = self.gate.ask(self.asker.standing, Request(1, phase, text, **more))  # type: ignore[arg-type]
        if self.asker.given is not None and not self.asker.standing.gated:
            self.asker.recorded()
        async with asyncio.timeout(5):
            while len(self.asker.heard) == before:
                await asyncio.sleep(0)
        return self.asker.heard[-1]


Scenario = Callable[[Stage], Coroutine[object, object, None]]
Play = Callable[[Scenario], None]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    (tmp_path / "policy.yaml").write_text(POLICY)
    policy = load_policy(tmp_path)

    def run(scenario: Scenario) -> None:
        async def main() -> None:
            stage = Stage(policy)

            async def here(_path: str, text: str, _timeout: float, **_: object) -> Analysis | Unanalyzed:
                stage.analyzed.append(text)
                return analyze(text)

            monkeypatch.setattr(gate_module, "analyze", here)
            await scenario(stage)

        asyncio.run(main())

    return run


def test_recorded_before_answered_and_remembered(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(3):
            assert (await stage.ask("SELECT 1")).ruling.verdict is Verdict.ALLOW
        assert stage.asker.recorded_by_then == [1, 2, 3]
        assert stage.analyzed == ["SELECT 1"]

    play(scenario)


def test_other_literals_are_remembered_other_statements_are_not(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        for text in ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 2", "DELETE FROM t WHERE b = 1"):
            await stage.ask(text)
        assert len(stage.analyzed) == 2
        assert [d.ruling.verdict for d in stage.asker.heard] == [Verdict.ALLOW, Verdict.ALLOW, Verdict.DENY]

    play(scenario)


def test_other_schemas_or_settings_are_another_question(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.ask("SELECT a FROM t", schemas=("public",))
        await stage.ask("SELECT a FROM t", schemas=None)
        await stage.ask("SELECT a FROM t", schemas=None, context=("client_encoding=LATIN1",))
        assert len(stage.analyzed) == 3

    play(scenario)


def test_what_cannot_be_recorded_is_denied_until_it_can(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        assert (await stage.ask("SELECT 1")).ruling.verdict is Verdict.ALLOW
        stage.journal.full = True
        denied = await stage.ask("SELECT 1")
        assert denied.ruling.verdict is Verdict.DENY
        assert "could not be recorded" in denied.ruling.reason
        assert stage.gate.unrecorded == 1
        stage.journal.full = False
        assert (await stage.ask("SELECT 1")).ruling.verdict is Verdict.ALLOW

    play(scenario)


def test_what_was_given_never_leaves_when_its_write_fails_after_all(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.ask("SELECT 1")
        stage.journal.broken = True
        stage.asker.given = stage.gate.ask(stage.asker.standing, Request(2, Phase.EXECUTE, "SELECT 1"))
        assert stage.asker.given is not None and stage.asker.standing.gated
        await asyncio.sleep(0)
        assert (len(stage.asker.heard), len(stage.asker.failures), stage.gate.unrecorded) == (1, 1, 1)
        stage.journal.broken = False
        assert (await stage.ask("SELECT 1")).ruling.verdict is Verdict.ALLOW
        assert stage.journal.codes() == ["decided", "decided"]

    play(scenario)


def test_an_outcome_is_written_soon_without_another_decision(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        decision = await stage.ask("SELECT 1")
        stage.gate.finished(stage.asker.standing, Finished(decision.id, Outcome(1, 10)), 5)
        assert stage.journal.codes() == ["decided"]
        assert await stage.codes(2) == ["decided", "finished"]

    play(scenario)


def test_outcomes_of_a_flow_are_written_together_and_before_its_last_event(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        asker = stage.asker.standing
        ids = [(await stage.ask("SELECT 1")).id for _ in range(3)]
        for decision_id in ids[:2]:
            stage.gate.finished(asker, Finished(decision_id, Outcome(1, 10)), 5)
        assert await stage.codes(4) == ["decided"] * 3 + ["finished"]
        stage.gate.finished(asker, Finished(ids[2], Outcome(0, 0, "57014")), 5)
        stage.gate.gather(asker)
        stage.gate.record(event.flow_closed(asker.told(), "", {}, None))
        assert await stage.codes(6) == ["decided"] * 3 + ["finished"] * 2 + ["flow_closed"]
        told = [single(json.loads(line)) for line in stage.journal.lines if b'"finished"' in line]
        assert [[e["unmapped"]["decision"] for e in each] for each in told] == [ids[:2], ids[2:]]
        assert [each[0]["status_id"] for each in told] == [1, 2]

    play(scenario)


def test_very_many_outcomes_are_not_kept_for_later(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        decision = await stage.ask("SELECT 1")
        for number in range(MOST_OUTCOMES):
            stage.gate.finished(stage.asker.standing, Finished(f"{decision.id}{number}", Outcome(1, 10)), 5)
        assert stage.asker.standing.outcomes == []
        assert await stage.codes(2) == ["decided", "finished"]

    play(scenario)


def test_outcomes_wait_for_a_disk_that_was_full(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        decision = await stage.ask("SELECT 1")
        stage.journal.full = True
        stage.gate.finished(stage.asker.standing, Finished(decision.id, Outcome(1, 10)), 5)
        await asyncio.sleep(0)
        stage.journal.full = False
        await stage.ask("SELECT 1")
        assert await stage.codes(3) == ["decided", "decided", "finished"]

    play(scenario)


def test_preparing_gives_an_event_only_when_it_is_denied(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.ask("SELECT 1", Phase.PREPARE)
        assert stage.journal.lines == []
        await stage.ask("DROP TABLE t", Phase.PREPARE)
        assert stage.journal.codes() == ["decided"]

    play(scenario)


def test_a_new_policy_is_asked_anew(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        assert (await stage.ask("SELECT 1")).ruling.verdict is Verdict.ALLOW
        (tmp_path / "policy.yaml").write_text(
            POLICY.replace("kinds: [select, insert, create, transaction, set]", "kinds: drop")
        )
        stage.gate.replace_policy(load_policy(tmp_path))
        assert (await stage.ask("SELECT 1")).ruling.verdict is Verdict.DENY

    play(scenario)


def test_what_could_not_be_read_is_denied_without_an_analysis(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        denied = await stage.ask("a statement of 2000000 bytes", wire="unreadable")
        assert (denied.ruling.verdict, stage.analyzed) == (Verdict.DENY, [])

    play(scenario)


def test_a_function_call_by_number_is_decided_by_its_number(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        denied = await stage.ask("function_call oid=1", function_oid=1)
        assert (denied.ruling.verdict, denied.ruling.kinds) == (Verdict.DENY, ("function_call",))
        assert stage.analyzed == []

    play(scenario)


def test_a_text_that_cannot_be_parsed_is_recorded_up_to_its_password(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        denied = await stage.ask("ALTER ROLE app PASSWORD 'hunter2' oops")
        assert denied.ruling.verdict is Verdict.DENY
        assert b"hunter2" not in b"".join(stage.journal.lines)
        assert b"ALTER ROLE app" in b"".join(stage.journal.lines)
        assert (denied.ruling.told, denied.ruling.position) == ("syntax error", 35)
        told = await stage.ask("SELECT 'of the client' FORM t x")
        assert (told.ruling.told, told.ruling.position) == ('syntax error at or near "t"', 29)
        assert b"at or near" not in b"".join(stage.journal.lines)

    play(scenario)


def test_a_fault_of_ours_denies_the_statement_and_nothing_else(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(gate_module, "decide", lambda *_: 1 / 0)
            denied = await stage.ask("SELECT 1")
            assert (denied.ruling.verdict, denied.ruling.reason) == (Verdict.DENY, "an internal error")
        assert (await stage.ask("SELECT 1")).ruling.verdict is Verdict.ALLOW

    play(scenario)


def test_decisions_are_counted_by_their_flow_and_all_but_allows_by_word(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        for text in ("SELECT 1", "SELECT 1", "DROP TABLE t"):
            await stage.ask(text)
        await stage.ask("SELECT 2 AS prepared", Phase.PREPARE)  # decided, and recorded when it runs
        assert (stage.asker.standing.decided, stage.gate.hits, stage.gate.misses) == (3, 1, 3)
        counted = {row[:3]: row[3] for row in stage.gate.counted.rows([]) if not row[0].startswith("analysis")}
        assert counted == {("verdicts", "orders", "deny"): 1, ("denials", "orders", "no_rule"): 1}

    play(scenario)
