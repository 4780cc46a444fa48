"""MySQL and MariaDB statements: text → analysis, by a lexer and a parser of our own, and sqlglot for a second opinion.

Files: tokens, modes, lexer (the server's own cuts) · cursor, calls, expressions, sources, queries, writes (rows)
· session, show, definitions, accounts, upkeep, body (other statements) · statements (the closed table) · found
(what was seen) · second (sqlglot must agree) · redact, template · functions, words (lists) · classify · masking.
Pure: no I/O, no clock.
"""

from hostagent.sql.mysql.classify import MAX_TEXT, analyze

__all__ = ["MAX_TEXT", "analyze"]
