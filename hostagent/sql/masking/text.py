"""The text of a statement as tokens with their place, and the edits that are spliced into it. All places are bytes."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from postgast import PgQueryError, pg_query_pb2, scan

from hostagent.sql.masking.refusal import Refused

_COMMENTS = frozenset({pg_query_pb2.SQL_COMMENT, pg_query_pb2.C_COMMENT})
_STRINGS = frozenset({pg_query_pb2.SCONST, pg_query_pb2.USCONST})

Span = tuple[int, int]


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as a plain SQL literal (standard_conforming_strings is on in every session with masks)."""
    return "'" + value.replace("'", "''") + "'"


class Tokens:
    """The tokens of a text without comments. Raises Refused where the scanner fails, or no token starts at a place."""

    __slots__ = ("_starts", "_tokens", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        try:
            found = scan(raw.decode()).tokens
        except PgQueryError:
            raise Refused("the statement cannot be read token by token") from None
        self._tokens = [(t.start, t.end, t.token) for t in found if t.token not in _COMMENTS]
        self._starts = [start for start, _, _ in self._tokens]

    def at(self, place: int) -> int:
        """The index of the token that starts at that place."""
        index = bisect_left(self._starts, place)
        if index == len(self._starts) or self._starts[index] != place:
            raise Refused("the statement cannot be read token by token")
        return index

    def span(self, index: int) -> Span:
        """Where a token starts and ends; behind the last one, the end of the text."""
        if index >= len(self._tokens):
            return len(self.raw), len(self.raw)
        return self._tokens[index][:2]

    def word(self, index: int) -> str:
        """The text of a token in lower case, empty beyond both ends."""
        if not 0 <= index < len(self._tokens):
            return ""
        start, end, _ = self._tokens[index]
        return self.raw[start:end].decode().lower()

    def name(self, index: int) -> tuple[list[Span], int]:
        """The parts of the dotted name that starts there, and the index of the token behind it."""
        parts = []
        while True:
            start, end = self.span(index)
            index += 1
            if self.word(index) == "uescape" and self._tokens[index + 1][2] in _STRINGS:
                end = self.span(index + 1)[1]
                index += 2
            parts.append((start, end))
            if self.word(index) != ".":
                return parts, index
            index += 1

    def argument(self, index: int) -> Span:
        """Where the first argument of a call stands; `index` is the token of its opening bracket."""
        start, depth = self.span(index + 1)[0], 0
        while depth or self.word(index + 1) not in (",", ")"):
            index += 1
            word = self.word(index)
            depth += (word in ("(", "[")) - (word in (")", "]"))
            if not word or depth < 0:
                raise Refused("the statement cannot be read token by token")
        return start, self.span(index)[1]


@dataclass(slots=True)
class Edits:
    """Replacements of parts of a text; they may not overlap."""

    made: dict[tuple[int, int, str], None] = field(default_factory=dict)

    def replace(self, start: int, end: int, text: str) -> None:
        """Replaces the bytes from `start` to before `end`; both the same: inserts. Twice the same is once."""
        self.made[start, end, text] = None  # SET (a, b) = (SELECT …) stands twice in the tree

    def around(self, raw: bytes, spans: list[Span]) -> list[str]:
        """The text with all replacements, cut out at these spans. Raises Refused where one was replaced or overlaps."""
        cut = Edits({**self.made, **{(start, end, "\0"): None for start, end in spans}})
        return cut.apply(raw).decode().split("\0")  # no statement has a NUL

    def apply(self, raw: bytes) -> bytes:
        """The text with all replacements. Raises Refused where two overlap."""
        pieces, at = [], 0
        for start, end, text in sorted(
            self.made, key=lambda edit: edit[:2]
        ):  # two at one place: the outer one came first
            if start < at:
                raise Refused("the statement cannot be rewritten piece by piece")
            pieces += [raw[at:start], text.encode()]
            at = end
        return b"".join((*pieces, raw[at:]))
