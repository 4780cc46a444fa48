"""Analysis: what one statement text does, in words that policy can match. Values only.

An analysis is complete or it is not given: whatever the analyzer could not see into makes the whole text
`Unanalyzed`, which policy denies.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Statement kinds. One statement can have several: `EXPLAIN ANALYZE INSERT …` is explain and insert."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    TRUNCATE = "truncate"
    COPY_TO = "copy_to"  # rows leave the server, to the client
    COPY_FROM = "copy_from"  # rows come from the client
    SERVER_FILE = "server_file"  # COPY to or from a file or program of the server, LOAD
    CREATE = "create"
    ALTER = "alter"
    DROP = "drop"
    COMMENT = "comment"  # COMMENT ON, SECURITY LABEL
    GRANT = "grant"
    REVOKE = "revoke"
    ROLE = "role"  # CREATE/ALTER/DROP ROLE, REASSIGN/DROP OWNED, default privileges
    TRANSACTION = "transaction"
    SET = "set"  # SET, RESET, DISCARD, SET ROLE, SET CONSTRAINTS
    SHOW = "show"
    EXPLAIN = "explain"
    PREPARE = "prepare"
    EXECUTE = "execute"
    DEALLOCATE = "deallocate"
    CURSOR = "cursor"  # DECLARE, FETCH, MOVE, CLOSE
    NOTIFY = "notify"  # LISTEN, NOTIFY, UNLISTEN
    LOCK = "lock"
    CALL = "call"
    DO = "do"
    MAINTENANCE = "maintenance"  # VACUUM, ANALYZE, CLUSTER, REINDEX, CHECKPOINT, REFRESH
    SYSTEM = "system"  # ALTER SYSTEM, CREATE/DROP DATABASE and TABLESPACE, extensions, foreign servers, subscriptions
    FUNCTION_CALL = "function_call"  # the FunctionCall message of the wire protocol
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A possibly qualified SQL name. `schema` is empty where the text did not say."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the text names it; `relation` is the alias or table before the dot, resolved where it can be."""

    relation: str
    name: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text. `settings` are the names that SET, RESET or set_config touch, lower case."""

    kinds: frozenset[Kind]
    reads: frozenset[Name] = frozenset()
    writes: frozenset[Name] = frozenset()
    columns: frozenset[Column] = frozenset()
    functions: frozenset[Name] = frozenset()
    settings: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Analysis:
    """All statements of a text, in order; never empty (an empty text is one EMPTY statement).

    `recorded_text` is the text with password literals taken out, or None when there are none.
    """

    statements: tuple[Statement, ...]
    recorded_text: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values for the analyzer's socket; `from_json` gives the analysis back."""

        def statement(s: Statement) -> dict[str, Any]:
            return {
                "kinds": sorted(s.kinds),
                "reads": sorted([n.schema, n.name] for n in s.reads),
                "writes": sorted([n.schema, n.name] for n in s.writes),
                "columns": sorted([c.relation, c.name] for c in s.columns),
                "functions": sorted([n.schema, n.name] for n in s.functions),
                "settings": sorted(s.settings),
            }

        return {"statements": [statement(s) for s in self.statements], "recorded_text": self.recorded_text}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Analysis:
        """The analysis that `to_json` described. Raises KeyError, TypeError or ValueError on another shape."""

        def names(rows: list[list[str]]) -> frozenset[Name]:
            return frozenset(Name(schema, name) for schema, name in rows)

        statements = tuple(
            Statement(
                kinds=frozenset(Kind(k) for k in s["kinds"]),
                reads=names(s["reads"]),
                writes=names(s["writes"]),
                columns=frozenset(Column(relation, name) for relation, name in s["columns"]),
                functions=names(s["functions"]),
                settings=frozenset(s["settings"]),
            )
            for s in data["statements"]
        )
        if not statements:
            raise ValueError("an analysis has at least one statement")
        return cls(statements, data["recorded_text"])


@dataclass(frozen=True, slots=True)
class Unanalyzed:
    """A text that could not be analyzed. `reason` is written for the client and names no internals.

    `syntax`: the parser's own words where it refused the text, at the character `position` (from 1; 0: none). They may
    quote the text, so they are for its client alone.
    """

    reason: str
    syntax: str = ""
    position: int = 0
