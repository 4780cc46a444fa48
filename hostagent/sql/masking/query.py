"""The one text that asks the server for a catalog, for PostgreSQL 13 and later. The answer is one row of one text.

It runs in the client's own session, under whatever search_path the client has set, so every function, type, relation
and operator in it is qualified with pg_catalog, and nothing in it raises for a name that is not there. It reads what
the session's role may read anyway and changes nothing. It must not be sent into a failed transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources

from hostagent.sql.masking.values import Needs

# read at import: a worker has given up the right to read it by the time that it is asked
CATALOG_QUERY = resources.files("hostagent.sql.masking").joinpath("catalog.sql").read_text(encoding="ascii")
# What unqualified names mean to the session: where they are looked for, as whom, and among which temporary relations.
PLACE_QUERY = """SELECT pg_catalog.json_build_array(
  pg_catalog.current_schemas(true), CURRENT_USER,
  CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN (
    SELECT pg_catalog.json_agg(c.oid::pg_catalog.int8 ORDER BY c.oid) FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) END)::pg_catalog.text"""
MAX_NAMES = 1000  # relations, functions and operators of one text


def catalog_query(needs: Needs) -> str:
    """The text for the simple query protocol. Raises ValueError for more than MAX_NAMES names or a NUL in one.

    It needs `standard_conforming_strings = on`, as every session with masks has.
    """
    relations = sorted(needs.relations)
    if len(relations) + len(needs.functions) + len(needs.operators) > MAX_NAMES:
        raise ValueError("too many names")
    asked = {
        "schemas": _array(r.schema for r in relations),
        "names": _array(r.name for r in relations),
        "functions": _array(sorted(needs.functions)),
        "operators": _array(sorted(needs.operators)),
    }
    return re.sub(":asked_([a-z]+)", lambda m: asked[m.group(1)], CATALOG_QUERY)


def _array(texts: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(map(_literal, texts))}]::pg_catalog.text[]"


def _literal(text: str) -> str:
    if "\0" in text:
        raise ValueError("a name with a NUL")
    return "'" + text.replace("'", "''") + "'"
