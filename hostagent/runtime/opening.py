"""Opening a flow: who made it, where it goes, which target that is, and which session will understand it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hostagent.policy.match import find_target
from hostagent.protocols.base import Credential, Session
from hostagent.protocols.detect import Protocol, detect
from hostagent.protocols.mysql.config import MysqlConfig
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.protocols.postgres.config import PostgresConfig
from hostagent.protocols.postgres.scram_server import Verifier
from hostagent.protocols.postgres.session import PostgresSession
from hostagent.recording import event
from hostagent.recording.journal import RecordingError
from hostagent.runtime.channel import ChannelError
from hostagent.runtime.way import Refused
from hostagent.values.actor import Actor
from hostagent.values.flow import Endpoint
from hostagent.values.target import Target, UpstreamTls

if TYPE_CHECKING:
    from hostagent.runtime.flow import Flow
    from hostagent.runtime.worker import Worker

CANARY_ANSWER = b"hostagent: intercepted\n"
_PROTOCOLS = {Protocol.POSTGRES: "postgres", Protocol.SSH: "ssh"}
_SAID = {
    "postgres": " (the client speaks postgres)",
    "ssh": " (the client speaks ssh)",
    "mysql": " (the client waits for its server, as one of mysql does)",
}  # what the refusal says, and `policy suggest` reads


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


async def open_flow(flow: Flow) -> Opened:
    """Attribute the connection and find its target. Raises Refused, after the refusal was recorded."""
    worker = flow.worker
    counted = worker.gate.counted
    try:
        made = await flow.way.attributed(worker, flow.id, flow.client.transport)
    except Refused:
        counted.flow("", "unattributed")
        raise
    canary = [made.destination.address, made.destination.port] in worker.settings["canary"]
    refusal, login, spoken = "", Login(), ""
    target = find_target(worker.gate.policy, made.destination, made.names)
    if target is None and not canary:
        spoken = _spoken(await flow.way.first_bytes(flow.client))
        target = find_target(worker.gate.policy, made.destination, made.names, spoken)
    context = event.FlowContext(flow.id, made.key, made.actor, target)
    if made.through:
        context.describe({"through": made.through})
    if target is None:
        where = made.destination if made.destination.address else made.key.destination
        refusal = f"denied: no target of the policy covers {where}{_SAID.get(spoken, '')}"
    elif target.login:
        try:
            login = await worker.login(target.name)
        except ChannelError as error:
            refusal = f"denied: {error.what}"
    try:
        refused = refusal and not canary
        worker.journal.append(event.flow_refused(context, refusal) if refused else event.flow_opened(context))
    except RecordingError as error:
        counted.flow("", "unrecorded")
        raise Refused(f"not recorded: {error.what}") from None
    if not canary:
        counted.flow(target.name if target else "", _outcome(target, refusal))
    found = target or Target("", spoken or "postgres", UpstreamTls.OFF)
    host = found.server_name or made.destination.address or min(made.names, default="")
    session = await _session(flow, found, login, context, host, refusal)
    answer = CANARY_ANSWER if canary else b""
    return Opened(made.actor, found, made.destination, context, session, refusal, answer, login.client_pem)


def _outcome(target: Target | None, refusal: str) -> str:
    if target is None:
        return "no_target"
    return "no_credential" if refusal else "opened"


def _spoken(first: bytes) -> str:
    """The protocol of a client that begins with these bytes, empty for none that is known.

    One that says nothing waits for its server's greeting, as those of MySQL do.
    """
    if not first:
        return "mysql"
    found = detect(first)
    return _PROTOCOLS.get(found.protocol, "") if found is not None else ""


async def _session(
    flow: Flow, target: Target, login: Login, context: event.FlowContext, host: str, refusal: str
) -> Session:
    if target.protocol == "ssh":
        from hostagent.runtime.ssh.opening import ssh_session  # loaded when the first such flow comes

        return await ssh_session(flow, target, context, host, refusal)
    if target.protocol == "mysql":
        return MysqlSession(MysqlConfig(target.name, target.tls, login.credential, os.urandom))
    return PostgresSession(_config(flow.worker, target, login))


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
