"""What PostgreSQL's regression files may print differently through the agent, with an allow-all policy; and why.

Whatever is not explained here is a defect.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.parity.compare import Pair

# Left out of the files in both runs: it ends the session, which is a test of its own.
PINNED = re.compile(rb"(?im)^set standard_conforming_strings (?:=|to) off;$")


def not_parsed(name: str, pair: Pair) -> bool:
    """A statement that its server refuses too, for its syntax, in the same words: but for a hint or a place.

    The words are those of our parser, which gives no detail and no hint, and another version of which may say where.
    """
    (direct, *more), (governed, *others) = pair
    same = direct.partition("\n")[0] == governed.partition("\n")[0]
    return not more and not others and same and direct.startswith("ERROR: ") and "\nHINT: " not in governed


EXPLAINED: tuple[Callable[[str, Pair], bool], ...] = (not_parsed,)


def explain(name: str, pair: Pair) -> str:
    """The explanation that covers a difference in the output of a file, or nothing."""
    return next((known.__name__ for known in EXPLAINED if all(pair) and known(name, pair)), "")
