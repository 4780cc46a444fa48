"""Memory: rulings remembered, so that a repeated statement costs a dictionary lookup.

A ruling is kept under everything that it depends on: actor classes, target, the settings that change the text's
meaning, where unqualified names resolve, and the text. All but the text make a scope, which has a number; numbers are
never used twice. A new policy starts with an empty memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from hostagent.values.decision import Ruling

MAX_ENTRIES = 20_000
MAX_CHARACTERS = 32 << 20  # of all remembered texts together, and of what is sent for them: a client chooses them
MAX_TEXT = 64 << 10  # a longer text is not kept: it is rarely repeated


class Memory:
    """A bounded, least-recently-used dictionary of rulings."""

    def __init__(self) -> None:
        self._rulings: OrderedDict[tuple[int, str], Ruling] = OrderedDict()
        self._characters = 0
        self._scopes: dict[Hashable, int] = {}
        self._last_scope = 0

    def __len__(self) -> int:
        return len(self._rulings)

    def scope(self, key: Hashable) -> int:
        """The number of the scope that `key` describes."""
        number = self._scopes.get(key)
        if number is None:
            if len(self._scopes) >= MAX_ENTRIES:
                self.clear()
            self._last_scope += 1
            number = self._scopes[key] = self._last_scope
        return number

    def get(self, scope: int, text: str) -> Ruling | None:
        """The ruling kept for this text in this scope, or None."""
        key = (scope, text)
        ruling = self._rulings.get(key)
        if ruling is not None:
            self._rulings.move_to_end(key)
        return ruling

    def put(self, scope: int, text: str, ruling: Ruling) -> None:
        """Keep a ruling; the least recently used ones make room."""
        key = (scope, text)
        if len(text) > MAX_TEXT or key in self._rulings:
            return
        self._rulings[key] = ruling
        self._characters += len(text) + _sent(ruling)
        while len(self._rulings) > MAX_ENTRIES or self._characters > MAX_CHARACTERS:
            (_, dropped), forgotten = self._rulings.popitem(last=False)
            self._characters -= len(dropped) + _sent(forgotten)

    def clear(self) -> None:
        """Forget everything."""
        self._rulings.clear()
        self._characters = 0
        self._scopes.clear()


def _sent(ruling: Ruling) -> int:
    """Characters of the text that is sent masked, which is kept too."""
    return len(ruling.rewritten or "") + sum(map(len, ruling.pieces))
