"""pgAdmin 4: the SQL templates of its browser, filled in for the schema's objects, as a person clicks through.

The argument is a folder with the unpacked wheel. What a template asks for that is not here leaves it out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import psycopg

TREE = Path(sys.argv[1])
WANTED = (
    "nodes.sql",
    "properties.sql",
    "acl.sql",
    "get_oid.sql",
    "count.sql",
    "get_position.sql",
    "stats.sql",
    "coll_table_stats.sql",
    "get_constraints.sql",
    "get_columns_for_table.sql",
    "get_relations.sql",
    "depend.sql",
    "get_types.sql",
    "get_owner.sql",
    "get_tables.sql",
    "get_oftype.sql",
    "get_inherits.sql",
    "dashboard_stats.sql",
    "activity.sql",
    "locks.sql",
    "prepared.sql",
    "dependents.sql",
    "dependencies.sql",
    "get_schemas.sql",
)
UNWANTED = (
    "ppas",
    "pga_",
    "/9.",
    "gpdb",
    "16_plus",
    "17_plus",
    "18_plus",
    "subscription",
    "replica",
    "pgd_",
    "synonym",
)


def number(connection: psycopg.Connection, name: str) -> int:
    return connection.execute("SELECT %s::regclass::oid::int", (name,)).fetchone()[0]


with psycopg.connect("", autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
    facts = {
        "scid": 2200,
        "tid": number(connection, "orders"),
        "table_id": number(connection, "orders"),
        "did": 0,
        "vid": number(connection, "order_totals"),
        "seid": number(connection, "invoice_number"),
        "schema": "public",
        "idx": number(connection, "orders_open"),
        "database": "shop",
        "datlastsysoid": 16383,
        "show_system_objects": False,
        "show_sysobj": False,
        "has_oids": False,
        "exclude_replica": False,
        "conn": connection,
        "is_schema_catalog": False,
        "object_id": number(connection, "orders"),
        "typname": "order_status",
        "tname": "orders",
        "table": "orders",
        "where_clause": "WHERE dep.objid = 'orders'::regclass",
        "sid": 1,
        "nspname": "public",
        "data": {"schema": "public"},
    }
    made = jinja2.Environment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
    made.filters.update(
        qtIdent=lambda value, *_: f'"{value}"', qtLiteral=lambda value, *_: "'" + str(value) + "'", qtTypeIdent=str
    )
    for path in sorted(TREE.rglob("*.sql")):
        if path.name not in WANTED or any(word in str(path.relative_to(TREE)) for word in UNWANTED):
            continue
        try:
            text = made.from_string(path.read_text()).render(facts).strip()
            if text:
                connection.execute(text)
        except (jinja2.TemplateError, psycopg.Error, TypeError):
            continue
