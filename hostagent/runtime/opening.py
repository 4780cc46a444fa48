"""Opening a flow: who made it, where it goes, which target that is, and which session will understand it."""

from __future__ import annotations

import os
from asyncio import Transport
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hostagent.intake.destination import destination_of
from hostagent.policy.match import find_target
from hostagent.protocols.base import Credential, Session
from hostagent.protocols.postgres.config import PostgresConfig
from hostagent.protocols.postgres.scram_server import Verifier
from hostagent.protocols.postgres.session import PostgresSession
from hostagent.recording import event
from hostagent.recording.journal import RecordingError
from hostagent.runtime.channel import ChannelError
from hostagent.values.actor import Actor
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from hostagent.values.target import Target, UpstreamTls

if TYPE_CHECKING:
    from hostagent.runtime.worker import Worker

_NOWHERE = Target("", "postgres", UpstreamTls.OFF)  # for a client that is told, in its own protocol, that it may not
CANARY_ANSWER = b"hostagent: intercepted\n"


class Refused(Exception):
    """The flow is not opened. `reason` is for the event; the client sees its connection reset."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Login:
    """What a target is logged in to with, and what its clients must show. `client_pem`: our key and certificate."""

    credential: Credential | None = None
    placeholder: Verifier | None = None
    client_pem: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """An attributed flow. `refusal` is what the client is told in its own protocol instead of being connected."""

    actor: Actor
    target: Target
    destination: Endpoint
    context: event.FlowContext
    session: Session
    refusal: str = ""
    answer: bytes = b""
    client_pem: str = field(default="", repr=False)

    @property
    def upstream_name(self) -> str:
        """The name that the upstream's certificate must carry: the file's word, never the client's."""
        return self.target.server_name or self.destination.address


async def open_flow(worker: Worker, flow_id: FlowId, transport: Transport) -> Opened:
    """Attribute the connection and find its target. Raises Refused, after the refusal was recorded.

    A client that reset its connection before it was accepted took the 4-tuple with it: there is nothing to record.
    """
    try:
        key, destination = destination_of(transport.get_extra_info("socket"))
    except OSError as error:
        raise Refused(f"the client was gone before it was accepted: {error.strerror}") from None
    try:
        facts = await worker.attribute(key)
    except ChannelError as error:
        facts = {"denied": error.what}
    if "denied" in facts:
        context = event.FlowContext(flow_id, key, None, None)
        worker.gate.record(event.flow_refused(context, facts["denied"]))
        raise Refused(f"not attributed: {facts['denied']}")
    return await _opened(worker, flow_id, key, destination, facts)


async def _opened(
    worker: Worker, flow_id: FlowId, key: FlowKey, destination: Endpoint, facts: dict[str, Any]
) -> Opened:
    actor, policy = Actor.from_json(facts["actor"]), worker.gate.policy
    target = find_target(policy, destination, frozenset(facts["names"]))
    context = event.FlowContext(flow_id, key, actor, target)
    canary = [destination.address, destination.port] in worker.settings["canary"]
    refusal, login = "", Login()
    if target is None:
        refusal = f"denied: no target of the policy covers {destination}"
        target = _NOWHERE
    elif target.login:
        try:
            login = await worker.login(target.name)
        except ChannelError as error:
            refusal = f"denied: {error.what}"
    try:
        refused = refusal and not canary
        worker.journal.append(event.flow_refused(context, refusal) if refused else event.flow_opened(context))
    except RecordingError as error:
        raise Refused(f"not recorded: {error.what}") from None
    session = PostgresSession(_config(worker, target, login))
    answer = CANARY_ANSWER if canary else b""
    return Opened(actor, target, destination, context, session, refusal, answer, login.client_pem)


def _config(worker: Worker, target: Target, login: Login) -> PostgresConfig:
    return PostgresConfig(
        target=target.name,
        upstream_tls=target.tls,
        client_tls=True,
        random_bytes=os.urandom,
        credential=login.credential,
        salted=worker.salted_passwords,
        placeholder=login.placeholder,
    )
