"""PostgreSQL statements: text → analysis, by PostgreSQL's own parser (libpg_query). Pure: no I/O, no clock.

Files: tree (text → parse tree) · walk (every node of the tree) · query, expression, utility (what each node means)
· kinds (the closed table of utility statements) · objects (names) · scope (CTEs, aliases, columns) · redact · classify.
"""

from __future__ import annotations

from hostagent.sql.postgres.classify import MAX_TEXT, analyze

__all__ = ["MAX_TEXT", "analyze"]
