"""The client's direction after the login: what would run is asked about first, the rest is passed on.

Asked about (`Decide`): Query, Parse, Bind (with the text that was prepared) and FunctionCall. One question is out at
a time; meanwhile nothing more is read, so that order is kept. Two rules:

1. A message that is asked about stays in the inbox until the answer is there. Of a Bind only the names are waited
   for; its parameters then stream.
2. What is denied is replaced by a pill (`denial.py`), so that the server raises the error and its transaction state
   stays true. After a denied Parse or Bind the client's messages are dropped until Sync, as the server drops them.
"""

from __future__ import annotations

from typing import Final

from hostagent.approvals.values import Bound
from hostagent.errors import PeerError
from hostagent.protocols.base import AskHuman, Close, Decide, Leg, Phase, Request
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.approval import MAX_HELD, bind_values, not_approved
from hostagent.protocols.postgres.asked import (
    MAX_NAME,
    NAME_TOO_LONG,
    NOT_ENCODABLE,
    OUTDATED,
    TOO_EARLY,
    TOO_MANY,
    UNMASKED,
    Asked,
    unasked,
    with_raw,
    with_text,
)
from hostagent.protocols.postgres.conversation import Conversation
from hostagent.protocols.postgres.denial import (
    FAILED_TRANSACTION,
    PILL_PARSE,
    PILL_PARSE_UNNAMED,
    PILL_QUERY,
    Denial,
    unreadable,
)
from hostagent.protocols.postgres.messages import (
    BIND,
    CLOSE,
    COPY_DATA,
    COPY_DONE,
    COPY_FAIL,
    DESCRIBE,
    EXECUTE,
    FLUSH,
    FUNCTION_CALL,
    HEADER_SIZE,
    MAX_LENGTH,
    PARSE,
    QUERY,
    SYNC,
    TERMINATE,
)
from hostagent.protocols.postgres.naming import expected
from hostagent.protocols.postgres.passage import Passage
from hostagent.protocols.postgres.queue import Awaited, Expected, Run, Statement, Undo, ends_with_ready
from hostagent.values.decision import Decision

MAX_SMALL: Final = 1024  # bytes of a Describe, Close or Execute: a name and a few bytes
_KINDS: Final = frozenset({
    QUERY, PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, FLUSH, SYNC, FUNCTION_CALL, TERMINATE, COPY_DATA, COPY_DONE, COPY_FAIL
})  # fmt: skip
_KNOWN: Final = bytes(kind in _KINDS for kind in range(256))


class Frontend:
    """Reads the client's bytes from `inbox`; `run` goes as far as it can."""

    def __init__(self, conversation: Conversation, inbox: Inbox) -> None:
        self._conversation = conversation
        self._session = conversation.session
        self._queue = conversation.queue
        self._inbox = inbox
        self._asked: Asked | None = None
        self._held: Decision | None = None  # a Bind that a human must approve is not there whole yet
        self._number = 0
        self._passage = Passage(conversation.session, inbox)
        self.stalled = False  # waits for an answer of the server
        self._waits = False  # for more bytes of a message

    @property
    def held(self) -> bool:
        """Whether client bytes wait for a decision or for the server."""
        return (self._asked is not None and self._held is None) or self.stalled

    def run(self) -> None:
        """Read messages until more bytes, a decision or an answer of the server is needed. Raises PeerError."""
        self.stalled = False
        if self._held is not None:
            self._gather(self._held)
            return
        try:
            while self._asked is None and not self.stalled and not self._conversation.closed:
                if not self._step():
                    return
        finally:
            self._passage.put_out()

    def _step(self) -> bool:
        """Read one message, or what is there of one that streams; False when more bytes are needed."""
        inbox = self._inbox
        if self._passage.left:
            if not inbox.ready():
                return False
            self._passage.go_on()
            return True
        if len(inbox.data) - inbox.pos < HEADER_SIZE and not self._wait(HEADER_SIZE):
            return False
        kind, length = inbox.data[inbox.pos], messages.length_at(inbox.data, inbox.pos)
        if not 4 <= length <= MAX_LENGTH or not _KNOWN[kind]:
            raise PeerError("an unknown message or one of impossible length from the client")
        self._waits = False
        self._message(kind, length + 1)
        return not self._waits

    def decided(self, request: Request, decision: Decision) -> None:
        """The answer to the question that is out."""
        asked = self._asked
        if asked is None or asked.request.number != request.number:
            raise ValueError("a decision that was not asked for")
        self._asked = self._held = None
        if self._conversation.skipping:
            self._conversation.unsent(request, decision, FAILED_TRANSACTION)
            self._passage.begin(asked.total, drop=True)
        elif request.wire == "unreadable":
            self._deny(asked, unreadable(request.text, decision))
        else:
            self._capture(asked, decision.ruling.text)
            if decision.forwards:
                self._forward(asked, decision)
            else:
                self._deny(asked, not_approved(decision))
        self.run()

    def hold(self, request: Request, decision: Decision) -> None:
        """A human must approve what the question is about: once it is there whole, `AskHuman`."""
        if self._asked is None or self._asked.request.number != request.number:
            raise ValueError("a decision that was not asked for")
        self._gather(decision)

    def _gather(self, decision: Decision) -> None:
        asked, inbox = self._asked, self._inbox
        assert asked is not None
        self._held = None
        values: tuple[Bound, ...] | None = ()
        if asked.total > MAX_HELD:
            values = None
        elif asked.kind == BIND:
            if not self._wait(asked.total):
                self._held = decision
                return
            body = inbox.data[inbox.pos + HEADER_SIZE : inbox.pos + asked.total]
            values = bind_values(body, self._conversation.settings.codec)
        self._session.commands.append(AskHuman(asked.request, decision, values))

    # --- reading ----------------------------------------------------------------------------------------------

    def _message(self, kind: int, total: int) -> None:
        conversation = self._conversation
        if conversation.copy_run is not None:
            self._during_copy(kind, total)
        elif conversation.skipping and kind != SYNC and kind != TERMINATE:
            self._passage.begin(total, drop=True)
        elif kind in (COPY_DATA, COPY_DONE, COPY_FAIL):
            if len(self._queue):
                self.stalled = True  # its COPY may be on the way; without one the server ignores it
            else:
                self._passage.begin(total, drop=True)
        elif len(self._queue) >= conversation.limits.in_flight and kind != TERMINATE:
            self.stalled = True
        elif kind in (QUERY, PARSE, FUNCTION_CALL) and conversation.reading_changes:
            self._read_too_early(kind, total)
        elif kind == BIND:
            self._bind(total)
        elif kind in (QUERY, PARSE, FUNCTION_CALL):
            self._text(kind, total)
        else:
            self._small(kind, total)

    def _read_too_early(self, kind: int, total: int) -> None:
        if (last := self._queue.last) is not None and ends_with_ready(last.awaited):
            self.stalled = True
        else:
            self._deny(unasked(kind, total), TOO_EARLY)

    def _during_copy(self, kind: int, total: int) -> None:
        conversation = self._conversation
        if kind in (COPY_DATA, COPY_DONE, COPY_FAIL):
            if conversation.copy_run is not None:
                conversation.copy_run.bytes += total - 1
            if kind != COPY_DATA:
                conversation.copy_run = None
            self._passage.begin(total, drop=False)
        elif kind in (SYNC, FLUSH):
            self._passage.begin(total, drop=True)  # the server ignores them there
        elif kind == TERMINATE:
            self._terminate()
        else:
            raise PeerError("a message from the client that does not belong into COPY data")

    def _text(self, kind: int, total: int) -> None:
        inbox = self._inbox
        if kind == FUNCTION_CALL:
            if total < HEADER_SIZE + 4:
                raise PeerError("a FunctionCall message that is too short")
            if self._wait(HEADER_SIZE + 4):
                oid = int.from_bytes(inbox.data[inbox.pos + 5 : inbox.pos + 9], "big")
                self._ask(kind, total, Phase.EXECUTE, f"function_call oid={oid}", function_oid=oid)
            return
        phase = Phase.EXECUTE if kind == QUERY else Phase.PREPARE
        limit = self._conversation.limits.statement
        if total > limit:
            why = f"a statement of {total} bytes is beyond the limit of {limit}"
            self._ask(kind, total, phase, why, wire="unreadable")
            return
        if not self._wait(total):
            return
        body = inbox.data[inbox.pos + HEADER_SIZE : inbox.pos + total]
        name, raw = b"", b""
        if kind == QUERY:
            raw = messages.query_body(body)
        else:
            name, raw, _ = messages.parse_body(body)
            if len(name) > MAX_NAME or self._conversation.statements.full(name):
                refusal = NAME_TOO_LONG if len(name) > MAX_NAME else TOO_MANY
                self._deny(unasked(kind, total, name), refusal)
                return
        try:
            text = raw.decode(self._conversation.settings.codec)
        except UnicodeDecodeError:
            why = f"the statement is not valid {self._conversation.settings.encoding}"
            self._ask(kind, total, phase, why, wire="unreadable")
            return
        self._ask(kind, total, phase, text, name, Statement(text, self._conversation.syncs) if kind == PARSE else None)

    def _bind(self, total: int) -> None:
        inbox = self._inbox
        if not self._wait(min(total, HEADER_SIZE + 2 * (MAX_NAME + 1))):
            return
        data, start = inbox.data, inbox.pos + HEADER_SIZE
        stop = min(inbox.pos + total, start + 2 * (MAX_NAME + 1))
        first = data.find(b"\0", start, stop)
        second = data.find(b"\0", first + 1, stop) if first >= 0 else -1
        if second < 0 and stop == inbox.pos + total:
            raise PeerError("a Bind message without its names")
        portal, name = data[start:first], data[first + 1 : second]
        statement = self._conversation.statements.get(name)
        if second < 0 or len(portal) > MAX_NAME or len(name) > MAX_NAME:
            self._deny(unasked(BIND, total, portal), NAME_TOO_LONG)
        elif statement is None:
            shown = name.decode("utf-8", "replace")
            denial = Denial("26000", f'prepared statement "{shown}" does not exist')
            self._deny(unasked(BIND, total, portal), denial)
        elif not statement.settled and statement.batch != self._conversation.syncs:
            self.stalled = True
        elif self._conversation.portals.full(portal):
            self._deny(unasked(BIND, total, portal), TOO_MANY)
        else:
            self._ask(BIND, total, Phase.EXECUTE, statement.text, portal, statement)

    def _small(self, kind: int, total: int) -> None:
        if total > MAX_SMALL:
            raise PeerError("a message from the client beyond its limit")
        if not self._wait(total):
            return
        inbox = self._inbox
        if kind in (SYNC, FLUSH):
            if total != HEADER_SIZE:
                raise PeerError("a Sync or Flush message with contents")
            if kind == SYNC:
                self._conversation.skipping = False
                self._conversation.in_batch = False
                self._conversation.syncs += 1
                self._queue.append(Expected(Awaited.SYNC))
        elif kind == TERMINATE:
            self._terminate()
            return
        elif not self._named(kind, total, inbox.data[inbox.pos + HEADER_SIZE : inbox.pos + total]):
            return
        self._passage.begin(total, drop=False)

    def _named(self, kind: int, total: int, body: bytes) -> bool:
        """Expect the answer to a Describe, Close or Execute. False when it was denied, or has to wait."""
        answer = expected(self._conversation, kind, body)
        if isinstance(answer, Expected):
            self._queue.append(answer)
            return True
        if answer is None:
            self.stalled = True
        else:
            self._deny(unasked(kind, total), answer)
        return False

    def _terminate(self) -> None:
        self._passage.put_out()
        self._session.to_upstream.append(messages.message(TERMINATE, b""))
        self._session.commands.append(Close())
        self._conversation.abandon()

    def _wait(self, size: int) -> bool:
        """Whether so many bytes are there; else nothing more is read until they are."""
        self._inbox.need = size
        self._waits = not self._inbox.ready()
        return not self._waits

    # --- deciding ---------------------------------------------------------------------------------------------

    def _ask(
        self,
        kind: int,
        total: int,
        phase: Phase,
        text: str,
        name: bytes = b"",
        statement: Statement | None = None,
        wire: str = "",
        function_oid: int | None = None,
    ) -> None:
        self._number += 1
        settings = self._conversation.settings
        request = Request(self._number, phase, text, settings.context, settings.schemas, wire, function_oid)
        self._asked = Asked(kind, total, request, name, statement)
        self._session.commands.append(Decide(request))

    def _forward(self, asked: Asked, decision: Decision) -> None:
        conversation = self._conversation
        conversation.in_batch = asked.kind in (PARSE, BIND)
        rewritten = decision.rewritten
        if asked.kind == BIND and asked.statement is not None and asked.statement.sent != rewritten:
            self._refuse(asked, decision, OUTDATED)
            return
        if rewritten is None:
            if self._session.sealed:
                self._refuse(asked, decision, UNMASKED)
                return
        else:
            self._session.forbidden.update(decision.ruling.forbidden)
            if asked.kind != BIND and not self._replace(asked, rewritten, decision.ruling.shape):
                self._refuse(asked, decision, NOT_ENCODABLE)
                return
        if asked.kind == PARSE:
            item = Expected(Awaited.PARSE, undo=Undo(conversation.statements, asked.name, asked.statement))
        else:
            run = Run(decision.id, conversation.ran(decision.ruling), conversation.syncs)
            run.shape = decision.ruling.shape
            if asked.kind == BIND:
                item = Expected(Awaited.BIND, run, undo=Undo(conversation.portals, asked.name, run))
            else:
                conversation.reading_changes = conversation.reading_changes or run.lexical
                item = Expected(Awaited.QUERY if asked.kind == QUERY else Awaited.CALL, run)
                item.shape = run.shape
        self._queue.append(item)
        replaced = rewritten is not None and asked.kind != BIND
        self._passage.begin(asked.total, drop=replaced, captured=asked.kind in (QUERY, PARSE))

    def _replace(self, asked: Asked, rewritten: str, shape: tuple[str | None, ...] | None) -> bool:
        """Send the masked text in the client's place. False where that cannot be written."""
        try:
            raw = rewritten.encode(self._conversation.settings.codec)
        except UnicodeEncodeError:
            return False
        self._passage.put_out()
        inbox = self._inbox
        whole = inbox.data[inbox.pos : inbox.pos + asked.total]
        self._session.to_upstream.append(with_raw(whole, raw))
        if asked.statement is not None:
            asked.statement.sent = rewritten
            asked.statement.shape = shape
        return True

    def _refuse(self, asked: Asked, decision: Decision, denial: Denial) -> None:
        """Deny what policy let through."""
        self._conversation.unsent(asked.request, decision, denial.sqlstate)
        self._deny(asked, denial)

    def _deny(self, asked: Asked, denial: Denial) -> None:
        self._passage.put_out()
        if asked.kind == QUERY or asked.kind == FUNCTION_CALL:
            self._conversation.in_batch = False
            self._session.to_upstream.append(PILL_QUERY)
            self._queue.append(Expected(Awaited.PILL_QUERY, denial=denial))
        else:
            unnamed = asked.kind == PARSE and not asked.name
            self._session.to_upstream.append(PILL_PARSE_UNNAMED if unnamed else PILL_PARSE)
            self._queue.append(Expected(Awaited.PILL_PARSE, denial=denial))
            self._conversation.in_batch = True
            self._conversation.skipping = True
        self._passage.begin(asked.total, drop=True)

    # --- passing on -------------------------------------------------------------------------------------------

    def _capture(self, asked: Asked, text: str | None) -> None:
        """Keep a Query or Parse for the recording, also one that is denied, with its text as it may be recorded."""
        if asked.kind in (QUERY, PARSE):
            inbox = self._inbox
            piece = inbox.data[inbox.pos : inbox.pos + asked.total]
            if text is not None:
                piece = with_text(piece, text, self._conversation.settings.codec)
            self._session.captured.append((Leg.CLIENT, piece))
