"""The steps of a flow that reach out: TLS on either leg, the connection to the upstream, a cancel key's meaning."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

from hostagent.errors import HostError
from hostagent.runtime.tls import Tls
from hostagent.upstream.verify import context_for

if TYPE_CHECKING:
    from hostagent.runtime.flow import Flow

log = logging.getLogger("hostagent.flow")

_FAILURES = {  # what the reasons below have in them → what failed
    " cannot be reached: ": "connect",
    "TLS to target ": "tls",
    "TLS with the upstream failed: ": "tls",
    "the upstream's certificate could not be verified: ": "tls",
    "the upstream connection was lost": "lost",
    "upstream leg: ": "lost",
}


async def start_client_tls(flow: Flow, hello: bytes) -> None:
    """TLS on the client leg, with a leaf for the name in its ClientHello."""
    try:
        context, flow.leaf_binding = await flow.worker.leaf_context(hello, flow.facts)
    except HostError as error:
        log.error("leaf_failed flow=%s error=%s", flow.id, error.what)
        flow.end("no certificate could be minted for the client leg")
        return
    flow.client.start_tls(Tls(context, server_side=True))


def start_upstream_tls(flow: Flow, early: bytes) -> None:
    """TLS on the upstream leg, verified as the target says."""
    facts = flow.facts
    try:
        context = context_for(facts.target, facts.client_pem)
        tls = Tls(context, server_side=False, server_name=facts.upstream_name)
    except (HostError, ssl.SSLError, ValueError) as error:
        facts.session.upstream_lost(f"TLS to target {facts.target.name} is not possible: {error}")
        return
    flow.upstream.start_tls(tls, early)


async def reach_upstream(flow: Flow) -> None:
    """Connect the upstream leg, unless the flow was refused."""
    facts = flow.facts
    if facts.refusal:
        flow.guarded(lambda: facts.session.upstream_lost(facts.refusal))
        return
    try:
        await flow.way.connect(facts.destination, flow.upstream)
    except OSError as error:
        reason = f"the upstream {facts.destination} cannot be reached: {error.strerror or 'no answer'}"
        flow.guarded(lambda: facts.session.upstream_lost(reason))
        return
    if flow.ended_because is not None:
        flow.upstream.abort()
    flow.guarded(facts.session.connected)


async def find_cancel_key(flow: Flow, issued: bytes) -> None:
    """Find what a cancel request means; the flow ends where it means nothing, and was all that the flow was for."""
    found = await flow.worker.find_cancel_key(flow.facts, issued)
    if found:
        flow.guarded(lambda: flow.facts.session.cancel_found(found))
    elif flow.facts.session.goes_on_without_cancel:
        flow.guarded(lambda: flow.facts.session.cancel_not_found(found is not None))
    else:
        flow.end("a cancel request with an unknown key" if found is None else "")


def why_lost(error: Exception | None) -> str:
    """Why the upstream leg ended, for the client."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the upstream's certificate could not be verified: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS with the upstream failed: {error.reason or 'handshake failure'}"
    return "" if error is None else "the upstream connection was lost"


def upstream_failure(reason: str) -> str:
    """What of an upstream failed when a flow ended for that reason: connect, tls, lost; empty for another reason."""
    return next((how for words, how in _FAILURES.items() if words in reason), "")
