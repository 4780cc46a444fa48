"""Compares docs/when-it-dies.md with what the tests have witnessed, or writes it.

.venv/bin/python tools/when_it_dies.py [--write]      exit code 1 when they differ
"""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "build" / "when-it-dies"
DOC = ROOT / "docs" / "when-it-dies.md"
HEAD = """\
# What happens when a part of it dies
Each row was witnessed by a test that takes the part away on a real kernel, with real clients and servers; the tests
write this table, and a run whose table is another fails. Where a part of hostagent is taken away, a client that is not
governed is served beside it throughout.

| gone | governed clients meanwhile | then |
|---|---|---|
"""


def main() -> int:
    """Compare, or write."""
    rows = [json.loads(path.read_text()) for path in sorted(ROWS.glob("*.json"))]
    text = HEAD + "".join(f"| {row['what']} | {row['governed']} | {row['then']} |\n" for row in rows)
    if "--write" in sys.argv[1:]:
        DOC.write_text(text)
        return 0
    known = DOC.read_text() if DOC.is_file() else ""
    difference = difflib.unified_diff(
        known.splitlines(), text.splitlines(), str(DOC), "what the tests saw", lineterm=""
    )
    for line in difference:
        print(line)
    return int(text != known)


if __name__ == "__main__":
    sys.exit(main())
