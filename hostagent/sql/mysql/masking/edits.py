"""The text that is sent: the tokens of the client's, some of them replaced. Comments are gone, of either kind."""

from __future__ import annotations

from collections.abc import Iterator

from hostagent.sql.masking.refusal import Refused
from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.modes import reading
from hostagent.sql.mysql.tokens import Token, Type, Unread
from hostagent.values.mysql import MysqlSettings


class Edits:
    """Replacements of tokens `first` to before `end`, and what is put behind tokens; they never overlap."""

    def __init__(self, tokens: list[Token], settings: MysqlSettings) -> None:
        self._tokens = tokens
        self._how = reading(settings)
        self._made: dict[int, tuple[int, str]] = {}
        self._behind: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self._made)

    def replace(self, first: int, end: int, text: str) -> None:
        """Puts a text in the place of these tokens; an empty one takes them out."""
        if first in self._made:
            raise Refused("a name stands for two relations")
        self._made[first] = (end, text)

    def append(self, end: int, text: str) -> None:
        """Puts a text behind the token before `end`, which stays."""
        self._behind[end - 1] = text

    def touch(self, first: int, end: int) -> bool:
        """Whether anything from token `first` to before `end` is replaced."""
        return any(first <= at < end for at in self._made)

    def apply(self) -> str:
        """The text of all tokens, edited. Raises Refused where it would be cut into other tokens than those meant."""
        parts: list[str] = []
        expected: list[tuple[Type, str]] = []
        for text, token in self._written():
            parts.append(text)
            expected += [(token.type, token.text)] if token else [(t.type, t.text) for t in self._cut(text)]
        sent = "".join(parts)
        if [(t.type, t.text) for t in self._cut(sent)] != expected:
            raise Refused("the masked statement would mean something else")
        return sent

    def around(self, spans: list[tuple[int, int]]) -> list[str]:
        """What `apply` gives, around the tokens at these places in the client's text, as far as they stand in it."""
        pieces, places = [""], set(spans)
        for text, token in self._written():
            if token is not None and (token.start, token.end) in places:
                pieces.append("")
            else:
                pieces[-1] += text
        return pieces

    def _written(self) -> Iterator[tuple[str, Token | None]]:
        """The parts of the text: tokens of the client's, and what is ours."""
        at, glue, begun = 0, False, False
        while at < len(self._tokens) - 1:
            token = self._tokens[at]
            made = self._made.get(at)
            if begun and (made is not None or not (token.glued and glue)):
                yield " ", None
            begun = True
            if made is None:
                yield token.text, token
                if at in self._behind:
                    yield f" {self._behind[at]}", None
                at, glue = at + 1, at not in self._behind
            else:
                at, text = made
                yield text, None
                glue = bool(text)

    def _cut(self, text: str) -> list[Token]:
        try:
            return lex(text, self._how)[:-1]
        except Unread:
            raise Refused("the masked statement would mean something else") from None
