"""Limits of a worker against the supervisor's counting, over a channel that can fail."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "policy"))
from policy_samples import actor

from hostagent.daemon.limits import Counting
from hostagent.daemon.policies import PolicyInForce
from hostagent.limits.purse import Tally
from hostagent.policy.limits import Hit
from hostagent.policy.model import Policy
from hostagent.runtime.channel import ChannelError
from hostagent.runtime.limits import Limits
from hostagent.values.decision import Ruling, Verdict

SELECT, INSERT = (Ruling(Verdict.ALLOW, "r", "", (kind,)) for kind in ("select", "insert"))
TEXT = """version: 1
limits:
  - {name: few, actors: '*', targets: '*', kinds: select, what: statements, max: 10, per: hour}
"""


class Host:
    """A supervisor and two workers."""

    def __init__(self, tmp_path: Path, text: str = TEXT) -> None:
        (tmp_path / "p.yaml").write_text(text)
        self.policies = PolicyInForce(tmp_path)
        self.cgroups = tmp_path / "cgroups"
        self.counting = Counting(self.policies, self.tell, self.cgroups)
        self.workers = {name: Limits(self.policies.current, self.caller(name)) for name in ("worker0", "worker1")}
        self.calls = 0
        self.down = False

    def caller(self, worker: str) -> Any:
        handlers = self.counting.handlers(worker)

        async def call(operation: str, args: dict[str, Any]) -> dict[str, Any]:
            self.calls += 1
            await asyncio.sleep(0)
            if self.down:
                raise ChannelError("the other side of the channel is gone")
            try:
                return await handlers[operation](args)
            except ValueError as error:
                raise ChannelError(str(error)) from None

        return call

    async def tell(self, worker: str, operation: str, args: dict[str, Any]) -> dict[str, Any]:
        assert operation == "limit.recall"
        return await self.workers[worker].recalled(args)


async def statement(limits: Limits, ruling: Ruling = SELECT) -> Tally | Hit | None:
    counted = limits.of_flow(frozenset(), "db", actor("/a"))
    return await limits.admit(counted, ruling, ("public",))


def test_without_limits_nothing_is_looked_at(tmp_path: Path) -> None:
    host = Host(tmp_path, "version: 1\n")
    limits = host.workers["worker0"]
    counted = limits.of_flow(frozenset(), "db", actor("/a"))
    assert limits.check(counted, SELECT, None) is None
    best = min(_timed(limits, counted) for _ in range(200))
    assert best < 1e-6
    assert host.calls == 0


def _timed(limits: Limits, counted: Any) -> float:
    started = time.perf_counter()
    for _ in range(100):
        limits.check(counted, SELECT, None)
    return (time.perf_counter() - started) / 100


def test_what_no_limit_counts_is_free(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert asyncio.run(statement(host.workers["worker0"], INSERT)) is None
    assert host.calls == 0


def test_many_flows_on_two_workers_at_once_get_exactly_what_there_is(tmp_path: Path) -> None:
    host = Host(tmp_path)

    async def all_at_once() -> list[Tally | Hit | None]:
        return await asyncio.gather(*(statement(host.workers[f"worker{n % 2}"]) for n in range(60)))

    async def one_by_one() -> list[Tally | Hit | None]:
        return [await statement(host.workers[f"worker{n % 2}"]) for n in range(60)]

    first = asyncio.run(all_at_once())
    assert sum(isinstance(answer, Tally) for answer in first) <= 10
    time.sleep(0.3)
    rest = asyncio.run(one_by_one())
    assert sum(isinstance(answer, Tally) for answer in first + rest) == 10


def test_a_supervisor_that_does_not_answer_denies(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.down = True
    assert isinstance(asyncio.run(statement(host.workers["worker0"])), Hit)


def test_another_policy_counts_otherwise_and_what_was_held_goes_back(tmp_path: Path) -> None:
    host = Host(tmp_path, TEXT.replace("max: 10", "max: 80"))
    limits = host.workers["worker0"]

    async def go() -> tuple[int, int]:
        await statement(limits)
        held = next(host.counting.budgets.shown(time.time()))[1]
        limits.replace_policy(Policy.from_json(host.policies.current.to_json()))
        await limits.tidy()
        return held, next(host.counting.budgets.shown(time.time()))[1]

    assert asyncio.run(go()) == (10, 1)


def test_a_limit_that_the_policy_has_no_more_is_refused(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "p.yaml").write_text("version: 1\n")
    assert host.policies.reload()
    assert isinstance(asyncio.run(statement(host.workers["worker0"])), Hit)


def test_a_run_ends_with_its_cgroup(tmp_path: Path) -> None:
    host = Host(tmp_path, TEXT.replace("per: hour", "per: run").replace("max: 10", "max: 1"))
    (host.cgroups / "a").mkdir(parents=True)
    assert isinstance(asyncio.run(statement(host.workers["worker0"])), Tally)
    host.counting.tidy()
    assert isinstance(asyncio.run(statement(host.workers["worker1"])), Hit)
    (host.cgroups / "a").rmdir()
    host.counting.tidy()
    time.sleep(0.3)
    assert isinstance(asyncio.run(statement(host.workers["worker1"])), Tally)
