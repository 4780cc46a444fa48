"""What PostgreSQL's regression files may print differently through the agent, with an allow-all policy; and why.

Whatever is not explained here is a defect.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.parity.compare import Pair

UNPARSED = "denied by policy: the statement cannot be parsed: "
# Left out of the files in both runs: it ends the session, which is a test of its own.
PINNED = re.compile(rb"(?im)^set standard_conforming_strings (?:=|to) off;$")


def not_parsed(name: str, pair: Pair) -> bool:
    """A statement that its server refuses too, for its syntax: it is denied here and gets other words.

    What cannot be parsed cannot be decided. The server must have said an error, or the denial were one too many.
    """
    (direct, *more), (governed, *others) = pair
    return not more and not others and direct.startswith("ERROR: ") and governed.startswith("ERROR:  " + UNPARSED)


def its_error_variables(name: str, pair: Pair) -> bool:
    """psql's variables about that error: 42501 in place of 42601, and its words."""
    if name != "psql" or len(pair[1]) > 1:
        return False
    said = pair[1][0]
    return said in ("error code: 42501", "last error code: 42501") or said.startswith("last error message: " + UNPARSED)


EXPLAINED: tuple[Callable[[str, Pair], bool], ...] = (not_parsed, its_error_variables)


def explain(name: str, pair: Pair) -> str:
    """The explanation that covers a difference in the output of a file, or nothing."""
    return next((known.__name__ for known in EXPLAINED if all(pair) and known(name, pair)), "")
