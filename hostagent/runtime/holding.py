"""One held request of a flow: what the human is shown, what the client is told meanwhile, and the word that ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from hostagent.approvals.wire import Held
from hostagent.protocols.base import AskHuman, Session
from hostagent.protocols.postgres.approval import TOO_LARGE
from hostagent.runtime.waiting import Left, client_left
from hostagent.sql.template import template
from hostagent.ssh.operation import noun
from hostagent.values.decision import Decision, Verdict

if TYPE_CHECKING:
    from hostagent.runtime.flow import Flow


async def ask_humans(flow: Flow, session: Session, asked: AskHuman) -> None:
    """Let humans decide a request; the flow goes on with what they say, or ends when its client is gone."""
    leg = flow.client

    def waits(seconds: int, minimum: int) -> None:
        flow.guarded(lambda: session.notify(asked.decision, seconds, minimum))

    def gone() -> bool:
        return flow.ended_because is not None or session.withdrawn(asked.request) or client_left(leg.transport)

    final = await _answer(flow, asked, waits, gone)
    if final is None:
        if not session.withdrawn(asked.request):
            flow.end("the client left")
    elif flow.ended_because is None:
        flow.worker.gate.settle(flow.standing, asked.request, final)


async def _answer(
    flow: Flow, asked: AskHuman, waits: Callable[[int, int], None], gone: Callable[[], bool]
) -> Decision | None:
    """What they make of it; None when the client left before. `waits`, `gone`: see `Waiting.decide`."""
    request, decision = asked.request, asked.decision
    if asked.values is None:
        return Decision(decision.id, replace(decision.ruling, verdict=Verdict.DENY, reason=TOO_LARGE))
    held = Held(
        decision.id, flow.id, flow.actor, flow.target_name, request.text, asked.values,
        request.text if asked.exact else template(request.text) or request.text,
        tuple(decision.ruling.approval.split(",")),
        tuple(key.hex() for key in flow.cancel_keys),
        noun(decision.ruling.kinds),
    )  # fmt: skip
    try:
        return await flow.worker.waiting.decide(held, decision.ruling, waits, gone)
    except Left:
        return None
