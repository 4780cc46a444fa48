"""Children that are real processes with a real channel, but do no work: restart, pulse, policy, drain."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from hostagent.daemon import pool as pool_module
from hostagent.daemon import workers
from hostagent.daemon.approvals import Approvals
from hostagent.daemon.counts import Counts
from hostagent.daemon.limits import Counting
from hostagent.daemon.logins import Logins
from hostagent.daemon.places import Places
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.pool import Pool, Sockets, Spots
from hostagent.daemon.ssh_calls import SshCalls
from hostagent.daemon.target_names import TargetNames
from hostagent.daemon.worker_calls import WorkerCalls
from hostagent.daemon.workers import Worker, listen_unix
from hostagent.pki.authority import Authority

IDLE_WORKER = """
import argparse, asyncio, socket, sys
from hostagent.runtime.channel import Channel
parser = argparse.ArgumentParser()
for name in ("--index", "--channel"):
    parser.add_argument(name, type=int)
parser.add_argument("--listen", type=int, action="append")
parser.add_argument("--become", type=int, nargs=2)
args = parser.parse_args()
done = asyncio.Event()
version = ""
async def policy(a):
    global version
    version = a["policy"]["name"]
    return {}
async def stats(a):
    return {"flows": 2, "policy": version}
async def drain(a):
    done.set()
    return {}
async def main():
    channel = Channel(socket.socket(fileno=args.channel), {"policy": policy, "stats": stats, "drain": drain})
    serving = asyncio.ensure_future(channel.run())
    await channel.call("hello", {})
    await channel.call("ready", {})
    await done.wait()
    serving.cancel()
asyncio.run(main())
"""
IDLE_ANALYZER = "import time; time.sleep(3600)"
UNPRIVILEGED = 54321


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    def module(name: str, *arguments: str) -> tuple[str, ...]:
        source = IDLE_WORKER if name == "hostagent.runtime.worker" else IDLE_ANALYZER
        return (sys.executable, "-I", "-c", source, *arguments)

    monkeypatch.setattr(workers, "_module", module)


Scenario = Callable[[Pool, list[tuple[str, int]], WorkerCalls], Awaitable[None]]


def play(scenario: Scenario, places: Places, tmp_path: Path, policy_directory: Path) -> None:
    """Run the scenario against a pool of two workers and one analyzer that are ready."""

    async def run() -> None:
        ends: list[tuple[str, int]] = []
        owner = (UNPRIVILEGED, UNPRIVILEGED)
        with socket.create_server(("127.0.0.1", 0)) as listener, listen_unix(tmp_path / "a.sock", 0o600) as analyzer:
            spots = Spots(places.directory(places.workers), owner, places.directory(places.analyzers), owner)
            pool = Pool(Sockets((listener,), analyzer), spots, lambda *end: ends.append(end))
            policies = PolicyInForce(policy_directory)
            calls = WorkerCalls(
                settings=lambda: {},
                flows=None,  # type: ignore[arg-type]
                authority=Authority.load_or_create(tmp_path / "ca.pem", tmp_path / "ca.key"),
                logins=Logins(policies, lambda _: None),
                names=TargetNames(lambda: []),
                counts=Counts(),
                unattributed=lambda *_: None,
                ready=pool.ready,
                approvals=Approvals(policies, pool.tell, lambda _: None),
                counting=Counting(policies, pool.tell, tmp_path),
                ssh=cast(SshCalls, SimpleNamespace(handlers=dict)),
            )
            async with asyncio.TaskGroup() as tasks:
                for keeper in pool.fill(2, 1, calls):
                    tasks.create_task(keeper.run())
                await pool.all_ready()
                await scenario(pool, ends, calls)
                await pool.stop(2.0)

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("sources")
def test_stats_pulse_policy_and_drain(places: Places, tmp_path: Path, policy_directory: Path) -> None:
    async def scenario(pool: Pool, ends: list[tuple[str, int]], _: WorkerCalls) -> None:
        assert (await pool.stats())["flows"] == 4
        assert await pool.pulse()
        await pool.push_policy({"policy": {"name": "new"}})
        for keeper in pool.workers:
            assert isinstance(keeper.child, Worker)
            assert (await keeper.child.channel.call("stats", {}))["policy"] == "new"
        assert ends == []

    play(scenario, places, tmp_path, policy_directory)


@pytest.mark.usefixtures("sources")
def test_a_killed_worker_is_replaced_and_its_cancel_keys_go(
    places: Places, tmp_path: Path, policy_directory: Path
) -> None:
    async def scenario(pool: Pool, ends: list[tuple[str, int]], calls: WorkerCalls) -> None:
        scope = {"destination": ["10.0.0.5", 5432], "cgroup": "/a"}
        await calls.handlers("worker0")["cancel.keep"]({**scope, "issued": "0a", "key": "0b"})
        first = pool.workers[0].child
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: pool.workers[0].child not in (None, first))
        assert ends == [("worker0", -signal.SIGKILL)]
        assert len(calls.cancel_keys) == 0
        assert pool.workers[0].restarts == 1
        assert pool.workers[1].restarts == 0

    play(scenario, places, tmp_path, policy_directory)


@pytest.mark.usefixtures("sources")
def test_a_worker_that_hangs_is_replaced(
    places: Places, tmp_path: Path, policy_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "PULSE_SECONDS", 0.3)

    async def scenario(pool: Pool, ends: list[tuple[str, int]], _: WorkerCalls) -> None:
        assert pool.workers[1].child is not None
        os.kill(pool.workers[1].child.pid, signal.SIGSTOP)
        assert not await pool.pulse()
        await until(lambda: pool.workers[1].restarts == 1 and pool.workers[1].child is not None)
        assert ends == [("worker1", -signal.SIGKILL)]

    play(scenario, places, tmp_path, policy_directory)


@pytest.mark.usefixtures("sources")
def test_a_worker_that_is_still_starting_is_not_asked_and_gets_no_old_policy(
    places: Places, tmp_path: Path, policy_directory: Path
) -> None:
    async def scenario(pool: Pool, ends: list[tuple[str, int]], _: WorkerCalls) -> None:
        pool._ready["worker0"].clear()
        assert (await pool.stats())["flows"] == 2
        assert not await pool.pulse()
        assert ends == []
        await pool.push_policy({"policy": {"name": "new"}})
        await until(lambda: ends != [])
        assert ends == [("worker0", -signal.SIGKILL)]
        await pool.all_ready()

    play(scenario, places, tmp_path, policy_directory)


@pytest.mark.usefixtures("sources")
def test_a_worker_that_never_gets_ready_is_replaced(
    places: Places, tmp_path: Path, policy_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(pool: Pool, ends: list[tuple[str, int]], _: WorkerCalls) -> None:
        pool._ready["worker0"].clear()
        monkeypatch.setattr(pool_module, "START_SECONDS", 0.0)
        assert not await pool.pulse()
        await until(lambda: ends != [])
        monkeypatch.undo()

    play(scenario, places, tmp_path, policy_directory)


@pytest.mark.usefixtures("sources")
def test_a_worker_whose_channel_closed_is_ended(places: Places, tmp_path: Path, policy_directory: Path) -> None:
    async def scenario(pool: Pool, ends: list[tuple[str, int]], _: WorkerCalls) -> None:
        child = pool.workers[0].child
        assert isinstance(child, Worker)
        child.channel._sock.shutdown(socket.SHUT_RDWR)
        await until(lambda: ends != [])
        assert ends[0][0] == "worker0"

    play(scenario, places, tmp_path, policy_directory)
