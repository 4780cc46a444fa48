"""Text → parse tree, as the JSON that libpg_query writes: plain dictionaries, far faster to walk than protobuf.

A field of type Node holds `{"SelectStmt": {…}}`; a field of a concrete type holds the body alone. `FIELDS` tells
which, from the descriptors that belong to the same parser, so a field that they do not name is not understood.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any

from postgast import pg_query_pb2
from postgast.native import lib

Tree = dict[str, Any]

NODE = "Node"


def _fields() -> dict[str, dict[str, str]]:
    return {
        name: {f.json_name: f.message_type.name for f in message.fields if f.message_type is not None}
        for name, message in pg_query_pb2.DESCRIPTOR.message_types_by_name.items()
    }


FIELDS: dict[str, dict[str, str]] = _fields()


class Unparsed(Exception):
    """The parser refused the text; `str()` repeats nothing of it. `syntax`, `position`: see `Unanalyzed`."""

    def __init__(self, reason: str, syntax: str = "", position: int = 0) -> None:
        self.syntax = syntax
        self.position = position
        super().__init__(reason)


def parse(text: bytes) -> list[Tree]:
    """The RawStmt bodies of a text, in order: `stmt`, `stmt_location` and `stmt_len`, in bytes.

    Raises Unparsed for a syntax error, and RecursionError where the tree is deeper than the interpreter allows.
    """
    result = lib.pg_query_parse(ctypes.c_char_p(text))
    try:
        if result.error:
            raise _unparsed(result.error.contents)
        if result.stderr_buffer:
            raise Unparsed("the parser warned about the statement")
        statements: list[Tree] = json.loads(result.parse_tree).get("stmts", [])
    finally:
        lib.pg_query_free_parse_result(result)
    return statements


def _unparsed(error: Any) -> Unparsed:
    said, place = (error.message or b"").decode("utf-8", "replace"), max(0, error.cursorpos)
    what = "syntax error" if said.startswith("syntax error") else "not accepted"
    return Unparsed(f"{what} at character {place}" if place else what, said, place)
