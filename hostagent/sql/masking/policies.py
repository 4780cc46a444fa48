"""Row security: what the expression of a policy mentions."""

from __future__ import annotations

from hostagent.sql.analysis import Name
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.sites import walk
from hostagent.sql.postgres.objects import relation, strings
from hostagent.sql.postgres.tree import Unparsed, parse


def policy_mentions(text: str) -> tuple[set[str], set[Name]]:
    """Names of columns (`*` for a whole row), and relations, that an expression mentions."""
    try:
        (node,) = parse(f"SELECT ({text})".encode())
    except (Unparsed, ValueError):
        raise Refused("row security of a relation cannot be read") from None
    names: set[str] = set()
    relations: set[Name] = set()
    for kind, body in walk("SelectStmt", node["stmt"]["SelectStmt"]):
        if kind == "ColumnRef":
            names.add("*" if "A_Star" in body["fields"][-1] else strings(body["fields"])[-1])
        elif kind == "A_Indirection":
            names.update(strings(body["indirection"]))
        elif kind == "RangeVar":
            relations.add(relation(body))
    return names, relations
