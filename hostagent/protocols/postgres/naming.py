"""Describe, Execute and Close: messages that name a statement or portal, and what will answer them."""

from __future__ import annotations

from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.asked import MAX_NAME, NAME_TOO_LONG
from hostagent.protocols.postgres.conversation import Conversation
from hostagent.protocols.postgres.denial import Denial
from hostagent.protocols.postgres.messages import DESCRIBE, EXECUTE
from hostagent.protocols.postgres.queue import Awaited, Expected, Undo

_STATEMENT, _PORTAL = 0x53, 0x50  # S P


def expected(conversation: Conversation, kind: int, body: bytes) -> Expected | Denial | None:
    """The answer to expect, or a denial; None where the server has to confirm first what the name means to it.

    Raises PeerError for a malformed body.
    """
    conversation.in_batch = True
    what, name = (_PORTAL, messages.execute_body(body)) if kind == EXECUTE else messages.name_body(body)
    if len(name) > MAX_NAME:
        return NAME_TOO_LONG
    if kind == EXECUTE:
        return _execute(conversation, name)
    if kind == DESCRIBE:
        item = Expected(Awaited.DESCRIBE)
        described = conversation.statements.get(name) if what == _STATEMENT else conversation.portals.get(name)
        if described is not None and (described.settled or described.batch == conversation.syncs):
            item.shape = described.shape
        return item
    if what == _STATEMENT:
        return Expected(Awaited.CLOSE, undo=Undo(conversation.statements, name, None))
    return Expected(Awaited.CLOSE, undo=Undo(conversation.portals, name, None))


def _execute(conversation: Conversation, name: bytes) -> Expected | Denial | None:
    run = conversation.portals.get(name)
    if run is None:
        return Denial("34000", f'portal "{name.decode("utf-8", "replace")}" does not exist')
    if not run.settled and run.batch != conversation.syncs:
        return None
    conversation.reading_changes = conversation.reading_changes or run.lexical
    return Expected(Awaited.EXECUTE, run)
