"""Takes password literals out of a text before it is recorded. When in doubt a literal goes; for records alone."""

from __future__ import annotations

from hostagent.sql.analysis import Statement
from hostagent.sql.mysql.found import Found
from hostagent.sql.mysql.tokens import Token, Type
from hostagent.sql.secrets import MASK, SECRET, SECRET_VALUE

# Their arguments are passwords and keys.
_CRYPTING = frozenset(
    {"aes_decrypt", "aes_encrypt", "decode", "des_encrypt", "encode", "encrypt", "old_password", "password"}
)


def recorded_text(text: str, tokens: list[Token], found: list[Found], statements: tuple[Statement, ...]) -> str | None:
    """The text with password literals replaced by '***', or None when there are none."""
    hidden = {index for one in found for index in one.secret}
    for one, statement in zip(found, statements, strict=True):
        crypting = any(f.name in _CRYPTING for f in statement.functions)
        if crypting or any(SECRET.search(name) for name in (*statement.settings, *one.assigned)):
            hidden.update(i for i in range(*one.span) if tokens[i].type is Type.STRING)
    for index, token in enumerate(tokens):
        if token.type is Type.STRING and SECRET_VALUE.search(token.value) is not None:
            hidden.add(index)
    if not hidden:
        return None
    pieces, at = [], 0
    for index in sorted(hidden):
        pieces += [text[at : tokens[index].start], MASK]
        at = tokens[index].end
    return "".join((*pieces, text[at:]))
