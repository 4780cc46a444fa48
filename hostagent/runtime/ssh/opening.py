"""A session for an SSH flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostagent.recording import ssh_events
from hostagent.recording.event import FlowContext
from hostagent.runtime.channel import ChannelError
from hostagent.runtime.ssh.bridge import Bridge
from hostagent.runtime.ssh.identity import Identity
from hostagent.runtime.ssh.session import SshSession
from hostagent.runtime.way import Refused
from hostagent.values.target import Target

if TYPE_CHECKING:
    from hostagent.runtime.flow import Flow


async def ssh_session(flow: Flow, target: Target, context: FlowContext, host: str, refusal: str) -> SshSession:
    """A session; with a `refusal` one that says so and ends. Raises Refused when there is no host certificate."""
    flow.standing.words = ssh_events
    identity = flow.worker.identity
    if identity is None:
        identity = flow.worker.identity = Identity(flow.worker.channel)
    try:
        await identity.prepare()
    except ChannelError as error:
        raise Refused(f"no SSH host certificate: {error.what}") from None
    bridge = Bridge(flow, target, context, host, identity)
    bridge.session = session = SshSession(bridge, refusal)
    session.start()
    return session
