# ruff: noqa: S608  names stand in it as hex digits alone
"""The one text that asks a MySQL or MariaDB server for a catalog. The answer is one value: hex digits of UTF-8 JSON.

It runs in the client's own session, under whatever sql_mode and character sets that has: names are hex literals, and
nothing in it is quoted. What the server cuts short (group_concat_max_len) is noticed: each list comes with its length.
"""

from __future__ import annotations

from hostagent.sql.analysis import Name
from hostagent.sql.masking.values import Needs
from hostagent.values.mysql import Flavor

MAX_NAMES = 200  # relations of one text
_SCHEMA = "information_schema"


def catalog_query(needs: Needs, flavor: Flavor) -> str:
    """The text for COM_QUERY. Raises ValueError for more than MAX_NAMES names."""
    relations = sorted(needs.relations)
    if len(relations) > MAX_NAMES:
        raise ValueError("too many names")
    rows = ", ".join(_relation(name, flavor) for name in relations)
    return f"SELECT HEX(CONVERT(JSON_ARRAY({rows}) USING utf8mb4))"


def _relation(name: Name, flavor: Flavor) -> str:
    schema, table = _hex(name.schema), _hex(name.name)
    at = f"table_schema = {schema} AND table_name = {table}"
    referenced = "referenced_table_schema, referenced_table_name, referenced_column_name"
    if flavor is Flavor.MARIADB:
        checks = f"{_SCHEMA}.check_constraints WHERE constraint_schema = {schema} AND table_name = {table}"
    else:
        checks = (
            f"{_SCHEMA}.check_constraints JOIN {_SCHEMA}.table_constraints USING (constraint_schema, constraint_name)"
            f" WHERE table_constraints.table_schema = {schema} AND table_constraints.table_name = {table}"
        )
    parts = [
        schema,
        table,
        f"(SELECT MAX(table_type) FROM {_SCHEMA}.tables WHERE {at})",
        f"(SELECT MAX(view_definition) FROM {_SCHEMA}.views WHERE {at})",
        *_list(
            "table_name, ordinal_position, column_name, data_type, column_type, numeric_precision, numeric_scale,"
            " extra, generation_expression",
            f"{_SCHEMA}.columns WHERE {at}",
        ),
        *_list("table_name, index_name, non_unique, column_name", f"{_SCHEMA}.statistics WHERE {at}"),
        *_list(
            f"table_name, column_name, {referenced}",
            f"{_SCHEMA}.key_column_usage WHERE {at} AND referenced_table_name IS NOT NULL",
        ),
        *_list("check_clause", checks),
        f"(SELECT COUNT(*) FROM {_SCHEMA}.triggers"
        f" WHERE event_object_schema = {schema} AND event_object_table = {table})",
        _granted("TRIGGER", schema, table),
        _granted("SELECT", schema, table),
    ]
    return f"JSON_ARRAY({', '.join(parts)})"


def _list(columns: str, source: str) -> tuple[str, str]:
    """A list of rows, and how many there are."""
    return f"(SELECT JSON_ARRAYAGG(JSON_ARRAY({columns})) FROM {source})", f"(SELECT COUNT(*) FROM {source})"


def _granted(privilege: str, schema: str, table: str) -> str:
    """How many grants give the session a privilege on all of a relation. Without TRIGGER there could be triggers, and
    without SELECT columns, that it does not see."""
    user = "SUBSTRING_INDEX(CURRENT_USER(), x'40', 1), x'274027', SUBSTRING_INDEX(CURRENT_USER(), x'40', -1)"
    grantee = f"CONVERT(CONCAT(x'27', {user}, x'27') USING utf8mb4)"
    mine = f"grantee = {grantee} AND privilege_type = {_hex(privilege)}"
    return (
        f"((SELECT COUNT(*) FROM {_SCHEMA}.user_privileges WHERE {mine})"
        f" + (SELECT COUNT(*) FROM {_SCHEMA}.schema_privileges WHERE {mine} AND table_schema = {schema})"
        f" + (SELECT COUNT(*) FROM {_SCHEMA}.table_privileges WHERE {mine} AND table_schema = {schema}"
        f" AND table_name = {table}))"
    )


def _hex(name: str) -> str:
    return f"_utf8mb4 x'{name.encode().hex()}'"
