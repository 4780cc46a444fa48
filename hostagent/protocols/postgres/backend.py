"""The server's direction after the login: answers are matched with what was asked and passed on as they came.

Nothing is rebuilt; only a net overwrites, byte for byte. Headers are scanned; a run of messages that pass goes out as
one slice, and a chunk in which all pass goes out as that chunk. A message is held until it is whole only where its body
is looked at, which with a net includes rows up to 1 MiB; everything else of any size streams through. What the head of
the queue does not expect is a `PeerError`.
"""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.base import Leg, LookedUp
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.conversation import Conversation
from hostagent.protocols.postgres.denial import SYNTAX_ERROR, Refused
from hostagent.protocols.postgres.lookup import BATCH_FAILED, MAX_ANSWER, Lookup
from hostagent.protocols.postgres.messages import (
    COMMAND_COMPLETE,
    COPY_DATA,
    DATA_ROW,
    ERROR,
    HEADER_SIZE,
    MAX_LENGTH,
    NOTICE,
    NOTIFICATION,
    PARAMETER_STATUS,
    READY,
    ROW_DESCRIPTION,
    length_at,
)
from hostagent.protocols.postgres.net import MAX_HELD, Stream
from hostagent.protocols.postgres.queue import Awaited, Expected, ends_with_ready
from hostagent.protocols.postgres.sealed import as_promised, rebuilt

_RUNS: Final = 1 << Awaited.QUERY | 1 << Awaited.EXECUTE
_STREAMED: Final = {  # message → the items that it may answer, a bit each
    messages.ROW_DESCRIPTION: 1 << Awaited.QUERY | 1 << Awaited.DESCRIBE,
    messages.PARAMETER_DESCRIPTION: 1 << Awaited.DESCRIBE,
    messages.CALL_RESULT: 1 << Awaited.CALL,
    messages.COPY_OUT: _RUNS,
    messages.COPY_DONE: _RUNS,
    messages.NO_DATA: 1 << Awaited.DESCRIBE,
    messages.PARSE_COMPLETE: 1 << Awaited.PARSE,
    messages.BIND_COMPLETE: 1 << Awaited.BIND,
    messages.CLOSE_COMPLETE: 1 << Awaited.CLOSE,
    messages.EMPTY_QUERY: _RUNS,
    messages.PORTAL_SUSPENDED: 1 << Awaited.EXECUTE,
    messages.COPY_IN: _RUNS,
}
_EXPECTED: Final = bytes(_STREAMED.get(kind, 0) for kind in range(256))
_ANSWERS: Final = frozenset({  # those that end their item, when it is not one that ends with ReadyForQuery
    messages.ROW_DESCRIPTION, messages.NO_DATA, messages.PARSE_COMPLETE, messages.BIND_COMPLETE,
    messages.CLOSE_COMPLETE, messages.EMPTY_QUERY, messages.PORTAL_SUSPENDED,
})  # fmt: skip
_ENDS: Final = bytes(kind in _ANSWERS for kind in range(256))


class Backend:
    """Reads the server's bytes; `feed` may be called with any chunks."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._session = conversation.session
        self._queue = conversation.queue
        self._inbox = Inbox()
        self._start = 0  # of what passes and was not put out yet
        self._left = 0  # bytes of a message whose header was read and which streams through
        self._stream: Stream | None = None  # the net over the rest of that message
        self._cut: Refused | None = None
        self._later: list[bytes] = []  # ours, for when no message is on its way
        self._counted = False  # a row was counted since the last CommandComplete

    def feed(self, chunk: bytes) -> None:
        """Take a chunk: pass on what may pass. Raises PeerError, or `Refused` when the session must end."""
        inbox = self._inbox
        inbox.feed(chunk)
        if self._cut is not None:
            self._finish_message(self._cut)
            return
        if not inbox.ready():
            return
        inbox.need = HEADER_SIZE
        self._start = inbox.pos
        if self._left:
            self._go_on()
        try:
            self._scan(inbox.data, inbox.pos, len(inbox.data))
        finally:
            self._pass(inbox.data, inbox.pos)
        if self._left:
            inbox.need = 1
        elif self._later:
            self._conversation.session.to_client += self._later
            self._later.clear()

    def cut_off(self, refused: Refused) -> None:
        """End the session with this error as soon as the message that is on its way is whole. Raises it then."""
        self._cut = refused
        self._finish_message(refused)

    def _finish_message(self, refused: Refused) -> None:
        inbox = self._inbox
        if self._left and inbox.pos < len(inbox.data):
            self._start = inbox.pos
            self._go_on()
            self._pass(inbox.data, inbox.pos)
        if not self._left:
            raise refused

    def _go_on(self) -> None:
        """With a message that streams: what of it is there passes."""
        inbox = self._inbox
        step = min(self._left, len(inbox.data) - inbox.pos)
        self._left -= step
        inbox.pos += step
        if self._stream is not None:
            self._put(self._stream.feed(inbox.data[inbox.pos - step : inbox.pos]))
            self._start = inbox.pos
            if not self._left:
                self._stream = None

    def interject(self, message: bytes) -> None:
        """Put a message of ours between those of the server."""
        if self._left:
            self._later.append(message)
        else:
            self._conversation.session.to_client.append(message)

    def _scan(self, data: bytes, pos: int, end: int) -> None:
        """Go through the messages in `data[pos:end]`; leaves `inbox.pos` behind the last one that was read."""
        inbox = self._inbox
        while end - pos >= HEADER_SIZE:
            kind, length = data[pos], length_at(data, pos)
            if self._conversation.lookups and kind not in (
                NOTICE,
                NOTIFICATION,
                PARAMETER_STATUS,
            ):  # they answer nothing
                taken = self._take_ours(data, pos, length, end)
                if taken == 0:
                    return
                if taken > 0:
                    inbox.pos = pos = self._start = taken
                    continue
            if kind in (DATA_ROW, COPY_DATA):
                inbox.pos = pos = self._rows(data, pos, end)
                if inbox.need > HEADER_SIZE:
                    return
                continue
            if not 4 <= length <= MAX_LENGTH:
                raise PeerError("a message of impossible length from the server")
            after = pos + 1 + length
            if not self._is_whole(kind, length):
                self._streamed(kind)
                if after > end:
                    self._left, after = after - end, end
                if self._conversation.net is not None and kind in (NOTICE, NOTIFICATION):
                    self._begin_stream(data, pos, length, after)
            elif after > end:
                if length > self._conversation.limits.server_message:
                    raise PeerError("a message from the server beyond the limit")
                inbox.need = after - pos
                return
            else:
                replacement = self._take_whole(kind, data[pos + HEADER_SIZE : after])
                if replacement is not None:
                    self._pass(data, pos)
                    self._put(replacement)
                    self._start = after
            inbox.pos = pos = after

    def _is_whole(self, kind: int, length: int) -> bool:
        if kind in (COMMAND_COMPLETE, READY, ERROR, PARAMETER_STATUS):
            return True
        if self._session.sealed and kind in (NOTICE, ROW_DESCRIPTION):
            return True
        if self._conversation.net is None:
            return False
        return kind in (NOTICE, NOTIFICATION, messages.COPY_OUT) and length <= MAX_HELD

    def _begin_stream(self, data: bytes, pos: int, length: int, stop: int) -> None:
        """A message that is too long to hold goes through the net as it comes; up to `stop` it is there."""
        net = self._conversation.net
        assert net is not None
        self._pass(data, pos + HEADER_SIZE)
        stream = net.stream(data[pos], length)
        self._put(stream.feed(data[pos + HEADER_SIZE : stop]))
        self._start = stop
        self._stream = stream if self._left else None

    def _netted(self, data: bytes, first: int, last: int, pos: int, end: int) -> int:
        """Rows from `first` up to `pos`, the last one at `last`, go through the net; gives where reading goes on."""
        net = self._conversation.net
        assert net is not None
        whole = last if pos > end else pos
        replacement = net.rows(data, first, whole)
        if replacement is not None:
            self._pass(data, first)
            self._put(replacement)
            self._start = whole
        if pos > end:
            self._left = pos - end
            self._begin_stream(data, last, length_at(data, last), end)
            return end
        if end - pos >= HEADER_SIZE and data[pos] in (DATA_ROW, COPY_DATA):
            self._inbox.need = length_at(data, pos) + 1  # held until it is whole
        return pos

    def _rows(self, data: bytes, pos: int, end: int) -> int:
        """Count the DataRow or CopyData messages from `pos` on; gives the position after the last that is there."""
        head = self._queue.head
        if head is None or head.run is None or not _RUNS >> head.awaited & 1:
            raise PeerError("a row from the server that nothing asked for")
        rows = total = 0
        first = begin = pos
        last = end - HEADER_SIZE
        while pos <= last:
            kind, length = data[pos], length_at(data, pos)
            if self._conversation.net is not None and length <= MAX_HELD and pos + 1 + length > end:
                break  # held until it is whole
            begin = pos
            if kind == DATA_ROW:
                rows += 1
            elif kind != COPY_DATA:
                break
            if not 4 <= length <= MAX_LENGTH:
                raise PeerError("a row of impossible length from the server")
            total += length
            pos += length + 1
        if self._conversation.net is not None:
            pos = self._netted(data, first, begin, pos, end)
        elif pos > end:
            self._left, pos = pos - end, end
        head.run.rows += rows
        head.run.bytes += total
        self._counted = self._counted or rows > 0
        return pos

    def _take_whole(self, kind: int, body: bytes) -> bytes | None:
        """A message that is looked at: what replaces it, or None to pass it on."""
        if kind == COMMAND_COMPLETE:
            self._command_complete(body)
        elif kind == READY:
            self._ready(body)
        elif kind == ERROR:
            return self._error(body)
        elif kind == PARAMETER_STATUS:
            self._conversation.settings.status(*messages.parameter_status(body))
        elif kind == messages.NOTICE and self._session.sealed:
            return rebuilt(messages.NOTICE, messages.error_fields(body))
        elif kind in (NOTICE, NOTIFICATION):
            return self._seen(kind, body)
        elif kind == messages.COPY_OUT:
            self._streamed(kind)
            if self._conversation.net is not None:
                self._conversation.net.copy_out(body)
        else:
            self._row_description(body)
        return None

    def _seen(self, kind: int, body: bytes) -> bytes | None:
        net = self._conversation.net
        replacement = None if net is None else net.message(kind, body)
        return None if replacement is None else messages.message(kind, replacement)

    def _row_description(self, body: bytes) -> None:
        """Masks are in force: columns must be those that were promised, and none that the catalog said is masked."""
        head = self._queue.head
        promised = None if head is None else head.shape
        self._streamed(messages.ROW_DESCRIPTION)
        if not self._session.forbidden.isdisjoint(messages.origins(body)):
            raise Refused("42501", "denied by policy: the server answered with a masked column")
        if promised is not None and not as_promised(messages.column_names(body), promised):
            raise Refused("42501", "denied by policy: the server answered with other columns than the statement names")

    def _take_ours(self, data: bytes, pos: int, length: int, end: int) -> int:
        """Take a message that answers a lookup. Gives the position behind it, 0 for "need more", -1 for not ours."""
        head = self._queue.head
        if head is None or head.lookup is None:
            return -1
        if not 4 <= length <= MAX_ANSWER:
            raise PeerError("an answer of impossible length from the server")
        after = pos + 1 + length
        if after > end:
            self._inbox.need = after - pos
            return 0
        self._pass(data, pos)
        self._answer(head.lookup, data[pos], data[pos + HEADER_SIZE : after])
        return after

    def _answer(self, lookup: Lookup, kind: int, body: bytes) -> None:
        if kind == messages.ERROR:
            fields = messages.error_fields(body)
            lookup.sqlstate = fields.get("C", "")
            lookup.error = f"{fields.get('M', '')[:200]} ({lookup.sqlstate})"
            self._dropped(self._queue.skip()[0])
            if lookup.within:  # the server skips to the client's Sync: the client has to see why
                self._conversation.skipping = True
                self._put(messages.error_response("ERROR", "42501", f"the catalog could not be read: {lookup.error}"))
        elif kind == DATA_ROW:
            value = messages.first_column(body)
            lookup.value = None if value is None else value.decode(self._conversation.settings.codec, "replace")
        elif kind == messages.READY:
            self._ready(body)
            lookup.idle = body == b"I"
            self._answered(lookup)
        elif kind in _ANSWERS or kind == messages.COMMAND_COMPLETE:
            self._queue.pop()
            self._answered(lookup)
        else:
            raise PeerError(f"an unexpected message {chr(kind)!r} from the server")

    def _dropped(self, items: list[Expected]) -> None:
        """The server skips these after an error."""
        for item in items:
            if item.lookup is not None:
                item.lookup.error = item.lookup.error or BATCH_FAILED
                self._answered(item.lookup)

    def _answered(self, lookup: Lookup) -> None:
        lookup.left -= 1
        if lookup.left == 0:
            self._conversation.lookups -= 1
            self._session.commands.append(
                LookedUp(None if lookup.error else lookup.value, lookup.error, lookup.sqlstate, lookup.idle)
            )

    def _streamed(self, kind: int) -> None:
        """A message whose body is not looked at: is it expected, and what does it end?"""
        if kind in (NOTICE, NOTIFICATION):
            return
        head = self._queue.head
        if head is None or not _EXPECTED[kind] >> head.awaited & 1:
            raise PeerError(f"an unexpected message {chr(kind)!r} from the server")
        if kind == messages.COPY_IN:
            self._copy_in(head)
        elif _ENDS[kind] and not ends_with_ready(head.awaited):
            self._done(head)

    def _copy_in(self, head: Expected) -> None:
        if not self._queue.swallow_syncs():
            raise PeerError("the client sent other messages where COPY data belongs")
        self._conversation.copy_run = head.run

    def _done(self, head: Expected) -> None:
        """The head has its answer."""
        self._counted = False
        self._queue.pop()
        if head.undo is not None:
            head.undo.settle()
        if head.run is not None and head.awaited != Awaited.BIND:
            self._conversation.finish(head.run)

    def _command_complete(self, body: bytes) -> None:
        head = self._queue.head
        if head is None or head.run is None or not _RUNS >> head.awaited & 1:
            raise PeerError("an unexpected CommandComplete from the server")
        if self._counted:
            self._counted = False
        else:
            head.run.rows += messages.affected_rows(body[:-1])
        self._conversation.copy_run = None
        self._queue.swallowed = 0
        if head.awaited == Awaited.EXECUTE:
            self._done(head)

    def _ready(self, body: bytes) -> None:
        if len(body) != 1 or body not in (b"I", b"T", b"E"):
            raise PeerError("a malformed ReadyForQuery from the server")
        conversation = self._conversation
        head = self._queue.head
        if head is None and self._queue.swallowed:
            self._queue.swallowed -= 1
            return
        if head is None or not ends_with_ready(head.awaited):
            raise PeerError("a ReadyForQuery from the server that nothing asked for")
        self._queue.pop()
        conversation.copy_run = None
        if head.run is not None:
            conversation.finish(head.run)
        if self._queue.head is None:
            conversation.reading_changes = False
            if body == b"I" and len(conversation.portals):
                conversation.portals.clear()

    def _error(self, body: bytes) -> bytes | None:
        fields = messages.error_fields(body)
        code = fields.get("C", "")
        conversation = self._conversation
        conversation.copy_run = None
        self._counted = False
        head = self._queue.head
        if head is None:
            return rebuilt(messages.ERROR, fields) if self._session.sealed else self._seen(messages.ERROR, body)
        if ends_with_ready(head.awaited):
            if head.run is not None:
                head.run.error = head.run.error or code
        else:
            dropped, synced = self._queue.skip()
            conversation.skipping = conversation.skipping or not synced
            for item in dropped:
                if item.run is not None and not item.run.told:
                    item.run.error = code
                    conversation.finish(item.run)
            self._dropped(dropped)
        if head.denial is not None and code == SYNTAX_ERROR:
            return head.denial.response()
        return rebuilt(messages.ERROR, fields) if self._session.sealed else self._seen(messages.ERROR, body)

    def _pass(self, data: bytes, stop: int) -> None:
        if stop > self._start:
            whole = self._start == 0 and stop == len(data)  # as it came: bulk is not copied
            self._put(data if whole else data[self._start : stop])
            self._start = stop

    def _put(self, data: bytes) -> None:
        if not data:
            return
        self._session.to_client.append(data)
        self._session.captured.append((Leg.UPSTREAM, data))
