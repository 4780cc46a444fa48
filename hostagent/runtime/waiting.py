"""Waiting: statements of one worker that are held until a human has answered. The data path beside them goes on.

    decide ──approval.ask──▶ supervisor ──(acknowledged: the client is told)── … ──approval.answered──▶ its Decision

Rules
1.  Whatever is not an approval of the supervisor denies: no answer in time, a lost channel, an answer that is unknown.
2.  A client that hangs up or whose flow ends withdraws its request; an answer that comes after that is not taken.
3.  A statement that was planned without being asked about (Parse) is asked about whenever it is bound; EXECUTE of SQL,
    which would run it unasked, is refused in such a session (`AskedWhenRun`).
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from hostagent.approvals.wire import Held, to_json
from hostagent.protocols.base import Phase, Request
from hostagent.runtime.channel import ChannelError
from hostagent.values.decision import Decision, Ruling, Verdict

LOOK_SECONDS = 1.0  # between two looks whether the client is still there
GRACE_SECONDS = 10.0  # beyond the request's own end: the supervisor's word on it comes first

FUNCTION_CALL = "a FunctionCall message cannot be shown to a human: send the call as a statement"
EXECUTE = "EXECUTE is refused here: a statement was prepared in this session of which a human must approve each run"

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Left(Exception):
    """The client is gone: there is nobody to answer."""


class Waiting:
    """What one worker holds."""

    def __init__(self, call: Call) -> None:
        """`call` asks the supervisor; it raises ChannelError."""
        self._call = call
        self._held: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._approved: set[str] = set()  # flows that a grant may end

    def __len__(self) -> int:
        return len(self._held)

    async def decide(
        self, held: Held, ruling: Ruling, waits: Callable[[int, int], None], gone: Callable[[], bool]
    ) -> Decision:
        """Ask, wait, and give what comes of it: a Decision that allows or denies. Raises Left.

        `waits(seconds, minimum)` is called once when humans are asked; `gone()` says whether the client has hung up.
        """
        future = self._held[held.id] = asyncio.get_running_loop().create_future()
        settled = False
        try:
            answer = await self._call("approval.ask", to_json(held))
            if answer["state"] == "waiting":
                waits(answer["seconds"], answer["minimum"])
                answer = await self._answer(future, answer["seconds"] + GRACE_SECONDS, gone)
            settled = True
        except ChannelError as error:
            answer = {"state": "refused", "reason": error.what}
        finally:
            del self._held[held.id]
            if not settled:
                await self._withdraw(held.id)
        if answer["state"] == "approved":
            self._approved.add(held.flow)
        return Decision(held.id, _final(ruling, answer))

    async def answered(self, args: dict[str, Any]) -> dict[str, Any]:
        """The supervisor's call `approval.answered`; whether anybody still waited for it."""
        future = self._held.get(str(args["id"]))
        if future is None or future.done():
            return {"taken": False}
        future.set_result(args)
        return {"taken": True}

    async def flow_ended(self, flow: str) -> None:
        """A flow ended by itself; nothing for one that no human approved anything of."""
        if flow in self._approved:
            self._approved.discard(flow)
            with contextlib.suppress(ChannelError):
                await self._call("approval.flow_ended", {"flow": flow})

    async def _answer(
        self, future: asyncio.Future[dict[str, Any]], most: float, gone: Callable[[], bool]
    ) -> dict[str, Any]:
        end = asyncio.get_running_loop().time() + most
        while not future.done():
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                raise ChannelError("nobody answered in time")
            if gone():
                raise Left
            await asyncio.wait([future], timeout=min(LOOK_SECONDS, left))
        return future.result()

    async def _withdraw(self, request: str) -> None:
        with contextlib.suppress(ChannelError):  # then the supervisor is gone, and its queue with it
            await asyncio.shield(self._call("approval.withdraw", {"id": request, "why": "the client left"}))


class AskedWhenRun:
    """One flow's prepared statements that need a human: `ruling` before each decision of the gate is answered."""

    __slots__ = ("_prepared",)

    def __init__(self) -> None:
        self._prepared = False

    def ruling(self, request: Request, ruling: Ruling) -> Ruling:
        """The ruling as it holds for this request of this flow; the same one for almost all."""
        if ruling.verdict is Verdict.APPROVE:
            if request.function_oid is not None:
                return replace(ruling, verdict=Verdict.DENY, reason=FUNCTION_CALL, approval="")
            if request.phase is Phase.PREPARE:
                self._prepared = True
                return replace(ruling, verdict=Verdict.ALLOW, reason="a human is asked when it is bound", approval="")
        elif self._prepared and "execute" in ruling.kinds and ruling.verdict.forwards:
            return replace(ruling, verdict=Verdict.DENY, reason=EXECUTE, would=None)
        return ruling


def client_left(transport: asyncio.Transport) -> bool:
    """Whether the peer of a client leg is gone. A channel within another flow has no socket: it says so itself."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    return transport.is_closing() if sock is None else hung_up(sock)


def hung_up(sock: socket.socket) -> bool:
    """Whether the peer has ended its side, also while unread bytes stand before the end and nobody reads them.

    An end behind more unread bytes than the socket buffers hold has not come yet, and is not seen.
    """
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


def _final(ruling: Ruling, answer: dict[str, Any]) -> Ruling:
    reason, by = str(answer.get("reason", "")), str(answer.get("by", ""))
    if answer["state"] == "approved":
        said = f"approved by {by}" + (f": {reason}" if reason and not reason.startswith("by ") else "")
        return replace(ruling, verdict=Verdict.ALLOW, reason=said, approval="")
    denied = f"denied by {by}" + (f": {reason}" if reason else "") if answer["state"] == "denied" and by else reason
    return replace(ruling, verdict=Verdict.DENY, reason=denied or "no human approved it", approval="")
