"""Every command there is, and what is done with it: decided, passed, or refused. What is not in the table is refused.

Source: MySQL include/my_command.h, MariaDB include/mysql_com.h (enum_server_command).
"""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.mysql.packets import nul_bytes
from hostagent.protocols.mysql.statements import Awaited


class Treatment:
    """What is done with a command. Plain numbers: one is looked at for each command."""

    REFUSED: Final = 0  # with an ERR; it does not reach the server
    TEXT: Final = 1  # decided by its text
    NAMED: Final = 2  # decided by a statement that says the same
    EXECUTE: Final = 3  # decided by the text that was prepared
    FETCH: Final = 4  # passed for a cursor of a decided statement
    STATEMENT: Final = 5  # passed for a prepared statement
    PASSED: Final = 6
    RESET: Final = 7  # passed; then settings are asked for anew
    QUIT: Final = 8
    LOGIN: Final = 9  # the session begins anew, in a database that is decided on


QUIT: Final = 0x01
INIT_DB: Final = 0x02
QUERY: Final = 0x03
FIELD_LIST: Final = 0x04
STATISTICS: Final = 0x09
PROCESS_INFO: Final = 0x0A
PROCESS_KILL: Final = 0x0C
PING: Final = 0x0E
CHANGE_USER: Final = 0x11
STMT_PREPARE: Final = 0x16
STMT_EXECUTE: Final = 0x17
STMT_SEND_LONG_DATA: Final = 0x18
STMT_CLOSE: Final = 0x19
STMT_RESET: Final = 0x1A
STMT_FETCH: Final = 0x1C
RESET_CONNECTION: Final = 0x1F

NAMES: Final = {
    0x00: "COM_SLEEP", QUIT: "COM_QUIT", INIT_DB: "COM_INIT_DB", QUERY: "COM_QUERY", FIELD_LIST: "COM_FIELD_LIST",
    0x05: "COM_CREATE_DB", 0x06: "COM_DROP_DB", 0x07: "COM_REFRESH", 0x08: "COM_SHUTDOWN",
    STATISTICS: "COM_STATISTICS", PROCESS_INFO: "COM_PROCESS_INFO", 0x0B: "COM_CONNECT",
    PROCESS_KILL: "COM_PROCESS_KILL", 0x0D: "COM_DEBUG", PING: "COM_PING", 0x0F: "COM_TIME",
    0x10: "COM_DELAYED_INSERT", CHANGE_USER: "COM_CHANGE_USER", 0x12: "COM_BINLOG_DUMP", 0x13: "COM_TABLE_DUMP",
    0x14: "COM_CONNECT_OUT", 0x15: "COM_REGISTER_SLAVE", STMT_PREPARE: "COM_STMT_PREPARE",
    STMT_EXECUTE: "COM_STMT_EXECUTE", STMT_SEND_LONG_DATA: "COM_STMT_SEND_LONG_DATA", STMT_CLOSE: "COM_STMT_CLOSE",
    STMT_RESET: "COM_STMT_RESET", 0x1B: "COM_SET_OPTION", STMT_FETCH: "COM_STMT_FETCH", 0x1D: "COM_DAEMON",
    0x1E: "COM_BINLOG_DUMP_GTID", RESET_CONNECTION: "COM_RESET_CONNECTION", 0x20: "COM_CLONE",
    0x21: "COM_SUBSCRIBE_GROUP_REPLICATION_STREAM", 0xFA: "COM_STMT_BULK_EXECUTE", 0xFB: "COM_SLAVE_WORKER",
    0xFC: "COM_SLAVE_IO", 0xFD: "COM_SLAVE_SQL", 0xFE: "COM_MULTI",
}  # fmt: skip

TREATMENTS: Final = {
    QUIT: Treatment.QUIT,
    INIT_DB: Treatment.NAMED,
    QUERY: Treatment.TEXT,
    FIELD_LIST: Treatment.NAMED,
    STATISTICS: Treatment.PASSED,  # uptime and counts of the server, as a line
    PROCESS_INFO: Treatment.NAMED,
    PROCESS_KILL: Treatment.NAMED,
    PING: Treatment.PASSED,
    CHANGE_USER: Treatment.LOGIN,
    STMT_PREPARE: Treatment.TEXT,
    STMT_EXECUTE: Treatment.EXECUTE,
    STMT_SEND_LONG_DATA: Treatment.STATEMENT,
    STMT_CLOSE: Treatment.STATEMENT,
    STMT_RESET: Treatment.STATEMENT,
    STMT_FETCH: Treatment.FETCH,
    RESET_CONNECTION: Treatment.RESET,
}

WHY_REFUSED: Final = {
    CHANGE_USER: "another user's session is a connection of its own: open one",  # where no credential is held
    0x1B: "whether texts may hold several statements is settled when a session begins",  # SET_OPTION
}

ANSWERS: Final = {
    INIT_DB: Awaited.STATUS, QUERY: Awaited.RESULTS, FIELD_LIST: Awaited.FIELDS, STATISTICS: Awaited.LINE,
    PROCESS_INFO: Awaited.RESULTS, PROCESS_KILL: Awaited.STATUS, PING: Awaited.STATUS, STMT_PREPARE: Awaited.PREPARED,
    STMT_EXECUTE: Awaited.RESULTS, STMT_RESET: Awaited.STATUS, STMT_FETCH: Awaited.ROWS,
    RESET_CONNECTION: Awaited.STATUS, CHANGE_USER: Awaited.STATUS,
}  # fmt: skip
UNANSWERED: Final = frozenset({QUIT, STMT_SEND_LONG_DATA, STMT_CLOSE})


def name_of(kind: int) -> str:
    """The command's name, or its number."""
    return NAMES.get(kind, f"command 0x{kind:02x}")


def as_text(kind: int, body: bytes, codec: str) -> str:
    """The statement that says what a command without a text does. Raises PeerError or UnicodeDecodeError."""
    if kind in (INIT_DB, CHANGE_USER):
        return f"USE {_quoted(body.decode(codec))}"
    if kind == FIELD_LIST:
        return f"SHOW COLUMNS FROM {_quoted(nul_bytes(body, 0)[0].decode(codec))}"
    if kind == PROCESS_INFO:
        return "SHOW PROCESSLIST"
    if len(body) != 4:
        raise PeerError("a COM_PROCESS_KILL of another form from the client")
    return f"KILL {int.from_bytes(body, 'little')}"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
