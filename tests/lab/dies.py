"""What tests saw when a part of us was gone: rows of docs/when-it-dies.md, which tools/when_it_dies.py checks."""

from __future__ import annotations

import json
from pathlib import Path

ROWS = Path(__file__).parents[2] / "build" / "when-it-dies"


def witness(number: int, what: str, governed: str, then: str) -> None:
    """Called where a test has asserted all of it: what was gone, how governed clients fare, and what comes after.

    `number` is the row's place in the table.
    """
    ROWS.mkdir(parents=True, exist_ok=True)
    row = {"number": number, "what": what, "governed": governed, "then": then}
    (ROWS / f"{number:03d}.json").write_text(json.dumps(row))
