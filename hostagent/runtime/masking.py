"""Masking a statement before it is sent: the analyzer rewrites it, and the session is asked what the server has.

    rewrite ──NeedsMore──▶ look up in the client's own session ──▶ rewrite … ──▶ Rewritten: sent in its place
                                                                             └─▶ Unsafe: denied, with what to write

Rules
1.  Whatever is no Rewritten denies: no answer, no catalog, too many rounds. In `observe` too: a mask is no rule.
2.  What a catalog said holds for CATALOG_SECONDS, and no longer than until a statement of this worker may have changed
    it; others' changes are seen after that time.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from hostagent.protocols.base import LookedUp, Request
from hostagent.protocols.postgres.denial import FAILED_TRANSACTION
from hostagent.sql.client import rewrite
from hostagent.sql.masking.query import catalog_query
from hostagent.sql.masking.values import Masks, Rewritten, Unsafe
from hostagent.values.decision import Ruling, Verdict

CATALOG_SECONDS = 10.0
MAX_ROUNDS = 6  # the names, what they are made of, and views upon views
LOOKUP_DEADLINE = 10.0  # seconds for the server to answer a question of ours
REWRITE_DEADLINE = 5.0  # seconds a round

CHANGING = frozenset({"create", "alter", "drop", "do", "call", "role", "system", "maintenance", "function_call"})
FUNCTION_CALL = "a FunctionCall message cannot be masked: send the call as a statement"
ABORTED = "current transaction is aborted, commands ignored until end of transaction block"


class LookupFailed(Exception):
    """The server could not be asked; the text says why, `sqlstate` in the server's words where it refused."""

    def __init__(self, why: str, sqlstate: str = "") -> None:
        self.sqlstate = sqlstate
        super().__init__(why)


class Lookup:
    """The answer to a question to the server that one flow waits for."""

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(self) -> str:
        """The value. Raises LookupFailed."""
        try:
            async with asyncio.timeout(LOOKUP_DEADLINE):
                return await self._answer
        except TimeoutError:
            raise LookupFailed(f"no answer within {LOOKUP_DEADLINE:g} s") from None

    def found(self, found: LookedUp) -> None:
        """The session has it, or has ended; nothing when it was there before."""
        if self._answer.done():
            return
        if found.value is None:
            self._answer.set_exception(LookupFailed(found.error or "the answer is empty", found.sqlstate))
        else:
            self._answer.set_result(found.value)


class Asked(Protocol):
    """What masking needs of a flow."""

    async def look_up(self, question: str) -> str: ...


async def masked(analyzer: str, flow: Asked, request: Request, ruling: Ruling, masks: Masks) -> Ruling:
    """The ruling with the text to send, or a denial."""
    if request.function_oid is not None:
        return _denied(ruling, FUNCTION_CALL)
    catalog = ""
    for _ in range(MAX_ROUNDS):
        result = await rewrite(analyzer, request.text, catalog, masks, REWRITE_DEADLINE)
        if isinstance(result, Rewritten):
            return replace(
                ruling, rewritten=result.text, masked=result.masked, forbidden=result.forbidden, lasting=result.lasting
            )
        if isinstance(result, Unsafe):
            return _denied(ruling, result.reason, result.fix)
        try:
            catalog = await flow.look_up(catalog_query(result.needs))
        except (LookupFailed, ValueError) as error:
            if isinstance(error, LookupFailed) and error.sqlstate == FAILED_TRANSACTION:
                return replace(_denied(ruling, ""), reason=ABORTED, sqlstate=FAILED_TRANSACTION)
            return _denied(ruling, f"the catalog could not be read: {error}")
    return _denied(ruling, "its views are nested too deeply")


def _denied(ruling: Ruling, reason: str, fix: str = "") -> Ruling:
    said = f"columns are masked here: {reason}" + (f"; {fix}" if fix else "")
    return replace(ruling, verdict=Verdict.DENY, rule="", reason=said, would=None, approval="")
