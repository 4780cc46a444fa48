"""The client's direction after the login: one command at a time, decided, passed or refused as `commands.py` says.

A command stays in the inbox until its decision; the next is not read before the answer to the last one is whole. A
denied command is dropped, and answered by an ERR with the sequence number that its answer would have had; there is no
answer at all to COM_STMT_CLOSE and COM_STMT_SEND_LONG_DATA.
"""

from __future__ import annotations

import re

from hostagent.approvals.values import Bound
from hostagent.errors import PeerError
from hostagent.protocols.base import AskHuman, Cancel, Close, Decide, Finished, Leg, Phase, Request, Rule
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.mysql import commands
from hostagent.protocols.mysql.approval import bound_values
from hostagent.protocols.mysql.backend import Backend
from hostagent.protocols.mysql.commands import Treatment
from hostagent.protocols.mysql.conversation import Conversation
from hostagent.protocols.mysql.denial import (
    DENIED,
    TOO_MANY,
    UNKNOWN_COMMAND,
    UNKNOWN_STATEMENT,
    Denial,
    err,
    not_approved,
    unreadable,
)
from hostagent.protocols.mysql.packets import HEADER_SIZE, MAX_PAYLOAD, length_at, packet
from hostagent.protocols.mysql.passage import Passage
from hostagent.protocols.mysql.settings import may_change, may_stop_tracking
from hostagent.protocols.mysql.statements import Expected, Run, Statement
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict

MAX_SMALL = 64 << 10  # bytes of a command that is neither a text nor an execute
EXECUTE_HEAD = 10  # command, statement id, flags, iteration count
READ_ONLY_CURSOR = 0x01
_KILL = re.compile(r"\s*KILL\s+(?:(?:HARD|SOFT)\s+)?(?:(?:QUERY|CONNECTION)\s+)?([0-9]{1,18})\s*;?\s*", re.IGNORECASE)
NAMED = frozenset(kind for kind, treatment in commands.TREATMENTS.items() if treatment == Treatment.NAMED)

NO_CURSOR = Denial(1421, "HY000", "the statement has no open cursor")
OUTDATED = Denial(
    1615, "HY000", "the statement was masked by another policy or another catalog than those of now: prepare it again"
)
OTHER_MODE = Denial(
    1615,
    "HY000",
    "the statement was prepared under another sql_mode or character set than those of now: prepare it again",
)
NOT_MASKED = Denial(*DENIED, "denied by policy: columns are masked here, and this statement was not rewritten")
NOT_WATCHED = Denial(*DENIED, "denied by policy: results are to be looked through here, which is not done for MySQL")
NOT_ENCODABLE = Denial(1300, "HY000", "the masked statement cannot be written in the session's character set")


class Asked:
    """A command whose decision is awaited. It still stands in the inbox. `statement`: what it prepares or runs."""

    __slots__ = ("kind", "request", "statement")

    def __init__(self, kind: int, request: Request, statement: Statement | None) -> None:
        self.kind = kind
        self.request = request
        self.statement = statement


class Frontend:
    """Reads the client's commands. `run` after bytes came, or an answer ended."""

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

    @property
    def held(self) -> bool:
        """Whether no more client bytes are taken for now."""
        if self._asked is not None:
            return self._held is None
        busy = self._conversation.expected is not None and not self._passage.active
        return busy and len(self._inbox) > self._conversation.limits.early

    def run(self) -> None:
        """Read commands until more bytes, a decision or an answer of the server is needed. Raises PeerError."""
        if self._held is not None:
            self._gather(self._held)
            return
        while not self._conversation.closed:
            if self._passage.active:
                if not self._inbox.ready() or not self._passage.go_on():
                    return
                self._dropped()
            elif self._asked is not None or self._conversation.expected is not None or not self._step():
                return

    def decided(self, request: Request, decision: Decision) -> None:
        """The answer to the question that is out."""
        asked = self._asked
        if asked is None or asked.request.number != request.number:
            raise ValueError("a decision that was not asked for")
        self._asked = self._held = None
        if request.wire == "unreadable":
            self._deny(unreadable(request.text, decision))
        else:
            self._capture(asked, decision.ruling.text)
            if not decision.forwards:
                self._deny(not_approved(decision))
            elif self._conversation.watched:
                self._deny(NOT_WATCHED)
            else:
                self._forward(asked, decision)
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
        if asked.kind == commands.STMT_EXECUTE and asked.statement is not None:
            length = length_at(inbox.data, inbox.pos)
            if length > self._conversation.limits.held or asked.statement.long_data:
                values = None
            elif not self._wait(HEADER_SIZE + length):
                self._held = decision
                return
            else:
                values = bound_values(self._body(length), asked.statement, self._conversation.settings.codec)
        self._session.commands.append(AskHuman(asked.request, decision, values, exact=True))

    # --- reading ----------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Read one command; False when more bytes are needed."""
        inbox = self._inbox
        if not self._wait(HEADER_SIZE + 1):
            return False
        data, pos = inbox.data, inbox.pos
        length, kind = length_at(data, pos), data[pos + HEADER_SIZE]
        if data[pos + 3] != 0:
            raise PeerError("a command with another sequence number than 0 from the client")
        if not length:
            raise PeerError("a command without a byte from the client")
        treatment = commands.TREATMENTS.get(kind, Treatment.REFUSED)
        if treatment == Treatment.TEXT:
            return self._text(kind, length)
        if treatment == Treatment.EXECUTE:
            return self._execute(length)
        if treatment == Treatment.REFUSED:
            why = commands.WHY_REFUSED.get(kind, "it is not one that can be decided on")
            self._deny(Denial(*UNKNOWN_COMMAND, f"{commands.name_of(kind)} is refused here: {why}"))
            return True
        if treatment == Treatment.STATEMENT:
            return self._statement(kind, length)
        if length > MAX_SMALL:
            self._deny(Denial(*UNKNOWN_COMMAND, f"{commands.name_of(kind)} of {length} bytes is refused"))
            return True
        if not self._wait(HEADER_SIZE + length):
            return False
        self._small(kind, treatment, self._body(length))
        return True

    def _text(self, kind: int, length: int) -> bool:
        limit = self._conversation.limits.statement
        phase = Phase.EXECUTE if kind == commands.QUERY else Phase.PREPARE
        if length > limit:
            shown = f"{length}" if length < MAX_PAYLOAD else f"{length} or more"
            self._ask(kind, phase, f"a statement of {shown} bytes is beyond the limit of {limit}", wire="unreadable")
            return True
        if not self._wait(HEADER_SIZE + length):
            return False
        try:
            text = self._body(length).decode(self._conversation.settings.codec)
        except UnicodeDecodeError:
            charset = self._conversation.settings.mysql.charset
            self._ask(kind, phase, f"the statement is not valid {charset}", wire="unreadable")
            return True
        if phase is Phase.PREPARE and self._conversation.statements.full(text):
            self._deny(Denial(*TOO_MANY, "too many prepared statements in this session: close some of them"))
        else:
            self._ask(
                kind, phase, text, Statement(text, self._conversation.settings) if phase is Phase.PREPARE else None
            )
            if phase is Phase.EXECUTE and (killed := _KILL.fullmatch(text)) is not None:
                self._look_for_own(int(killed[1]))
        return True

    def _execute(self, length: int) -> bool:
        if length < EXECUTE_HEAD:
            raise PeerError("a COM_STMT_EXECUTE that is too short from the client")
        if not self._wait(HEADER_SIZE + EXECUTE_HEAD):
            return False
        head = self._body(EXECUTE_HEAD)
        statement = self._known(head)
        if statement is None:
            return True
        if head[4] & ~READ_ONLY_CURSOR:
            self._deny(Denial(*UNKNOWN_COMMAND, f"COM_STMT_EXECUTE with flags 0x{head[4]:02x} is refused here"))
            return True
        mysql, now = statement.mysql, self._conversation.settings.mysql
        if (mysql.sql_mode, mysql.charset) != (now.sql_mode, now.charset):
            self._deny(OTHER_MODE)  # some servers would read it anew, under what is set now
            return True
        self._ask(commands.STMT_EXECUTE, Phase.EXECUTE, statement.text, statement)
        return True

    def _statement(self, kind: int, length: int) -> bool:
        """Long data, a close or a reset of a prepared statement."""
        if length < 5 or (length != 5 and kind != commands.STMT_SEND_LONG_DATA):
            raise PeerError("a command about a prepared statement of another length from the client")
        if not self._wait(HEADER_SIZE + 5):
            return False
        head = self._body(5)
        statement = self._known(head, silently=kind in commands.UNANSWERED)
        if statement is None:
            return True
        if kind == commands.STMT_CLOSE:
            self._conversation.statements.remove(statement.id)
        else:
            statement.long_data = kind == commands.STMT_SEND_LONG_DATA
        if kind == commands.STMT_RESET:
            statement.cursor = None
            self._expect(Expected(commands.ANSWERS[kind]))
        self._passage.begin(drop=False)
        return True

    def _known(self, head: bytes, silently: bool = False) -> Statement | None:
        """The statement whose id the command begins with; None: there is none, and that is dealt with."""
        number = int.from_bytes(head[:4], "little")
        statement = self._conversation.statements.get(number)
        if statement is None:
            denial = Denial(*UNKNOWN_STATEMENT, f"Unknown prepared statement handler ({number}) given to the server")
            self._deny(None if silently else denial)
        return statement

    def _small(self, kind: int, treatment: int, body: bytes) -> None:
        conversation = self._conversation
        if treatment == Treatment.QUIT:
            self._passage.begin(drop=False)
            self._session.commands.append(Close())
            conversation.abandon()
        elif treatment == Treatment.NAMED:
            self._named(kind, body)
        elif kind == commands.STATISTICS and self._session.sealed:
            self._deny(NOT_MASKED)
        elif treatment == Treatment.FETCH:
            if (statement := self._known(body)) is not None:
                self._fetch(statement)
        else:
            reset = treatment == Treatment.RESET
            if reset:
                conversation.statements.clear()
            self._expect(Expected(commands.ANSWERS[kind], asks_again=reset))
            self._passage.begin(drop=False)

    def _named(self, kind: int, body: bytes) -> None:
        if kind == commands.FIELD_LIST and self._session.sealed:
            self._deny(Denial(*UNKNOWN_COMMAND, "COM_FIELD_LIST is refused where columns are masked"))
            return
        try:
            text = commands.as_text(kind, body, self._conversation.settings.codec)
        except UnicodeDecodeError:
            self._ask(kind, Phase.EXECUTE, f"the name in a {commands.name_of(kind)} is no text", wire="unreadable")
            return
        self._ask(kind, Phase.EXECUTE, text)
        if kind == commands.PROCESS_KILL:
            self._look_for_own(int.from_bytes(body, "little"))

    def _look_for_own(self, number: int) -> None:
        """It is a KILL: whether of a session of the same actor at this destination is asked before policy is."""
        self._session.commands[-1] = Cancel(self._conversation.cancel_key(number))

    def kills_own(self) -> None:
        """The session to kill is the same actor's: that needs no rule."""
        asked = self._asked
        assert asked is not None
        reason, text = "a session of the same actor is killed", asked.request.text
        ruling = Ruling(Verdict.ALLOW, "", reason, kinds=("system",), rewritten=text if self._session.sealed else None)
        self._session.commands.append(Rule(asked.request, ruling))

    def kills_other(self, withdrawn: bool) -> None:
        """It is not, or it is gone: policy decides. `withdrawn`: what it had running was held, and is not any more."""
        asked = self._asked
        assert asked is not None
        if not withdrawn:
            self._session.commands.append(Decide(asked.request))
            return
        self._asked = None
        self._passage.begin(drop=True)
        self._session.to_client.append(packet(self._passage.sequence + 1, bytes(3) + b"\x02\0\0\0"))
        self.run()

    def _fetch(self, statement: Statement) -> None:
        if statement.cursor is None:
            self._deny(NO_CURSOR)
            return
        if self._session.sealed and statement.sent is None:
            self._deny(OUTDATED)
            return
        self._expect(Expected(commands.ANSWERS[commands.STMT_FETCH], statement.cursor))
        self._passage.begin(drop=False)

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
        rewritten = ruling.rewritten
        unsent = rewritten != asked.request.text and kind in NAMED  # what is sent there is not the text
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
        self._send(asked, Run(decision.id, may_change(ruling), may_stop_tracking(ruling)), raw, rewritten)

    def _send(self, asked: Asked, run: Run, raw: bytes | None, rewritten: str | None) -> None:
        kind, statement = asked.kind, asked.statement
        if kind == commands.STMT_PREPARE:
            assert statement is not None
            statement.sent = rewritten
            self._expect(Expected(commands.ANSWERS[kind], statement=statement))
        else:
            self._expect(Expected(commands.ANSWERS[kind], run))
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
            shown = asked.request.text if text is None else text
            raw = shown.encode("utf-8", "replace")
            self._session.captured.append((Leg.CLIENT, packet(0, bytes((asked.kind,)) + raw)))
