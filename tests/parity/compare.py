"""Compares what psql printed directly and through the agent, an error with all its lines counted as one line.

What differs is returned in pairs; `differences.py` says which pairs are expected, and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

ERROR = re.compile(r"(psql:\S+ )?(ERROR|FATAL|NOTICE|WARNING|INFO): ")
CONTINUED = re.compile(r"(LINE \d+: |\s*\^$|DETAIL:  |HINT:  |CONTEXT:  |QUERY:  |LOCATION:  |STATEMENT:  )")
Pair = tuple[tuple[str, ...], tuple[str, ...]]


def units(text: str) -> list[str]:
    """The lines, each error or notice joined with what belongs to it."""
    found: list[str] = []
    for line in text.splitlines():
        if found and CONTINUED.match(line) and ERROR.match(found[-1]):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def differing(direct: str, governed: str) -> Iterator[Pair]:
    """What stands in one output in place of what stands in the other: one to one where both have as many lines."""
    left, right = units(direct), units(governed)
    for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if b - a == d - c:
            yield from (((one,), (other,)) for one, other in zip(left[a:b], right[c:d], strict=True))
        else:
            yield tuple(left[a:b]), tuple(right[c:d])
