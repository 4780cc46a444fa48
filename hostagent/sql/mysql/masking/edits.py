"""The text that is sent: the tokens of the client's, some of them replaced. Comments are gone, of either kind."""

from __future__ import annotations

from hostagent.sql.masking.refusal import Refused
from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.modes import reading
from hostagent.sql.mysql.tokens import Token, Type, Unread
from hostagent.values.mysql import MysqlSettings


class Edits:
    """Replacements of tokens `first` to before `end`; they never overlap."""

    def __init__(self, tokens: list[Token], settings: MysqlSettings) -> None:
        self._tokens = tokens
        self._how = reading(settings)
        self._made: dict[int, tuple[int, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._made)

    def replace(self, first: int, end: int, text: str) -> None:
        """Puts a text in the place of these tokens; an empty one takes them out."""
        if first in self._made:
            raise Refused("a name stands for two relations")
        self._made[first] = (end, text)

    def apply(self) -> str:
        """The text of all tokens, edited. Raises Refused where it would be cut into other tokens than those meant."""
        pieces: list[str] = []
        expected: list[tuple[Type, str]] = []
        at, glue = 0, False
        while at < len(self._tokens) - 1:
            token = self._tokens[at]
            made = self._made.get(at)
            if made is None:
                pieces += [token.text] if token.glued and glue else [" ", token.text]
                expected.append((token.type, token.text))
                at, glue = at + 1, True
            else:
                at, text = made
                pieces += [" ", text]
                expected += [(t.type, t.text) for t in self._cut(text)]
                glue = bool(text)
        sent = "".join(pieces).strip()
        if [(t.type, t.text) for t in self._cut(sent)] != expected:
            raise Refused("the masked statement would mean something else")
        return sent

    def _cut(self, text: str) -> list[Token]:
        try:
            return lex(text, self._how)[:-1]
        except Unread:
            raise Refused("the masked statement would mean something else") from None
