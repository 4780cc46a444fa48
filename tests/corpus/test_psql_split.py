"""The splitter of psql scripts."""

from __future__ import annotations

import pytest

from tests.corpus.psql_split import statements


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT E'\\';' ;", ["SELECT ';'", "SELECT E'\\';'"]),
        ('SELECT $$;$$; SELECT $a$ $$; $a$; SELECT ";";', ["SELECT $$;$$", "SELECT $a$ $$; $a$", 'SELECT ";"']),
        ("SELECT 1 /* ; /* ; */ ; */;", ["SELECT 1"]),
        ("\\d t\nSELECT 1;\n\\set x 5\nSELECT :x, :'y', a::int;", ["SELECT 1", "SELECT 5, 'y', a::int"]),
        ("SELECT 1 \\gset p_\nSELECT 2 \\; SELECT 3;", ["SELECT 1", "SELECT 2 ; SELECT 3"]),
        ("COPY t FROM stdin;\n1\t;\n\\.\nSELECT 1;", ["COPY t FROM stdin", "SELECT 1"]),
        ("CREATE RULE r AS ON DELETE TO t DO (SELECT 1; SELECT 2);",
         ["CREATE RULE r AS ON DELETE TO t DO (SELECT 1; SELECT 2)"]),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; SELECT 3;",
            ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END", "SELECT 3"],
        ),
    ],
)  # fmt: skip
def test_scripts(script: str, expected: list[str]) -> None:
    assert list(statements(script)) == expected
