"""RETURNING of a relation with masked columns: plain columns and `*` come back masked, like those of a FROM list."""

from __future__ import annotations

from hostagent.sql.masking.catalog import Relation
from hostagent.sql.masking.columns import Columns
from hostagent.sql.masking.sites import Site
from hostagent.sql.masking.text import Edits, Tokens, quoted
from hostagent.sql.masking.values import Masked
from hostagent.sql.postgres.objects import strings
from hostagent.sql.postgres.tree import Tree, parse


def plain_items(site: Site, masked: Masked) -> list[Tree]:
    """The items of RETURNING that can be masked one by one: `*`, and masked columns alone.

    None where the statement has other sources (a name could be theirs) or names for the old and the new row.
    """
    clause = site.node.get("returningClause", {})
    if not masked or clause.get("options") or site.node.keys() & {"fromClause", "usingClause"}:
        return []
    return [item for item in clause.get("exprs", []) if _is_plain(item["ResTarget"], site.alias, masked)]


def mask(site: Site, relation: Relation, items: list[Tree], columns: Columns, tokens: Tokens, edits: Edits) -> None:
    """Masks these items of a statement's RETURNING in text and tree."""
    exprs: list[Tree] = []
    for item in site.node["returningClause"]["exprs"]:
        if not any(item is one for one in items):
            exprs.append(item)
            continue
        reference = item["ResTarget"]["val"]["ColumnRef"]
        name = strings(reference["fields"])[-1:] if "A_Star" not in reference["fields"][-1] else None
        text = columns.items(relation, name)
        made = _targets(text)
        if "name" in item["ResTarget"]:
            made[0]["ResTarget"]["name"] = item["ResTarget"]["name"]
            text = text.removesuffix(f" AS {quoted(name[0])}") if name else text
        spans, _ = tokens.name(tokens.at(reference.get("location", 0)))
        edits.replace(spans[0][0], spans[-1][1], text)
        exprs += made
    site.node["returningClause"]["exprs"] = exprs


def _is_plain(target: Tree, alias: str, masked: Masked) -> bool:
    fields = target["val"].get("ColumnRef", {}).get("fields", [])
    parts = strings(fields)
    if not fields or (len(fields) == 2 and parts[0] != alias) or len(fields) > 2:
        return False
    return "A_Star" in fields[-1] or parts[-1] in masked


def _targets(items: str) -> list[Tree]:
    (node,) = parse(f"SELECT {items}".encode())
    found: list[Tree] = node["stmt"]["SelectStmt"]["targetList"]
    return found
