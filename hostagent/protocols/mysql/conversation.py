"""What both directions of a session know: its settings, prepared statements, and the answer that is awaited."""

from __future__ import annotations

from hostagent.errors import PeerError
from hostagent.protocols.base import Finished, LookedUp, Session
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.change_user import Relogin
from hostagent.protocols.mysql.config import Limits
from hostagent.protocols.mysql.net import Net
from hostagent.protocols.mysql.question import Question
from hostagent.protocols.mysql.sealed import Definitions
from hostagent.protocols.mysql.settings import PROBE, TRACK, Settings
from hostagent.protocols.mysql.statements import Awaited, Expected, Run, Statements
from hostagent.protocols.mysql.upload import Upload
from hostagent.values.decision import Outcome

LOST = "08S01"  # SQLSTATE of what was cut off


class Conversation:
    """One session after its opening. `flags` are those that the server was logged in to with; `tracks`: the client
    is told of session state as well."""

    def __init__(self, session: Session, limits: Limits, target: str = "") -> None:
        self.session = session
        self._target = target
        self.limits = limits
        self.settings = Settings()
        self.statements = Statements(limits.statements, limits.statement_bytes)
        self.expected: Expected | None = None
        self.deprecate_eof = False
        self.tracks = False
        self.closed = False
        self.net: Net | None = None
        self.upload: Upload | None = None  # is on its way
        self.relogin: Relogin | None = None  # where we hold the credential
        self.definitions = Definitions()

    def began(self, client_flags: int, flags: int) -> None:
        """What was agreed on: by the client, and with the server."""
        self.deprecate_eof = bool(flags & can.DEPRECATE_EOF)
        self.tracks = bool(client_flags & can.SESSION_TRACK)

    def cancel_key(self, connection_id: int) -> bytes:
        """What the session with that connection id is known by to those that may kill it."""
        return f"mysql {self._target} {connection_id}".encode()

    def ask(self, question: Question) -> None:
        """Put a question to the server. Nothing of the client's may be under way."""
        if self.expected is not None:
            raise ValueError("a question while an answer is awaited")
        self.expected = Expected(Awaited.RESULTS, question=question)
        self.session.to_upstream.append(question.packet())

    def ask_settings(self) -> None:
        """Have changes tracked, and ask how things stand. The client's next command waits for the answers."""
        self.ask(Question(TRACK, self._tracking, deprecate_eof=self.deprecate_eof))

    def look_up(self, text: str) -> None:
        """Ask what a decision waits for; answered by the command LookedUp."""
        self.ask(Question(text, self._looked_up, deprecate_eof=self.deprecate_eof))

    def _tracking(self, question: Question) -> None:
        if question.error:
            raise PeerError("the server does not say when session settings change: MySQL 5.7 or MariaDB 10.2 does")
        self.ask(Question(PROBE, self._probed, deprecate_eof=self.deprecate_eof))

    def _probed(self, question: Question) -> None:
        if question.row is None:
            raise PeerError("no answer from the server to a question for its settings")
        self.settings.probed(question.row)

    def _looked_up(self, question: Question) -> None:
        value: str | None = None
        if not question.error and question.row and question.row[0] is not None:
            value = question.row[0].decode("utf-8", "replace")
        self.session.commands.append(LookedUp(value, question.error, question.sqlstate))

    def finish(self, run: Run) -> None:
        """Report what a decision has come to; of a cursor after each FETCH, with what it gave in all."""
        run.told = True
        detected = (self.net.taken() or None) if self.net is not None else None
        self.session.commands.append(Finished(run.decision_id, Outcome(run.rows, run.bytes, run.error, detected)))

    def abandon(self) -> None:
        """The session ends: report what is still outstanding as cut off, and take nothing more."""
        self.closed = True
        expected, self.expected = self.expected, None
        if expected is not None and expected.run is not None and not expected.run.told:
            expected.run.error = expected.run.error or LOST
            self.finish(expected.run)
