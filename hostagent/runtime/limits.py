"""Limits of one worker: the gate asks `check` before a statement, the flow tells a `Tally` what comes of it.

No limit counts most statements: then `check` is a dictionary lookup, and nothing at all where the policy has no limits.
The supervisor is asked only when what was borrowed is used up; whoever cannot be lent to is denied.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from hostagent.limits.budgets import Key, Loan
from hostagent.limits.purse import Clock, Pocket, Purse, Tally
from hostagent.policy.limits import CompiledLimit, Hit, counted_as, limits_for
from hostagent.policy.model import Limit, Policy
from hostagent.policy.names import Schemas
from hostagent.runtime.channel import ChannelError
from hostagent.values.actor import Actor
from hostagent.values.decision import Ruling

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
MAX_MATCHED = 4096  # flows × rulings for which it is known which limits count them
MAX_TRIES = 3  # another flow may take what was just borrowed; after so many the statement is denied

Counted = tuple[tuple[CompiledLimit, str], ...]  # the limits of a flow, each with whom it counts


class Limits:
    """Counting for all flows of one worker."""

    def __init__(self, policy: Policy, call: Call, clock: Clock = time.time) -> None:
        """`call` asks the supervisor."""
        self._policy = policy
        self._call = call
        self._clock = clock
        self._purse = Purse(clock)
        self._returned: list[Pocket] = []
        # (flow's limits, ruling, schemas) → those that count; both are kept, so that their ids stay theirs
        self._matched: dict[tuple[int, int, Schemas], tuple[Counted, Ruling, list[tuple[Limit, str]]]] = {}
        self._borrowing: dict[Key, asyncio.Future[None]] = {}

    def replace_policy(self, policy: Policy) -> None:
        """Count by this policy from now on; what is held goes back with the next `tidy`."""
        self._policy = policy
        self._matched.clear()
        self._returned += self._purse.clear()

    def of_flow(self, actors: frozenset[str], target: str, actor: Actor) -> Counted:
        """The limits that may count what this flow does; found when its classes are."""
        if not self._policy.limits:
            return ()
        return tuple((found, counted_as(found.limit, actor)) for found in limits_for(self._policy, actors, target))

    def check(self, counted: Counted, ruling: Ruling, schemas: Schemas) -> Tally | Hit | list[Pocket] | None:
        """Whether a statement may go on. None: nothing counts it. A list: `await admit(…)` instead."""
        if not counted:
            return None
        key = (id(counted), id(ruling), schemas)
        kept = self._matched.get(key)
        if kept is None:
            if len(self._matched) >= MAX_MATCHED:
                self._matched.clear()
            limits = [(limit.limit, who) for limit, who in counted if limit.counts(ruling, schemas)]
            kept = self._matched[key] = (counted, ruling, limits)
        return self._purse.check(kept[2]) if kept[2] else None

    async def admit(self, counted: Counted, ruling: Ruling, schemas: Schemas) -> Tally | Hit | None:
        """As `check`, borrowing what it takes."""
        answer = self.check(counted, ruling, schemas)
        for _ in range(MAX_TRIES):
            if not isinstance(answer, list):
                return answer
            await self.borrow(answer)
            answer = self.check(counted, ruling, schemas)
        return Hit(answer[0].limit, answer[0].ends) if isinstance(answer, list) else answer

    async def borrow(self, pockets: list[Pocket]) -> None:
        """Borrow for these; who cannot be lent to is refused for a moment."""
        for pocket in pockets:
            under_way = self._borrowing.get(pocket.key)
            if under_way is not None:
                await under_way
                continue
            done = self._borrowing[pocket.key] = asyncio.get_running_loop().create_future()
            try:
                await self._borrow(pocket)
            finally:
                del self._borrowing[pocket.key]
                done.set_result(None)

    async def recalled(self, args: dict[str, Any]) -> dict[str, Any]:
        """The supervisor's call `limit.recall`: what is held of a key goes back."""
        key = Key(str(args["limit"]), str(args["who"]))
        return self._purse.recalled(key, int(args["window"]))._asdict()

    async def tidy(self) -> None:
        """Return what nobody uses; called every second or so."""
        pockets, self._returned = self._returned + self._purse.idle(), []
        await self._give_back(pockets)

    async def _borrow(self, pocket: Pocket) -> None:
        try:
            answer = await self._call("limit.borrow", _args(pocket, pocket.report()._asdict()))
            loan = Loan(int(answer["lent"]), int(answer["window"]), answer["ends"])
        except ChannelError:
            loan = Loan(0, pocket.window, pocket.ends)
        pocket.borrowed(loan, self._clock())

    async def _give_back(self, pockets: list[Pocket]) -> None:
        for pocket in pockets:
            if pocket.window:
                try:
                    await self._call("limit.give_back", _args(pocket, pocket.emptied()._asdict()))
                except ChannelError:
                    return  # the supervisor counts it as spent


def _args(pocket: Pocket, report: dict[str, Any]) -> dict[str, Any]:
    return {"limit": pocket.key.limit, "who": pocket.key.who, **report}
