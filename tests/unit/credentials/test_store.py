"""What is held, when it is asked for again, and what happens when the source is down. Time is the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from hostagent.credentials.secret import Lease, Secret, Unavailable
from hostagent.credentials.store import Credentials, boot_time, obtain
from hostagent.errors import FileError, HostError, Location
from tests.unit.credentials.test_helper import Spec

HELPER = Spec(("/bin/true",))


@dataclass(frozen=True)
class Entry:
    name: str = "orders"
    user: str | None = "app"
    file: str | None = None
    systemd: str | None = None
    exec: Spec | None = HELPER
    vault: None = None
    ssh: None = None


class Source:
    """A source that gives numbered secrets, or fails when told to, and takes as long as it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[Secret | None] = []
        self.fails = False
        self.lifetime: float | None = 90.0
        self.lease: Lease | None = Lease("l", True, 90.0)
        self.gate = asyncio.Event()
        self.gate.set()
        self.told: list[str] = []
        self.credentials = Credentials(self._tell, self._obtain, lambda: self.now, lambda: 0.0)

    async def _obtain(self, entry: object, held: Secret | None) -> Secret:
        self.asked.append(held)
        await self.gate.wait()
        if self.fails:
            raise Unavailable("the source is down", "mend it")
        return Secret("app", f"s{len(self.asked)}", self.lifetime, self.lease)

    def _tell(self, entry: object, error: HostError | FileError) -> None:
        self.told.append(str(error))

    async def get(self, entry: Entry = Entry()) -> str:
        return (await self.credentials.get(entry)).secret

    async def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, and whatever is due happen."""
        self.now += seconds
        self.credentials._changed.set()
        for _ in range(20):
            await asyncio.sleep(0)


def play(scene: Callable[[Source], Awaitable[None]]) -> Source:
    async def run() -> Source:
        source = Source()
        running = asyncio.create_task(source.credentials.run())
        await scene(source)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])
        return source

    return asyncio.run(run())


def test_it_is_fetched_once_for_all_who_ask() -> None:
    async def scene(source: Source) -> None:
        source.gate.clear()
        asking = [asyncio.create_task(source.get()) for _ in range(50)]
        await source.settle()
        source.gate.set()
        assert set(await asyncio.gather(*asking)) == {"s1"}
        assert await source.get() == "s1" and len(source.asked) == 1

    play(scene)


def test_it_is_refreshed_before_its_end_from_what_is_held() -> None:
    async def scene(source: Source) -> None:
        assert await source.get() == "s1"
        await source.settle(59.0)
        assert await source.get() == "s1"
        await source.settle(1.5)
        assert await source.get() == "s2" and [held and held.secret for held in source.asked] == [None, "s1"]

    assert play(scene).told == []


def test_a_failed_refresh_keeps_the_old_one_until_its_end() -> None:
    async def scene(source: Source) -> None:
        await source.get()
        source.fails = True
        await source.settle(61.0)
        assert await source.get() == "s1"
        await source.settle(20.0)
        assert await source.get() == "s1"
        await source.settle(10.0)
        with pytest.raises(Unavailable, match="the source is down"):
            await source.get()

    assert len(play(scene).told) >= 3


def test_a_source_that_comes_back_is_found_by_a_retry() -> None:
    async def scene(source: Source) -> None:
        await source.get()
        source.fails = True
        await source.settle(60.0)
        source.fails = False
        await source.settle(0.5)
        assert len(source.asked) == 2  # not yet
        await source.settle(1.0)
        assert await source.get() == "s3"

    play(scene)


def test_a_source_that_failed_is_left_alone_for_a_moment() -> None:
    async def scene(source: Source) -> None:
        source.fails = True
        for _ in range(20):
            with pytest.raises(Unavailable):
                await source.get()
        assert len(source.asked) == 1
        source.now += 1.1
        source.fails = False
        assert await source.get() == "s2"

    assert len(play(scene).told) == 1


def test_an_ended_secret_is_never_handed_out() -> None:
    async def scene(source: Source) -> None:
        await source.get()
        source.now += 86.0  # past its end; nothing was refreshed meanwhile, as after a suspend
        assert await source.get() == "s2"
        assert source.asked[-1] is None  # an ended lease is not renewed

    play(scene)


def test_who_waits_for_a_slow_source_does_not_stop_others() -> None:
    async def scene(source: Source) -> None:
        await source.get(Entry("quick"))
        source.gate.clear()
        waiting = asyncio.create_task(source.get())
        await source.settle()
        assert await source.get(Entry("quick")) == "s1" and not waiting.done()
        source.gate.set()
        assert await waiting == "s2"

    play(scene)


def test_a_refresh_does_not_stop_those_who_have_a_good_one() -> None:
    async def scene(source: Source) -> None:
        await source.get()
        source.gate.clear()
        await source.settle(61.0)
        assert len(source.asked) == 2
        assert await source.get() == "s1"
        source.gate.set()
        await source.settle()
        assert await source.get() == "s2"

    play(scene)


def test_another_policy_forgets_what_it_does_not_name() -> None:
    async def scene(source: Source) -> None:
        await source.get()
        source.credentials.reload([Entry()])
        assert await source.get() == "s1"
        source.credentials.reload([Entry(user="other")])
        assert source.credentials._held == {}
        assert await source.get(Entry(user="other")) == "s2"

    play(scene)


@pytest.mark.parametrize("leased", [False, True])
def test_a_reload_asks_again_for_what_may_have_changed(leased: bool) -> None:
    async def scene(source: Source) -> None:
        source.lease = Lease("l", True, 90.0) if leased else None
        await source.get()
        source.credentials.reload([Entry()])
        await source.settle()
        assert await source.get() == ("s1" if leased else "s2")
        await source.settle(1.0)
        assert len(source.asked) == (1 if leased else 2)

    play(scene)


def test_a_lifetime_that_is_none_is_an_error() -> None:
    async def scene(source: Source) -> None:
        source.lifetime = 0.2
        with pytest.raises(Unavailable, match=r"a lifetime of 0\.2 s"):
            await source.get()
        source.lifetime = None
        source.now += 5
        assert await source.get() == "s2"
        await source.settle(1e9)
        assert await source.get() == "s2"

    play(scene)


def test_a_file_is_read_each_time_and_its_failure_told() -> None:
    async def scene() -> None:
        told: list[str] = []
        texts = ["one", "two"]

        async def read(entry: object, held: Secret | None) -> Secret:
            if not texts:
                raise FileError(Location("/x"), "gone")
            return Secret("app", texts.pop(0))

        credentials = Credentials(lambda _, error: told.append(str(error)), read)
        entry = Entry(exec=None, file="/x")
        assert [(await credentials.get(entry)).secret for _ in "ab"] == ["one", "two"]
        with pytest.raises(FileError):
            await credentials.get(entry)
        assert told == ["/x:1:1: gone"]

    asyncio.run(scene())


def test_a_real_helper_through_the_store() -> None:
    entry = Entry(exec=Spec(("/bin/echo", "s3cret"), lifetime=60.0))
    found = asyncio.run(Credentials(lambda *_: None).get(entry))
    assert found == Secret("app", "s3cret", 60.0) == asyncio.run(obtain(entry, None))
    assert boot_time() > 0
