"""Which functions are harmless: built in, reading nothing beyond their arguments and the catalogs, changing nothing.

A closed list, made by tools/list_postgres_functions.py and reviewed. A function that is not in it may do anything.
"""

from __future__ import annotations

from importlib import resources

from hostagent.sql.analysis import Name

# read at import: a worker has given up the right to read it by the time that it is asked
_LISTED = frozenset(
    resources.files("hostagent.sql").joinpath("data/postgres_functions.txt").read_text(encoding="ascii").split()
)


def is_harmless(name: Name) -> bool:
    """Whether a function, as a statement names it, is a harmless one; an unqualified name counts as pg_catalog."""
    return name.schema in ("", "pg_catalog") and name.name in _LISTED
