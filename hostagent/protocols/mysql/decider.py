"""Commands of the client that are decided on: what is asked, and what becomes of them.

A command stays at the front of the inbox until its decision; then it passes, is replaced by the masked text, or is
dropped and answered by an ERR. `Frontend` reads them.
"""

from __future__ import annotations

from hostagent.protocols.base import Decide, Finished, Leg, Phase, Request
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.mysql import commands
from hostagent.protocols.mysql.backend import Backend
from hostagent.protocols.mysql.change_user import Relogin
from hostagent.protocols.mysql.commands import Treatment
from hostagent.protocols.mysql.conversation import Conversation
from hostagent.protocols.mysql.denial import DENIED, Denial, err
from hostagent.protocols.mysql.packets import HEADER_SIZE, length_at, packet
from hostagent.protocols.mysql.passage import Passage
from hostagent.protocols.mysql.sealed import Promise
from hostagent.protocols.mysql.settings import may_change, may_stop_tracking
from hostagent.protocols.mysql.statements import Expected, Run, Statement
from hostagent.protocols.mysql.upload import asked_for
from hostagent.values.decision import Decision, Outcome, Ruling

EXECUTE_HEAD = 10  # command, statement id, flags, iteration count
READ_ONLY_CURSOR = 0x01
UNTEXTED = frozenset(k for k, how in commands.TREATMENTS.items() if how in (Treatment.NAMED, Treatment.LOGIN))

OUTDATED = Denial(
    1615, "HY000", "the statement was masked by another policy or another catalog than those of now: prepare it again"
)
OTHER_MODE = Denial(
    1615,
    "HY000",
    "the statement was prepared under another sql_mode or character set than those of now: prepare it again",
)
NOT_MASKED = Denial(*DENIED, "denied by policy: columns are masked here, and this statement was not rewritten")
NOT_ENCODABLE = Denial(1300, "HY000", "the masked statement cannot be written in the session's character set")


class Asked:
    """A command whose decision is awaited. It still stands in the inbox. `statement`: what it prepares or runs."""

    __slots__ = ("kind", "request", "statement")

    def __init__(self, kind: int, request: Request, statement: Statement | None) -> None:
        self.kind = kind
        self.request = request
        self.statement = statement


class Decider:
    """What the reading of commands builds on."""

    def __init__(self, conversation: Conversation, inbox: Inbox, backend: Backend) -> None:
        self._conversation = conversation
        self._session = conversation.session
        self._inbox = inbox
        self._backend = backend
        self._passage = Passage(conversation.session, inbox)
        self._denial: Denial | None = None  # of the command that is being dropped
        self._asked: Asked | None = None
        self._held: Decision | None = None  # a human is to be asked once the command is whole
        self._number = 0
        self._still: Ruling | None = None  # the last ruling that was found to change nothing of how texts are read

    def _log_in_again(self, relogin: Relogin, body: bytes, run: Run | None) -> None:
        request = relogin.read(body)
        assert request is not None
        self._conversation.statements.clear()
        expected = Expected(commands.ANSWERS[commands.CHANGE_USER], run, asks_again=True)
        expected.login = relogin
        self._expect(expected)
        self._session.to_upstream.append(relogin.begin(request))
        self._passage.begin(drop=True)

    def _wait(self, size: int) -> bool:
        """Whether so many bytes are there; else nothing more is read until they are."""
        self._inbox.need = size
        return self._inbox.ready()

    def _body(self, length: int) -> bytes:
        """The command's bytes behind its number, up to `length` of the payload."""
        start = self._inbox.pos + HEADER_SIZE
        return self._inbox.data[start + 1 : start + length]

    # --- deciding ---------------------------------------------------------------------------------------------

    def _ask(self, kind: int, phase: Phase, text: str, statement: Statement | None = None, wire: str = "") -> None:
        self._number += 1
        at = self._conversation.settings if statement is None else statement
        request = Request(self._number, phase, text, at.context, at.schemas, wire, mysql=at.mysql)
        self._asked = Asked(kind, request, statement)
        self._session.commands.append(Decide(request))

    def _forward(self, asked: Asked, decision: Decision) -> None:
        kind, statement, ruling = asked.kind, asked.statement, decision.ruling
        rewritten = decision.rewritten
        unsent = rewritten != asked.request.text and kind in UNTEXTED  # what is sent there is not the text
        if self._session.sealed and (rewritten is None or unsent):
            self._withdraw(asked, decision, NOT_MASKED)
            return
        if kind == commands.STMT_EXECUTE and statement is not None and statement.sent != rewritten:
            self._withdraw(asked, decision, OUTDATED)
            return
        raw = None
        if rewritten is not None and kind in (commands.QUERY, commands.STMT_PREPARE):
            try:
                raw = rewritten.encode(self._conversation.settings.codec)
            except UnicodeEncodeError:
                self._withdraw(asked, decision, NOT_ENCODABLE)
                return
        binary = kind == commands.STMT_EXECUTE
        run = Run(decision.id, False, False, binary)
        if ruling is not self._still:
            run.lexical, run.tracking = may_change(ruling), may_stop_tracking(ruling)
            self._still = None if run.lexical or run.tracking else ruling
        if kind == commands.QUERY:
            run.file = asked_for(
                asked.request.text if rewritten is None else rewritten, self._conversation.settings.mysql
            )
        self._send(asked, run, raw, rewritten, Promise(ruling) if self._session.sealed else None)

    def _send(self, asked: Asked, run: Run, raw: bytes | None, rewritten: str | None, promise: Promise | None) -> None:
        kind, statement, relogin = asked.kind, asked.statement, self._conversation.relogin
        if kind == commands.CHANGE_USER and relogin is not None:
            length = length_at(self._inbox.data, self._inbox.pos)
            self._log_in_again(relogin, self._body(length), run)
            return
        if kind == commands.STMT_PREPARE:
            assert statement is not None
            statement.sent = rewritten
            self._expect(Expected(commands.ANSWERS[kind], statement=statement, promise=promise))
        else:
            self._expect(Expected(commands.ANSWERS[kind], run, promise=promise))
        if kind == commands.STMT_EXECUTE and statement is not None:
            head = self._body(EXECUTE_HEAD)
            statement.cursor = run if head[4] & READ_ONLY_CURSOR else None
            statement.long_data = False
        if raw is not None:
            self._session.to_upstream.append(packet(0, bytes((kind,)) + raw))
        self._passage.begin(drop=raw is not None, captured=kind in (commands.QUERY, commands.STMT_PREPARE))

    def _withdraw(self, asked: Asked, decision: Decision, denial: Denial) -> None:
        if asked.request.phase is Phase.EXECUTE:
            self._session.commands.append(Finished(decision.id, Outcome(0, 0, denial.sqlstate)))
        self._deny(denial)

    def _expect(self, expected: Expected) -> None:
        self._conversation.expected = expected
        self._backend.began()

    def _deny(self, denial: Denial | None) -> None:
        """Drop the command; its answer is the denial, or nothing."""
        inbox = self._inbox
        if inbox.data[inbox.pos + HEADER_SIZE] == commands.STMT_PREPARE:
            self._conversation.statements.last = None  # what MariaDB's id -1 would mean
        self._denial = denial
        self._passage.begin(drop=True)
        self._dropped()

    def _dropped(self) -> None:
        if self._passage.active or self._denial is None:
            return
        denial, self._denial = self._denial, None
        answer = err(self._passage.sequence + 1, denial.number, denial.sqlstate, denial.text)
        self._session.to_client.append(answer)
        self._session.captured.append((Leg.UPSTREAM, answer))

    def _capture(self, asked: Asked, text: str | None) -> None:
        """Keep a text for the recording, also one that is denied, as it may be recorded."""
        if asked.kind in (commands.QUERY, commands.STMT_PREPARE):
            inbox = self._inbox
            if text is None and self._conversation.settings.codec == "utf-8":
                whole = inbox.data[inbox.pos : inbox.pos + HEADER_SIZE + length_at(inbox.data, inbox.pos)]
                self._session.captured.append((Leg.CLIENT, whole))
                return
            raw = (asked.request.text if text is None else text).encode("utf-8", "replace")
            self._session.captured.append((Leg.CLIENT, packet(0, bytes((asked.kind,)) + raw)))
