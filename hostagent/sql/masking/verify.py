"""The last look before a text is sent: parsed again, it must be the tree that the replacements made of the original."""

from __future__ import annotations

from typing import Any

from hostagent.sql.masking.refusal import Refused
from hostagent.sql.postgres.tree import Tree, Unparsed, parse

_PLACES = frozenset(
    {
        "list_end",
        "list_start",
        "location",
        "name_location",
        "rexpr_list_end",
        "rexpr_list_start",
        "stmt_len",
        "stmt_location",
    }
)


def check(text: bytes, expected: list[Tree]) -> None:
    """Raises Refused where the text is not what was meant."""
    try:
        found = parse(text)
    except Unparsed:
        raise Refused("the masked statement is not one that the parser accepts") from None
    if not _same(found, expected):
        raise Refused("the masked statement would mean something else")


def _same(one: Any, other: Any) -> bool:
    """Whether two trees are equal but for places in the text."""
    stack = [(one, other)]
    while stack:
        one, other = stack.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, list):
            if len(one) != len(other):
                return False
            stack.extend(zip(one, other, strict=True))
        elif isinstance(one, dict):
            if one.keys() - _PLACES != other.keys() - _PLACES:
                return False
            stack.extend((value, other[key]) for key, value in one.items() if key not in _PLACES)
        elif one != other:
            return False
    return True
