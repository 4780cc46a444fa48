"""Restart with back-off, and the order of a stop, with children that are not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hostagent.daemon.supervisor import Backoff, Child, Keeper
from hostagent.errors import HostError


@dataclass
class FakeChild:
    """A child whose end the test decides."""

    pid: int
    obeys: bool = True
    told: list[str] = field(default_factory=list)
    end: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 1

    async def wait(self) -> int:
        await self.end.wait()
        return self.status

    async def drain(self, seconds: float) -> None:
        self.told.append(f"drain {seconds:g}")

    def terminate(self) -> None:
        self.told.append("terminate")
        if self.obeys:
            self.end.set()

    def kill(self) -> None:
        self.told.append("kill")
        self.end.set()


class Nursery:
    """Starts fake children and keeps them."""

    def __init__(self, obeys: bool = True) -> None:
        self.children: list[FakeChild] = []
        self.failures = 0
        self.obeys = obeys

    async def start(self) -> Child:
        if self.failures:
            self.failures -= 1
            raise HostError("no such user")
        self.children.append(FakeChild(len(self.children) + 1, self.obeys))
        return self.children[-1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_backoff_doubles_to_its_limit_and_forgets_after_a_steady_run() -> None:
    backoff = Backoff(first=0.1, last=1.0, steady=30.0)
    assert [backoff.after(0.0) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert backoff.after(31.0) == 0.1
    assert backoff.after(0.0) == 0.2


def test_an_ended_child_is_replaced_told_and_counted() -> None:
    async def scenario() -> None:
        nursery, ends = Nursery(), []
        keeper = Keeper("worker0", nursery.start, lambda name, status: ends.append((name, status)), Backoff(0.001))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(keeper.run())
            for number in range(1, 4):
                await until(lambda number=number: len(nursery.children) == number)
                nursery.children[-1].status = -9
                nursery.children[-1].end.set()
            await until(lambda: len(nursery.children) == 4)
            assert ends == [("worker0", -9)] * 3
            assert keeper.restarts == 3
            assert "status -9" in keeper.last_error
            await keeper.stop(1.0)
            await running
        assert len(nursery.children) == 4

    asyncio.run(scenario())


def test_a_start_that_fails_is_tried_again() -> None:
    async def scenario() -> None:
        nursery = Nursery()
        nursery.failures = 2
        keeper = Keeper("worker0", nursery.start, lambda *_: None, Backoff(0.001))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keeper.run())
            await until(lambda: keeper.child is not None)
            assert keeper.restarts == 2
            assert keeper.last_error == "no such user"
            await keeper.stop(0.0)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("obeys", "told"), [(True, ["drain 3", "terminate"]), (False, ["drain 3", "terminate", "kill"])]
)
def test_a_stop_drains_then_terminates_then_kills(
    obeys: bool, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hostagent.daemon.supervisor.TERMINATE_SECONDS", 0.05)

    async def scenario() -> None:
        nursery, ends = Nursery(obeys), []
        keeper = Keeper("worker0", nursery.start, lambda *end: ends.append(end))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keeper.run())
            await until(lambda: keeper.child is not None)
            await keeper.stop(3.0)
        assert nursery.children[0].told == told
        assert ends == []  # it was asked to end: no fault

    asyncio.run(scenario())


def test_a_cancelled_keeper_leaves_no_child() -> None:
    async def scenario() -> None:
        nursery = Nursery()
        keeper = Keeper("worker0", nursery.start, lambda *_: None)
        running = asyncio.ensure_future(keeper.run())
        await until(lambda: keeper.child is not None)
        running.cancel()
        await asyncio.wait([running])
        assert nursery.children[0].told == ["kill"]

    asyncio.run(scenario())
