"""The client's direction after the login: one command at a time, decided, passed or refused as `commands.py` says.

A command stays in the inbox until its decision; the next is not read before the answer to the last one is whole. A
denied command is dropped, and answered by an ERR with the sequence number that its answer would have had; there is no
answer at all to COM_STMT_CLOSE and COM_STMT_SEND_LONG_DATA.
"""

from __future__ import annotations

import re

from hostagent.approvals.values import Bound
from hostagent.errors import PeerError
from hostagent.protocols.base import AskHuman, Cancel, Close, Decide, Leg, Phase, Request, Rule
from hostagent.protocols.mysql import commands
from hostagent.protocols.mysql.approval import bound_values
from hostagent.protocols.mysql.commands import Treatment
from hostagent.protocols.mysql.decider import EXECUTE_HEAD, NOT_MASKED, OTHER_MODE, OUTDATED, READ_ONLY_CURSOR, Decider
from hostagent.protocols.mysql.denial import (
    TOO_MANY,
    UNKNOWN_COMMAND,
    UNKNOWN_STATEMENT,
    Denial,
    not_approved,
    unreadable,
)
from hostagent.protocols.mysql.packets import HEADER_SIZE, MAX_PAYLOAD, length_at, packet
from hostagent.protocols.mysql.statements import Expected, Statement
from hostagent.protocols.mysql.upload import Upload
from hostagent.values.decision import Decision, Ruling, Verdict

MAX_SMALL = 64 << 10  # bytes of a command that is neither a text nor an execute
_KILL = re.compile(r"\s*KILL\s+(?:(?:HARD|SOFT)\s+)?(?:(?:QUERY|CONNECTION)\s+)?([0-9]{1,18})\s*;?\s*", re.IGNORECASE)
_BEFORE_KILL = " \t\n\v\f\rkK"  # nearly every text is told from one by its first character

NO_CURSOR = Denial(1421, "HY000", "the statement has no open cursor")


class Frontend(Decider):
    """Reads the client's commands. `run` after bytes came, or an answer ended."""

    @property
    def held(self) -> bool:
        """Whether no more client bytes are taken for now."""
        if self._asked is not None:
            return self._held is None
        busy = self._conversation.expected is not None and not self._passage.active
        if self._conversation.upload is not None:
            return False
        return busy and len(self._inbox) > self._conversation.limits.early

    def run(self) -> None:
        """Read commands until more bytes, a decision or an answer of the server is needed. Raises PeerError."""
        if self._held is not None:
            self._gather(self._held)
            return
        while not self._conversation.closed:
            if self._conversation.upload is not None:
                if not self._uploaded(self._conversation.upload):
                    return
            elif self._passage.active:
                if not self._inbox.ready() or not self._passage.go_on():
                    return
                self._dropped()
            elif self._asked is not None or self._conversation.expected is not None or not self._step():
                return

    def _uploaded(self, upload: Upload) -> bool:
        """Pass on what is there of the client's file; whether that was the rest."""
        inbox = self._inbox
        inbox.need = HEADER_SIZE if upload.between else 1
        if not inbox.ready():
            return False
        start = inbox.pos
        inbox.pos = upload.take(inbox.data, start)
        self._session.to_upstream.append(inbox.data[start : inbox.pos])
        if upload.done:
            self._conversation.upload = None
            self._session.captured.append((Leg.CLIENT, packet(0, bytes((commands.QUERY,)) + upload.told().encode())))
        return upload.done

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
            if phase is Phase.EXECUTE and text[:1] in _BEFORE_KILL and (killed := _KILL.fullmatch(text)) is not None:
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
        elif treatment == Treatment.LOGIN:
            self._change_user(body)
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

    def _change_user(self, body: bytes) -> None:
        relogin = self._conversation.relogin
        request = None if relogin is None else relogin.read(body)
        if relogin is None or request is None:
            why = commands.WHY_REFUSED[commands.CHANGE_USER]
            self._deny(Denial(*UNKNOWN_COMMAND, f"COM_CHANGE_USER is refused here: {why}"))
        elif request.database:
            self._named(commands.CHANGE_USER, request.database)
        else:
            self._log_in_again(relogin, body, None)

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
