"""Relations of the server that may be read in a session with masks: they describe, they hold no values of columns.

What is not listed is refused: statements of other sessions, status counters, statistics of storage engines, the
schemas mysql, performance_schema and sys.
"""

from __future__ import annotations

from hostagent.sql.analysis import Name
from hostagent.sql.masking.values import Mask, Masked, MaskKind

SCHEMAS = frozenset({"information_schema", "mysql", "performance_schema", "sys"})

_LISTED = """
applicable_roles character_sets check_constraints collation_character_set_applicability collations column_privileges
columns enabled_roles engines events key_column_usage keywords parameters partitions plugins referential_constraints
routines schema_privileges schemata sql_functions statistics system_variables table_constraints table_privileges tables
triggers user_privileges view_routine_usage view_table_usage views
"""
_ALLOWED = frozenset(_LISTED.split())
_NUMBERS = Mask("statistics of columns", MaskKind.NULL, ())
# How many different values a column has, and checksums over all of them.
_MASKED: dict[str, Masked] = {
    "partitions": {"checksum": _NUMBERS},
    "statistics": {"cardinality": _NUMBERS},
    "tables": {"checksum": _NUMBERS},
}


def may_be_read(name: Name) -> bool:
    """Whether a relation of the server tells no value of a column."""
    return name.schema == "information_schema" and name.name in _ALLOWED


def masked_columns(name: Name) -> Masked:
    """The columns of such a relation (lower case) that are masked in every session with masks."""
    return _MASKED.get(name.name, {}) if name.schema == "information_schema" else {}
