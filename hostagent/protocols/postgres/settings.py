"""The session settings that change what a statement's text means, and what is done to keep them known.

Pinned, because under other values the same bytes are another statement: `standard_conforming_strings` stays on, and
`client_encoding` stays one in which no byte of a longer character is an ASCII byte. SJIS, BIG5, GBK, UHC, GB18030,
JOHAB and SHIFT_JIS_2004 have 0x5C (backslash) as a second byte. What is not in the list is refused.

Watched: where unqualified names resolve. It is asked for once, at the start; whatever may change it makes it unknown
(None) for the rest of the session. That is any forwarded ruling whose `kinds` hold one of `_MOVING_KINDS` or whose
`settings` hold one of `_MOVING_SETTINGS`; a SET that names no settings counts as all of them (RESET ALL, DISCARD).
A SET of others, such as application_name, leaves it known. So does DDL, unless it makes, drops or renames a schema: a
schema is on the path when it is there and may be used (namespace.c, recomputeNamespacePath).
"""

from __future__ import annotations

from hostagent.protocols.postgres.denial import Refused
from hostagent.values.decision import Ruling

_LATIN = {f"latin{n}": codec for n, codec in ((1, "iso8859-1"), (2, "iso8859-2"), (3, "iso8859-3"), (4, "iso8859-4"))}
_LATIN |= {"latin5": "iso8859-9", "latin6": "iso8859-10", "latin7": "iso8859-13", "latin8": "iso8859-14"}
_LATIN |= {"latin9": "iso8859-15", "latin10": "iso8859-16"}
_LATIN |= {f"iso8859{n}": f"iso8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)}
_WINDOWS = {f"win{n}": f"cp{n}" for n in (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)}
_WINDOWS |= {f"windows{n}": f"cp{n}" for n in (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)}
_OTHERS = {"koi8": "koi8-r", "koi8r": "koi8-r", "koi8u": "koi8-u", "eucjp": "euc_jp", "euckr": "euc_kr"}
CODECS: dict[str, str] = {"utf8": "utf-8", "unicode": "utf-8", "sqlascii": "utf-8", **_LATIN, **_WINDOWS, **_OTHERS}

_TRUE = frozenset({"on", "true", "t", "tr", "tru", "yes", "y", "ye", "1"})  # parse_bool: unique prefixes too
_LEXICAL = frozenset({"client_encoding", "names", "standard_conforming_strings", "backslash_quote", "all", "*"})
_MOVING_SETTINGS = frozenset({"search_path", "schema", "role", "session_authorization", "all", "*"})
_MOVING_KINDS = frozenset({"system", "role", "grant", "revoke", "call", "do"})
_DDL = frozenset({"create", "drop", "alter"})


def codec_of(encoding: str) -> str | None:
    """The Python codec of a PostgreSQL encoding name, or None when it is not known to be safe.

    Names are compared as PostgreSQL compares them (clean_encoding_name): letters and digits, lower case.
    """
    return CODECS.get("".join(c for c in encoding.lower() if c.isascii() and c.isalnum()))


def refuse_unsafe(name: str, value: str) -> None:
    """Raise `Refused` when a startup parameter or status would make a statement's bytes mean something else."""
    if name == "client_encoding" and codec_of(value) is None:
        raise Refused(
            "22023",
            f'client_encoding "{value[:64]}" is refused: statements in it cannot be read safely',
            "Use client_encoding UTF8.",
        )
    if name == "standard_conforming_strings" and value.strip().lower() not in _TRUE:
        raise Refused(
            "22023",
            "standard_conforming_strings must stay on: statements cannot be read safely without it",
            "Write backslash escapes as E'...' strings.",
        )


def parse_schemas(text: str) -> tuple[str, ...] | None:
    """The names in a one-dimensional `name[]` as text (`{public,"My Schema"}`), None when malformed."""
    if len(text) < 2 or text[0] != "{" or text[-1] != "}":
        return None
    names: list[str] = []
    pos, end = 1, len(text) - 1
    while pos < end:
        name = ""
        if text[pos] == '"':
            pos += 1
            while pos < end and text[pos] != '"':
                pos += text[pos] == "\\"
                name += text[pos : pos + 1]
                pos += 1
            pos += 1
        else:
            stop = text.find(",", pos, end)
            stop = end if stop < 0 else stop
            name, pos = text[pos:stop], stop
        if not name or pos > end or (pos < end and text[pos] != ","):
            return None
        names.append(name)
        pos += 1
    return tuple(names)


class Settings:
    """What is known of one session's settings. `context` and `schemas` go into every request."""

    __slots__ = ("codec", "context", "encoding", "schemas", "server_version")

    def __init__(self) -> None:
        self.encoding = "UTF8"
        self.codec = "utf-8"
        self.context: tuple[str, ...] = ()
        self.schemas: tuple[str, ...] | None = None
        self.server_version = ""

    def started(self, encoding: str, database: str, user: str) -> None:
        """What the startup message says; `encoding` is empty where it leaves that to the server."""
        self.encoding, self.codec = encoding or self.encoding, codec_of(encoding) or self.codec
        self.context = (f"database={database}", f"user={user}")

    def status(self, name: str, value: str) -> None:
        """A ParameterStatus came from the server. Raises `Refused` when the session cannot be read safely any more."""
        refuse_unsafe(name, value)
        if name == "client_encoding":
            self.encoding, self.codec = value, codec_of(value) or "utf-8"
        elif name == "server_version":
            self.server_version = value

    def ran(self, ruling: Ruling) -> None:
        """A statement with that ruling goes to the server to be run."""
        if self.schemas is None:
            return
        touched = frozenset(ruling.settings)
        set_of_unknown = "set" in ruling.kinds and not touched
        of_schema = not _DDL.isdisjoint(ruling.kinds) and any(name.endswith(".*") for name in ruling.relations)
        if set_of_unknown or touched & _MOVING_SETTINGS or of_schema or not _MOVING_KINDS.isdisjoint(ruling.kinds):
            self.schemas = None


def changes_reading(ruling: Ruling) -> bool:
    """Whether the statement may change how the bytes after it are read: nothing may be read before it has ended."""
    if not ruling.settings:
        return "set" in ruling.kinds
    return not _LEXICAL.isdisjoint(ruling.settings)
