"""A lookup: a question of ours to the server, asked between two messages of the client while its decision is awaited.

It goes through the extended protocol under names of our own, so that the client's unnamed statement and portal stay as
they are. Outside a batch (what a client has sent since its last Sync) it ends with Sync, within one with Flush: a Sync
there would end the client's implicit transaction. The answers never reach the client and are not recorded.
"""

from __future__ import annotations

from hostagent.protocols.postgres import messages

NAME = b"hostagent_lookup"
BATCH_FAILED = "an earlier statement of the batch failed"
MAX_ANSWER = 16 << 20  # bytes of one message of the answer; the catalog of some thousand partitions

_NO_PARAMETERS = bytes(6)  # no parameter formats, no parameters, text results
_AFTER = (
    messages.message(messages.BIND, NAME + b"\0" + NAME + b"\0" + _NO_PARAMETERS)
    + messages.message(messages.EXECUTE, NAME + b"\0" + bytes(4))
    + messages.message(messages.CLOSE, b"P" + NAME + b"\0")
    + messages.message(messages.CLOSE, b"S" + NAME + b"\0")
)
_SYNC = messages.message(messages.SYNC, b"")
_FLUSH = messages.message(messages.FLUSH, b"")


class Lookup:
    """One question. `left` answers are outstanding; `within`: it is asked within a batch of the client. `idle`: the
    server has said behind it that no transaction is open."""

    __slots__ = ("error", "idle", "left", "sqlstate", "value", "within")

    def __init__(self, within: bool) -> None:
        self.within = within
        self.left = 0
        self.value: str | None = None
        self.error = ""
        self.sqlstate = ""
        self.idle = False

    def messages(self, question: bytes) -> bytes:
        """What is sent. The codec of `question` is the session's."""
        return messages.parse(NAME, question) + _AFTER + (_FLUSH if self.within else _SYNC)
