"""Our own questions to the server: one at a time, while the decision on a request of the client is awaited."""

from __future__ import annotations

from typing import Final

from hostagent.protocols.base import LookedUp
from hostagent.protocols.postgres.conversation import Conversation
from hostagent.protocols.postgres.lookup import BATCH_FAILED, Lookup
from hostagent.protocols.postgres.queue import Awaited, Expected

_AWAITED: Final = (Awaited.PARSE, Awaited.BIND, Awaited.EXECUTE, Awaited.CLOSE, Awaited.CLOSE)


class Questions:
    """Sends a question when it may go: within a batch of the client at once, else when all is answered.

    Outside a batch the server may be about to read COPY data, and would take the question for part of it.
    """

    __slots__ = ("_conversation", "_question")

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._question = ""

    def ask(self, question: str) -> None:
        """Put a question. Nothing of the client's may be put out after this and before its answer."""
        self._question = question
        self.resume()

    def resume(self) -> None:
        """Send what waits, if it may go now."""
        conversation = self._conversation
        queue = conversation.queue
        if not self._question or conversation.closed or (queue.head is not None and not conversation.in_batch):
            return
        if conversation.in_batch and conversation.skipping:  # until Sync the server would not even read it
            self._question = ""
            conversation.session.commands.append(LookedUp(None, BATCH_FAILED))
            return
        lookup = Lookup(conversation.in_batch)
        question, self._question = self._question.encode(conversation.settings.codec), ""
        conversation.session.to_upstream.append(lookup.messages(question))
        for awaited in _AWAITED if lookup.within else (*_AWAITED, Awaited.SYNC):
            queue.append(Expected(awaited, lookup=lookup))
            lookup.left += 1
        conversation.lookups += 1
