"""Tokens of a MySQL text. Values only; places are characters of the text that the client sent."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Type(IntEnum):
    """What a token is. Comments and white space are none."""

    WORD = 1  # an unquoted identifier or keyword
    QUOTED = 2  # an identifier in quotes
    STRING = 3
    NUMBER = 4  # also 0x… and 0b…
    HOLE = 5  # the ? of a prepared text
    VARIABLE = 6  # @name
    SYSTEM = 7  # @@name
    SIGN = 8  # operators and punctuation
    END = 9


class Token(NamedTuple):
    """One token. `value`: a word in lower case, an identifier or string without its quotes and escapes, a sign itself.

    `text` is what stands in the text from `start` to `end`. `glued`: nothing stands between it and the one before.
    """

    type: Type
    value: str
    text: str
    start: int
    end: int
    glued: bool


class Unread(Exception):
    """The text cannot be read with certainty. The reason is written for the client."""
