"""What limits count of one flow: a tally for each decision that was let through, until its outcome is known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hostagent.limits.purse import Pocket, Tally
from hostagent.policy.fields import Mode
from hostagent.policy.limits import Hit
from hostagent.protocols.base import Finished, Session

if TYPE_CHECKING:
    from hostagent.runtime.flow import Flow

MAX_TALLIES = 1000  # statements of one flow that are counted at the same time; then the oldest are counted no more


class Tallies:
    """The tallies of one flow."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[str, Tally] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def keep(self, decision_id: str, tally: Tally) -> None:
        """That decision is counted from now on."""
        self._of[decision_id] = tally
        if len(self._of) > MAX_TALLIES:
            self._of.pop(next(iter(self._of))).ended("")

    def drop(self, decision_id: str) -> None:
        """It was not let through after all."""
        if (tally := self._of.pop(decision_id, None)) is not None:
            tally.ended("")

    def finished(self, command: Finished) -> None:
        """Its outcome. A portal may bring more after that, so the tally stays."""
        if (tally := self._of.get(command.decision_id)) is not None:
            tally.reached(command.outcome.rows, command.outcome.bytes)  # it is whole: the next one is denied
            tally.ended(command.outcome.error)

    def reached(self, decision_id: str, rows: int, size: int) -> Hit | list[Pocket] | None:
        """What a running result has brought so far; see `Tally.reached`."""
        tally = self._of.get(decision_id)
        return None if tally is None else tally.reached(rows, size)

    def close(self) -> None:
        """The flow ended."""
        for tally in self._of.values():
            tally.ended("")


def count(flow: Flow, session: Session, decision_id: str, rows: int, size: int) -> None:
    """So much has a running result brought: borrow more for it, or cut it off."""
    answer = flow.tallies.reached(decision_id, rows, size)
    if isinstance(answer, list):
        flow.upstream.hold()  # not one piece more while nobody knows whether it may pass
        flow.spawn(_borrow(flow, session, decision_id, answer))
    elif isinstance(answer, Hit) and flow.worker.gate.policy.mode is Mode.ENFORCE:
        session.cut_off(answer.reason(time.time()))


async def _borrow(flow: Flow, session: Session, decision_id: str, pockets: list[Pocket]) -> None:
    await flow.worker.limits.borrow(pockets)
    flow.upstream.release()
    if (progress := session.progress()) is not None and progress[0] == decision_id:
        flow.guarded(lambda: count(flow, session, *progress))
