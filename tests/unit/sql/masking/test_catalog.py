"""What the catalog query tells of relations, and that nothing but its answer is taken for a catalog."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.sql.analysis import Name
from hostagent.sql.masking.catalog import MAX_TEXT, Catalog, CatalogError, Constraint, decode
from hostagent.sql.masking.query import CATALOG_QUERY, MAX_NAMES, catalog_query
from hostagent.sql.masking.values import Needs
from tests.unit.sql.masking.world import Session

EMPTY = {"schemas": [], "found": [], "relations": [], "functions": [], "operators": [], "types": []}


def ask(session: Session, *names: str, functions: str = "", operators: str = "") -> Catalog:
    relations = frozenset(Name(*n.split(".")) if "." in n else Name("", n) for n in names)
    needs = Needs(relations, frozenset(functions.split()), frozenset(operators.split()))
    answer = session.send(catalog_query(needs)).results[0]
    return decode(answer[2][0][0].decode())  # type: ignore[index]


def test_it_finds_what_the_search_path_finds(one: Session) -> None:
    one.reset(begin=True)
    asked = ("users", "other.users", "nothing", "no.thing", "pg_class", "pg_temp.users")
    found = ask(one, *asked)
    assert found.schemas == ("pg_catalog", "app", "public")
    names = {str(name): None if oid is None else str(found.relations[oid].full) for name, oid in found.found.items()}
    assert names == {
        "users": "app.users",
        "other.users": "other.users",
        "nothing": None,
        "no.thing": None,
        "pg_class": "pg_catalog.pg_class",
        "pg_temp.users": None,
    }
    one.send("CREATE TEMP TABLE users (x int)")
    temporary = ask(one, *asked)
    relation = temporary.relation(Name("", "users"))
    assert relation is not None
    assert relation.schema.startswith("pg_temp_")
    assert relation == temporary.relation(Name("pg_temp", "users"))
    one.send("SET search_path = other, app, pg_temp")
    last = ask(one, "users").relation(Name("", "users"))
    assert last is not None
    assert last.schema == "other"


def test_it_tells_of_columns_constraints_and_family(one: Session) -> None:
    one.reset(begin=False)
    found = ask(one, "users", "ssn_notes", "payments_2025", "v_of_v", "guarded")
    users = found.relation(Name("", "users"))
    assert users is not None
    columns = {column.name: column for column in users.columns}
    assert columns["ssn"].type == 'pg_catalog."varchar"(11)'
    assert columns["ssn"].bare == 'pg_catalog."varchar"'
    assert columns["salary"].type == 'pg_catalog."numeric"(10,2)'
    assert columns["mail"].type == "pg_catalog.text"
    assert columns["mood"].type == "app.mood"
    assert columns["ssn_end"].made_from == ("ssn",)
    assert columns["ssn_end"].generated
    assert Constraint("u", frozenset({"ssn"})) in users.constraints
    assert Constraint("c", frozenset({"ssn"})) in users.constraints
    notes = found.relation(Name("", "ssn_notes"))
    assert notes is not None
    assert notes.constraints == (Constraint("f", frozenset({"ssn"}), Name("app", "users"), frozenset({"ssn"})),)
    part = found.relation(Name("", "payments_2025"))
    assert part is not None
    assert set(part.family) == {Name("app", "payments"), Name("app", "payments_2026")}
    guarded = found.relation(Name("", "guarded"))
    assert guarded is not None
    assert len(guarded.policies) == 1
    assert {r.name for r in found.relations.values()} > {"v_of_v", "v_users", "users"}, "views bring what they read"


def test_it_tells_of_functions_and_operators_outside_the_server(one: Session) -> None:
    one.reset(begin=False)
    found = ask(one, functions="lower peek order_owner nothing", operators="=~= = ~~")
    assert [(r.schema, r.extension) for r in found.functions["peek"]] == [("app", "")]
    assert found.functions["order_owner"][0].takes_row
    assert not found.functions["peek"][0].takes_row
    assert found.functions["nothing"] == ()
    assert [(r.schema, r.own_type) for r in found.operators["=~="]] == [("app", False)]
    assert {(r.extension, r.own_type) for r in found.operators["="]} == {("citext", True)}


def test_nothing_in_it_can_be_shadowed(one: Session) -> None:
    one.reset(begin=True)
    one.send(
        "CREATE SCHEMA evil; CREATE FUNCTION evil.no(name, name) RETURNS bool LANGUAGE sql AS 'SELECT false';"
        "CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.no);"
        "CREATE FUNCTION evil.unnest(anyarray) RETURNS int LANGUAGE sql AS 'SELECT 1/0';"
        "CREATE TABLE evil.pg_class (oid oid); CREATE TYPE evil.text AS (a int);"
        "SET search_path = evil, app, pg_catalog"
    )
    found = ask(one, "users", "pg_class")
    assert found.schemas == ("evil", "app", "pg_catalog")
    users, shadow = found.relation(Name("", "users")), found.relation(Name("", "pg_class"))
    assert users is not None
    assert len(users.columns) == 13
    assert shadow is not None
    assert shadow.schema == "evil"


def test_every_operator_and_type_in_it_is_qualified() -> None:
    plain = CATALOG_QUERY.replace("OPERATOR(pg_catalog.", "\0(")
    for sign in (" = ", " <> ", " > ", " < ", " || ", " - ", " IN (", " LIKE ", " BETWEEN ", "USING"):
        assert sign not in plain, sign
    for cast in plain.split("::")[1:]:
        assert cast.startswith("pg_catalog."), cast[:40]


def test_names_are_literals() -> None:
    nasty = Name("'; DROP TABLE x; --", ":asked_names \\' \"")
    text = catalog_query(Needs(frozenset({nasty})))
    assert "ARRAY['''; DROP TABLE x; --']" in text
    assert "ARRAY[':asked_names \\'' \"']" in text
    with pytest.raises(ValueError, match="NUL"):
        catalog_query(Needs(frozenset({Name("", "a\0b")})))
    with pytest.raises(ValueError, match="too many"):
        catalog_query(Needs(functions=frozenset(map(str, range(MAX_NAMES + 1)))))


def test_a_nasty_name_is_found_as_such(one: Session) -> None:
    one.reset(begin=False)
    assert ask(one, 'Odd "Name').relation(Name("", 'Odd "Name')) is not None
    assert ask(one, "Odd 'Name").relation(Name("", "Odd 'Name")) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*EMPTY, "oid", "x"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(JSON | st.fixed_dictionaries(dict.fromkeys(EMPTY, JSON)))
def test_anything_else_is_refused(data: Any) -> None:
    try:
        found = decode(json.dumps(data))
    except CatalogError:
        return
    assert isinstance(found, Catalog)


@given(st.text())
def test_any_text_is_refused_or_a_catalog(text: str) -> None:
    with pytest.raises(CatalogError):
        decode(text)


def test_the_smallest_and_too_much() -> None:
    assert decode(json.dumps(EMPTY)) == Catalog(answered=True)
    with pytest.raises(CatalogError):
        decode(json.dumps(EMPTY).ljust(MAX_TEXT + 1))
    with pytest.raises(CatalogError):
        decode(json.dumps(EMPTY | {"found": [["a", "b", True]]}))
