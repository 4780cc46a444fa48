"""Masking a statement before it is sent: the analyzer rewrites it, and the session is asked what the server has.

    rewrite ──NeedsMore──▶ look up in the client's own session ──▶ rewrite … ──▶ Rewritten: sent in its place
                                                                             └─▶ Unsafe: denied, with what to write

Rules
1.  Whatever is no Rewritten denies: no answer, no catalog, too many rounds. In `observe` too: a mask is no rule.
2.  What a catalog said holds for CATALOG_SECONDS, and no longer than until a statement of this worker may have changed
    it; others' changes are seen after that time.
3.  Names mean the same to sessions of one user and search path. Of one that moved its path, took a role or made
    relations (it is on its own) only the server knows, so it is asked: once, where nothing can have moved since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from hostagent.protocols.base import LookedUp, Request
from hostagent.protocols.postgres.denial import FAILED_TRANSACTION
from hostagent.sql.client import rewrite
from hostagent.sql.masking.query import PLACE_QUERY, catalog_query
from hostagent.sql.masking.values import Masks, Needs, Rewritten, Unsafe
from hostagent.sql.mysql.masking.query import catalog_query as mysql_catalog_query
from hostagent.values.decision import Ruling, Verdict

CATALOG_SECONDS = 10.0
MAX_ROUNDS = 6  # the names, what they are made of, and views upon views
LOOKUP_DEADLINE = 10.0  # seconds for the server to answer a question of ours
REWRITE_DEADLINE = 5.0  # seconds a round

CHANGING = frozenset({"create", "alter", "drop", "do", "call", "role", "system", "maintenance", "function_call"})
STILL = frozenset({"delete", "insert", "select", "transaction", "update"})  # kinds that move no names
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
        self._answer: asyncio.Future[LookedUp] = asyncio.get_running_loop().create_future()

    async def answer(self) -> LookedUp:
        """The answer, with a value. Raises LookupFailed."""
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
            self._answer.set_result(found)


class Asked(Protocol):
    """What masking needs of a flow."""

    async def look_up(self, question: str) -> LookedUp: ...


@dataclass(frozen=True, slots=True)
class Place:
    """What names mean to a session on its own, in its server's words; known with that number of catalogs."""

    where: str
    catalog: int


class Placed(Protocol):
    """What says whether a flow is on its own."""

    apart: bool
    place: Place | None


@dataclass(frozen=True, slots=True)
class Found:
    """The ruling with the text to send, or a denial; and `kept`, where it may be remembered: the ruling with `pieces`
    in the place of the text.

    `where`: as `place_of`, after the server was asked. `idle`: no transaction was open when the catalog was read.
    `temporary`: the session has temporary relations.
    """

    ruling: Ruling
    kept: Ruling | None = None
    where: str | None = None
    idle: bool = False
    temporary: bool = False


def place_of(flow: Placed, request: Request, catalog: int) -> str | None:
    """What names mean to the session; None: what they do to all of its user and path; empty: its server must say.

    A server of MySQL cannot say: what is apart there stays unsettled, and nothing is remembered of it.
    """
    if request.mysql is not None or (request.schemas is not None and not flow.apart):
        return None
    place = flow.place
    return place.where if place is not None and place.catalog == catalog else ""


def may_move(ruling: Ruling) -> bool:
    """Whether what was ruled on may change what names mean, also at the end of a transaction that is open."""
    return bool(ruling.settings) or not STILL.issuperset(ruling.kinds)


async def masked(
    analyzer: str,
    flow: Asked,
    request: Request,
    ruling: Ruling,
    masks: Masks,
    where: str | None,
    recall: Callable[[LookedUp], Ruling | None],
) -> Found:
    """What becomes of the ruling. `where`: as `place_of`; `recall` gives what is kept where the server just said."""
    if request.function_oid is not None:
        return Found(_denied(ruling, FUNCTION_CALL))
    catalog = LookedUp("")
    for _ in range(MAX_ROUNDS):
        result = await rewrite(
            analyzer, request.text, catalog.value or "", masks, REWRITE_DEADLINE, mysql=request.mysql
        )
        if isinstance(result, Rewritten):
            return _found(ruling, result, where, catalog.idle)
        if isinstance(result, Unsafe):
            return Found(_denied(ruling, result.reason, result.fix), idle=catalog.idle)
        try:
            if where == "":
                answer = await flow.look_up(PLACE_QUERY)
                where = answer.value
                if (known := recall(answer)) is not None:
                    return Found(known, where=where)
            catalog = await flow.look_up(_question(request, result.needs))
        except (LookupFailed, ValueError) as error:
            if isinstance(error, LookupFailed) and error.sqlstate == FAILED_TRANSACTION:
                return Found(replace(_denied(ruling, ""), reason=ABORTED, sqlstate=FAILED_TRANSACTION))
            return Found(_denied(ruling, f"the catalog could not be read: {error}"))
    return Found(_denied(ruling, "its views are nested too deeply"))


def _question(request: Request, needs: Needs) -> str:
    return catalog_query(needs) if request.mysql is None else mysql_catalog_query(needs, request.mysql.flavor)


def _found(ruling: Ruling, result: Rewritten, where: str | None, idle: bool) -> Found:
    sent = replace(
        ruling, rewritten=result.text, masked=result.masked, forbidden=result.forbidden, shape=result.shape,
        constants=result.constants, derived=result.derived,
    )  # fmt: skip
    lasting = result.lasting and (where is not None or not result.temporary)
    kept = replace(sent, rewritten=None, pieces=result.pieces) if lasting else None
    return Found(sent, kept, where, idle, result.temporary)


def _denied(ruling: Ruling, reason: str, fix: str = "") -> Ruling:
    said = f"columns are masked here: {reason}" + (f"; {fix}" if fix else "")
    return replace(ruling, verdict=Verdict.DENY, rule="", reason=said, would=None, approval="")
