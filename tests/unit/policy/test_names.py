from __future__ import annotations

import pytest

from hostagent.policy.names import NamePatterns, Schemas
from hostagent.sql.analysis import Name


@pytest.mark.parametrize(
    ("pattern", "name", "schemas", "covered", "hit"),
    [
        ("app.*", Name("app", "t"), None, True, True),
        ("app.*", Name("log", "t"), None, False, False),
        ("app.t?", Name("app", "t1"), (), True, True),
        ("*", Name("app", "t"), None, True, True),
        # unqualified, schemas known: an allow needs all, a deny one
        ("public.users", Name("", "users"), ("public",), True, True),
        ("public.users", Name("", "users"), ("app", "public"), False, True),
        ("public.users", Name("", "users"), ("app",), False, False),
        ("*.users", Name("", "users"), ("app", "public"), True, True),
        # schemas not known: an allow needs the schema part *, a deny looks at the name only
        ("public.users", Name("", "users"), None, False, True),
        ("*.users", Name("", "users"), None, True, True),
        ("*.users", Name("", "others"), None, False, False),
        ("public.users", Name("", "users"), (), False, False),
        # pg_catalog is looked in for names that begin with pg_
        ("public.*", Name("", "pg_authid"), ("public",), False, True),
        ("pg_catalog.*", Name("", "pg_authid"), ("public",), False, True),
        ("pg_catalog.*", Name("pg_catalog", "pg_authid"), ("public",), True, True),
        ("public.*", Name("", "users"), ("pg_catalog", "public"), True, True),
        ("information_schema.*", Name("", "tables"), ("information_schema",), True, True),
        # temporary relations
        ("public.*", Name("", "users"), ("pg_temp_3", "public"), True, True),
        ("pg_temp.*", Name("", "users"), ("public",), False, True),
        ("pg_temp.*", Name("pg_temp_7", "users"), ("public",), True, True),
        # all of a schema
        ("app.users", Name("app", "*"), None, False, True),
        ("app.?", Name("app", "*"), None, False, True),
        ("app.*", Name("app", "*"), None, True, True),
        ("log.*", Name("app", "*"), None, False, False),
        # names with a dot in them
        ("a.b.c", Name("a", "b.c"), None, True, True),
        ("a.b", Name("", "a.b"), None, False, False),
    ],
)
def test_relations(pattern: str, name: Name, schemas: Schemas, covered: bool, hit: bool) -> None:
    patterns = NamePatterns.of((pattern,))
    assert patterns.cover_relation(name, schemas) is covered
    assert patterns.hit(name, schemas) is hit


def test_patterns_cover_together_what_a_name_may_mean() -> None:
    patterns = NamePatterns.of(("app.users", "public.*"))
    assert patterns.cover_relation(Name("", "users"), ("app", "public"))
    assert not patterns.cover_relation(Name("", "users"), ("app", "public", "log"))


def test_an_unqualified_function_may_be_in_pg_catalog() -> None:
    schemas = ("app",)
    assert not NamePatterns.of(("app.*",)).cover_function(Name("", "f"), schemas)
    assert NamePatterns.of(("app.*", "pg_catalog.f")).cover_function(Name("", "f"), schemas)
    assert NamePatterns.of(("*.f",)).cover_function(Name("", "f"), schemas)


def test_a_function_by_number_may_be_any() -> None:
    number = Name("", "oid:42")
    assert NamePatterns.of(("*",)).cover_function(number, ("app",))
    assert not NamePatterns.of(("app.*", "pg_catalog.*")).cover_function(number, ("app",))
    assert NamePatterns.of(("app.f",)).hit(number, ("app",))
