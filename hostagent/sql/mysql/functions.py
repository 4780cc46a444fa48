"""Functions that are built into the servers, and which of them are harmless: they read nothing but their arguments and
what the session is, and change nothing.

A closed list, a function a line: name, versions of MariaDB and MySQL that have it (`-` none, 0 all), and whether it is
harmless. A call of anything else is of a stored or a loadable function, which may do anything.
"""

from __future__ import annotations

from importlib import resources

from hostagent.sql.analysis import Name
from hostagent.values.mysql import Flavor, MysqlSettings

# Functions only where a parenthesis follows at once, unless IGNORE_SPACE is on: else they name stored ones.
GLUED = frozenset(
    {
        "adddate", "bit_and", "bit_or", "bit_xor", "cast", "count", "curdate", "curtime", "date_add", "date_sub",
        "extract", "group_concat", "json_arrayagg", "json_objectagg", "max", "median", "mid", "min", "now", "position",
        "session_user", "st_collect", "std", "stddev", "stddev_pop", "stddev_samp", "subdate", "substr", "substring",
        "sum", "sysdate", "system_user", "trim", "var_pop", "var_samp", "variance",
    }
)  # fmt: skip


def _load() -> dict[str, tuple[str, str, bool]]:
    text = resources.files("hostagent.sql").joinpath("data/mysql_functions.txt").read_text(encoding="ascii")
    rows = (line.split() for line in text.splitlines())
    return {name: (mariadb, mysql, word == "harmless") for name, mariadb, mysql, word in rows}


# read at import: a worker has given up the right to read it by the time that it is asked
_LISTED = _load()
_HARMLESS = frozenset(name for name, (_, _, harmless) in _LISTED.items() if harmless)


def is_native(word: str, settings: MysqlSettings) -> bool:
    """Whether an unqualified call of that name (lower case) is one of the server's own functions."""
    listed = _LISTED.get(word)
    if listed is None:
        return False
    since = listed[0] if settings.flavor is Flavor.MARIADB else listed[1]
    return since != "-" and settings.version >= int(since)


def is_harmless(name: Name) -> bool:
    """Whether a function, as an analysis names it, is a harmless one of the server."""
    return not name.schema and name.name in _HARMLESS
