"""One held request of a flow: what the human is shown, what the client is told meanwhile, and the word that ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from hostagent.approvals.wire import Held
from hostagent.protocols.base import AskHuman
from hostagent.protocols.postgres.approval import TOO_LARGE
from hostagent.runtime.waiting import Left, Waiting
from hostagent.sql.template import template
from hostagent.values.actor import Actor
from hostagent.values.decision import Decision, Verdict
from hostagent.values.flow import FlowId


class Holder(Protocol):
    """What holding needs of a flow."""

    @property
    def id(self) -> FlowId: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def target_name(self) -> str: ...
    @property
    def cancel_keys(self) -> list[bytes]: ...


async def decision_of_humans(
    waiting: Waiting,
    flow: Holder,
    asked: AskHuman,
    waits: Callable[[int, int], None],
    gone: Callable[[], bool],
) -> Decision | None:
    """What humans make of a request; None when the client left before. `waits`, `gone`: see `Waiting.decide`."""
    request, decision = asked.request, asked.decision
    if asked.values is None:
        return Decision(decision.id, replace(decision.ruling, verdict=Verdict.DENY, reason=TOO_LARGE))
    held = Held(
        decision.id, flow.id, flow.actor, flow.target_name, request.text, asked.values,
        request.text if asked.exact else template(request.text) or request.text,
        tuple(decision.ruling.approval.split(",")),
        tuple(key.hex() for key in flow.cancel_keys),
    )  # fmt: skip
    try:
        return await waiting.decide(held, decision.ruling, waits, gone)
    except Left:
        return None
