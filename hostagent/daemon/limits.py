"""Counting over all workers, on the supervisor's side: budgets behind the channel, and runs that have ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from hostagent.daemon.policies import PolicyInForce
from hostagent.limits.budgets import Budgets, Key, Report
from hostagent.policy.model import Limit
from hostagent.runtime.channel import ChannelError, Handler

TIDY_SECONDS = 10.0  # how late the end of a run may be noticed
MAX_WHO = 4096  # characters of a unit or a cgroup path

Arguments = dict[str, Any]
Tell = Callable[[str, str, Arguments], Awaitable[Arguments]]  # (worker, operation, arguments); raises ChannelError


class Counting:
    """Lends to the workers what limits let through."""

    def __init__(self, policies: PolicyInForce, tell: Tell, cgroups: Path) -> None:
        """`tell` calls a worker; `cgroups` is where cgroup v2 is mounted."""
        self._policies = policies
        self._tell = tell
        self._cgroups = cgroups
        self.budgets = Budgets()

    def handlers(self, worker: str) -> Mapping[str, Handler]:
        """The operations of the channel, as one worker sees them."""

        async def borrow(args: Arguments) -> Arguments:
            return await self._borrow(worker, args)

        async def give_back(args: Arguments) -> Arguments:
            self.budgets.give_back(worker, _key(args), _report(args))
            return {}

        return {"limit.borrow": borrow, "limit.give_back": give_back}

    async def run(self) -> None:
        """Forget runs whose cgroup is gone, until cancelled."""
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            self.tidy()

    def tidy(self) -> None:
        """Forget runs whose cgroup is gone."""
        for cgroup in self.budgets.runs():
            if not (self._cgroups / cgroup.lstrip("/")).is_dir():
                self.budgets.forget_run(cgroup)

    async def _borrow(self, worker: str, args: Arguments) -> Arguments:
        key, report, limit = _key(args), _report(args), self._limit(str(args["limit"]))
        loan = self.budgets.borrow(worker, limit, key.who, report, time.time())
        if not loan.lent:
            holders, window = self.budgets.lenders(worker, key)
            if holders:
                await asyncio.gather(*(self._recall(holder, key, window) for holder in holders))
                loan = self.budgets.borrow(worker, limit, key.who, Report(0, 0, window), time.time())
        return loan._asdict()

    async def _recall(self, holder: str, key: Key, window: int) -> None:
        with contextlib.suppress(ChannelError):  # then it keeps what it holds until the window ends, or it does
            answer = await self._tell(holder, "limit.recall", {"limit": key.limit, "who": key.who, "window": window})
            self.budgets.give_back(holder, key, _report(answer))

    def _limit(self, name: str) -> Limit:
        for limit in self._policies.current.limits:
            if limit.name == name:
                return limit
        raise ValueError(f"the policy in force has no limit {name!r}")


def _key(args: Arguments) -> Key:
    who = str(args["who"])
    if len(who) > MAX_WHO:
        raise ValueError("an actor is counted by its unit or its cgroup")
    return Key(str(args["limit"]), who)


def _report(args: Arguments) -> Report:
    return Report(int(args["spent"]), int(args["released"]), int(args["window"]))
