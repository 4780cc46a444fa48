"""What the two directions of a logged-in session share: outstanding answers, names, settings, and what is going on."""

from __future__ import annotations

from hostagent.protocols.base import Finished, Phase, Request, Session
from hostagent.protocols.postgres.config import Limits
from hostagent.protocols.postgres.net import Net
from hostagent.protocols.postgres.queue import Names, ResponseQueue, Run, Statement
from hostagent.protocols.postgres.settings import Settings, changes_reading
from hostagent.values.decision import Decision, Outcome, Ruling

CONNECTION_FAILURE = "08006"


class Conversation:
    """The state of a session after the login.

    `skipping`: the server skips what the client sends until Sync, so it is dropped. `copy_run`: set while the server
    reads COPY data. `reading_changes`: a statement was sent that may change how bytes are read; until all answers are
    in, no further text is read. `in_batch`: the client has sent something since its last Sync or Query. `lookups`: how
    many questions of ours are out. `closed`: nothing more is read from either side.
    """

    __slots__ = (
        "_deallocated",
        "_harmless",
        "closed",
        "copy_run",
        "in_batch",
        "limits",
        "lookups",
        "net",
        "portals",
        "queue",
        "reading_changes",
        "session",
        "settings",
        "skipping",
        "statements",
        "syncs",
    )

    def __init__(self, session: Session, limits: Limits) -> None:
        self.session = session
        self.limits = limits
        self.net: Net | None = None
        self.queue = ResponseQueue()
        self.settings = Settings()
        self.statements: Names[Statement] = Names(limits.statements, limits.statement_bytes)
        self.portals: Names[Run] = Names(limits.portals, limits.statement_bytes)
        self.skipping = False
        self.copy_run: Run | None = None
        self.reading_changes = False
        self.closed = False
        self.in_batch = False
        self.lookups = 0
        self.syncs = 0  # sent by the client
        self._deallocated = False
        self._harmless: Ruling | None = None  # the last ruling that was found to change nothing here

    def ran(self, ruling: Ruling) -> bool:
        """A text that was decided on goes to the server; gives whether running it may change how later bytes are read.

        The server keeps one table of names for SQL (PREPARE, DECLARE) and the protocol (Parse, Bind). When SQL may have
        given a name a new meaning, ours are forgotten, so that no name is used for another text than was decided on.
        """
        if ruling is self._harmless:
            return False
        self.settings.ran(ruling)
        kinds = ruling.kinds
        if kinds == ("select",) and not ruling.settings:
            self._harmless = ruling
            return False
        if "deallocate" in kinds or ("set" in kinds and (not ruling.settings or "*" in ruling.settings)):
            self._deallocated = True
        if self._deallocated and ("prepare" in kinds or "do" in kinds or "call" in kinds):
            self.statements.clear()
        if "cursor" in kinds and len(kinds) > 1:  # DECLARE, by its query's kinds; FETCH, MOVE and CLOSE make no name
            self.portals.clear()
        return changes_reading(ruling)

    def finish(self, run: Run) -> None:
        """Report what a decision to EXECUTE has come to; of a portal after each Execute, with what it gave in all."""
        run.told = True
        detected = (self.net.taken() or None) if self.net is not None else None
        self.session.commands.append(Finished(run.decision_id, Outcome(run.rows, run.bytes, run.error, detected)))

    def unsent(self, request: Request, decision: Decision, code: str) -> None:
        """What was let through is not sent after all: that is how its request ended."""
        if decision.forwards and request.phase is Phase.EXECUTE:
            self.session.commands.append(Finished(decision.id, Outcome(0, 0, code)))

    def abandon(self) -> None:
        """The session ends: report what is still outstanding as cut off, and take nothing more."""
        self.closed = True
        for item in self.queue.clear():
            if item.run is not None and not item.run.told:
                item.run.error = item.run.error or CONNECTION_FAILURE
                self.finish(item.run)
