"""The session settings that change what a statement's text means, and what is done to keep them known.

They are asked for before the client is let in (`PROBE`), and from then on the server says in every OK what has changed:
session tracking (`TRACK`) is on for the default database, sql_mode and the character sets. A change of sql_mode or of
character_set_client that no decided statement could have made ends the session: what was read since may have meant
something else. A character set in which an ASCII byte can be the second of a longer character (GBK, Big5, SJIS, …) is
refused. Source: MySQL "Server Tracking of Client Session State", "Protocol::OK_Packet"; MariaDB "OK_Packet".
"""

from __future__ import annotations

import codecs

from hostagent.errors import PeerError
from hostagent.protocols.mysql.denial import DENIED, Refused
from hostagent.protocols.mysql.packets import lenenc_bytes
from hostagent.values.decision import Ruling
from hostagent.values.mysql import Flavor, MysqlSettings

CODECS = {
    "utf8mb4": "utf-8", "utf8mb3": "utf-8", "utf8": "utf-8", "ascii": "ascii", "latin1": "cp1252",
    "latin2": "iso8859-2", "latin5": "iso8859-9", "latin7": "iso8859-13", "cp1250": "cp1250", "cp1251": "cp1251",
    "cp1256": "cp1256", "cp1257": "cp1257", "cp850": "cp850", "cp852": "cp852", "cp866": "cp866", "greek": "iso8859-7",
    "hebrew": "iso8859-8", "koi8r": "koi8-r", "koi8u": "koi8-u",
}  # fmt: skip

for _codec in CODECS.values():
    codecs.lookup(_codec)  # a worker has given up the right to read the codec's file by the time that it is needed

TRACK = (
    "SET SESSION session_track_schema=1, session_track_system_variables="
    "'autocommit,character_set_client,character_set_connection,character_set_results,sql_mode,time_zone'"
)
PROBE = (
    "SELECT HEX(@@sql_mode), HEX(@@character_set_client), HEX(CONCAT(@@lower_case_table_names)), HEX(VERSION()),"
    " HEX(CONVERT(IFNULL(DATABASE(), '') USING utf8mb4))"
)
_PROBED = 5

_LEXICAL = frozenset(
    {
        "sql_mode", "sql_mode_checks", "names", "names_utf8", "character_set", "character_set_utf8",
        "character_set_client", "charset", "all", "*",
    }
)  # fmt: skip
_TRACKING = frozenset({"session_track_schema", "session_track_system_variables", "*"})
_RUNS_OTHERS = frozenset({"call", "do", "execute"})  # what they run is not in the text
_SYSTEM_VARIABLES, _SCHEMA = 0, 1  # session_state_type


def may_change(ruling: Ruling) -> bool:
    """Whether the statement may change how the next one is read."""
    if "set" in ruling.kinds and not ruling.settings:
        return True
    return not (_LEXICAL.isdisjoint(ruling.settings) and _RUNS_OTHERS.isdisjoint(ruling.kinds))


def may_stop_tracking(ruling: Ruling) -> bool:
    """Whether the server may say less of changes after the statement."""
    return not _TRACKING.isdisjoint(ruling.settings) or not _RUNS_OTHERS.isdisjoint(ruling.kinds)


class Settings:
    """What is known of one session's settings. `mysql`, `context` and `schemas` go into every request."""

    __slots__ = ("codec", "context", "mysql", "schemas", "server_version", "user")

    def __init__(self) -> None:
        self.codec = "utf-8"
        self.server_version = ""
        self.user = ""
        self.mysql = MysqlSettings(Flavor.MYSQL, 0, (), "utf8mb4", "", 0)
        self.context: tuple[str, ...] = ()
        self.schemas: tuple[str, ...] | None = None

    def probed(self, row: list[bytes | None]) -> None:
        """The server's answer to PROBE. Raises Refused or PeerError."""
        if len(row) != _PROBED:
            raise PeerError("an answer of another form from the server")
        sql_mode, charset, names, version, database = [_from_hex(value) for value in row]
        if names not in ("0", "1", "2"):
            raise PeerError("an impossible lower_case_table_names from the server")
        self.server_version = version
        flavor = Flavor.MARIADB if "mariadb" in version.lower() else Flavor.MYSQL
        self._became(MysqlSettings(flavor, version_number(version), _modes(sql_mode), charset, database, int(names)))

    def tracked(self, state: bytes, expected: bool) -> None:
        """The session state of an OK. `expected`: a decided statement may have changed anything. Raises Refused."""
        before = self.mysql
        sql_mode, charset, database = before.sql_mode, before.charset, before.database
        pos = 0
        while pos < len(state):
            kind = state[pos]
            data, pos = lenenc_bytes(state, pos + 1)
            if kind == _SYSTEM_VARIABLES:
                for name, value in _pairs(data):
                    if name == b"sql_mode":
                        sql_mode = _modes(_text(value))
                    elif name == b"character_set_client":
                        charset = _text(value)
            elif kind == _SCHEMA:
                database = _text(lenenc_bytes(data, 0)[0])
        if (sql_mode, charset) != (before.sql_mode, before.charset) and not expected:
            raise Refused(DENIED, "sql_mode or character_set_client changed behind a statement that does not name it")
        if (sql_mode, charset, database) != (before.sql_mode, before.charset, before.database):
            self._became(
                MysqlSettings(before.flavor, before.version, sql_mode, charset, database, before.lower_case_table_names)
            )

    def _became(self, mysql: MysqlSettings) -> None:
        codec = CODECS.get(mysql.charset)
        if codec is None:
            raise Refused(
                DENIED,
                f"character_set_client {mysql.charset[:64]} is refused: statements in it cannot be read safely. "
                "Use utf8mb4.",
            )
        self.mysql, self.codec = mysql, codec
        self.context = (*mysql.context(), f"user={self.user}")
        self.schemas = (mysql.database,) if mysql.database else ()


def version_number(version: str) -> int:
    """A version as executable comments have it: 10.11.19-MariaDB is 101119. Raises PeerError."""
    numbers = [0, 0, 0]
    parts = version.removeprefix("5.5.5-").split("-")[0].split(".")[:3]
    for i, part in enumerate(parts if len(parts) > 1 else ("", "")):
        if not part.isascii() or not part.isdigit() or len(part) > 2:
            if i < 2:
                raise PeerError("a version of another form from the server")
            break
        numbers[i] = int(part)
    return numbers[0] * 10_000 + numbers[1] * 100 + numbers[2]


def _modes(text: str) -> tuple[str, ...]:
    return tuple(sorted(mode for mode in text.upper().split(",") if mode))


def _pairs(data: bytes) -> list[tuple[bytes, bytes]]:
    pairs: list[tuple[bytes, bytes]] = []
    pos = 0
    while pos < len(data):
        name, pos = lenenc_bytes(data, pos)
        value, pos = lenenc_bytes(data, pos)
        pairs.append((name, value))
    return pairs


def _from_hex(value: bytes | None) -> str:
    try:
        return bytes.fromhex((value or b"").decode("ascii")).decode("utf-8")
    except ValueError:
        raise PeerError("an answer of another form from the server") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PeerError("session state from the server that is no text") from None
