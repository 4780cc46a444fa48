"""What masks show, asked of a real server; keys."""

from __future__ import annotations

import hmac

import pytest

from hostagent.sql.masking.catalog import Column
from hostagent.sql.masking.expression import derive_key, masked, redacted
from hostagent.sql.masking.values import Mask, MaskKind
from tests.unit.sql.masking.world import Session

KEY = derive_key(b"k" * 32, "orders")


def column(bare: str, category: str = "S", type_: str = "", collation: str = "") -> Column:
    return Column(1, "c", type_ or bare, bare, category, False, collation, False)


def shown(session: Session, of: Column, value: str, kind: MaskKind, first: int = 0, last: int = 0) -> str | None:
    expression = masked(of, Mask("m", kind, (), first, last), KEY)
    source = f"(SELECT {value}::{of.type} AS c) AS t"
    text = f"SELECT ({expression})::text, pg_typeof({expression}) = '{of.bare}'::regtype FROM {source}"
    (answer,) = session.reset(begin=False).send(text).results
    assert answer[0] == b"SELECT 1", answer
    value_, same_type = answer[2][0]  # type: ignore[index]
    assert same_type == b"t"
    return None if value_ is None else value_.decode()


TEXT = column("pg_catalog.text")
SHORT = column('pg_catalog."varchar"', type_='pg_catalog."varchar"(11)')


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (TEXT, "***"),
        (column('pg_catalog."varchar"', type_='pg_catalog."varchar"(2)'), "**"),
        (column("pg_catalog.int4", "N"), "0"),
        (column('pg_catalog."numeric"', "N", 'pg_catalog."numeric"(3,3)'), "0.000"),
        (column("pg_catalog.bool", "B"), "false"),
        (column("pg_catalog.date", "D"), "1970-01-01"),
        (column("pg_catalog.jsonb", "U"), '"***"'),
        (column("pg_catalog.uuid", "U"), "00000000-0000-0000-0000-000000000000"),
        (column("pg_catalog._text", "A"), "{}"),
        (column("app.mood", "E"), "sad"),
        (column("pg_catalog.int4range", "R"), None),
        (column("app.plain", "C"), None),
    ],
)
def test_redact_is_a_constant_of_the_type(of: Column, expected: str | None, one: Session) -> None:
    assert shown(one, of, "NULL", MaskKind.REDACT) == expected
    assert shown(one, of, "NULL", MaskKind.NULL) is None
    assert shown(one, of, "NULL", MaskKind.PARTIAL, 1, 1) in (expected, None), "where a mask does not fit"


@pytest.mark.parametrize(
    ("value", "first", "last", "expected"),
    [
        ("'987-65-4321'", 0, 4, "*******4321"),
        ("'987-65-4321'", 3, 2, "987******21"),
        ("'äöüß€'", 1, 1, "ä***€"),
        ("'abcd'", 2, 2, "****"),
        ("'abc'", 2, 2, "***"),
        ("''", 2, 2, ""),
        ("NULL", 2, 2, None),
    ],
)
def test_partial(value: str, first: int, last: int, expected: str | None, one: Session) -> None:
    assert shown(one, TEXT, value, MaskKind.PARTIAL, first, last) == expected
    assert shown(one, SHORT, value, MaskKind.PARTIAL, first, last) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'4111 1111-1111/1234'", "0000 0000-0000/0000"),
        ("'Ann.Lee+7@x-y.org'", "Xxx.Xxx+0@x-x.xxx"),
        ("'Zoë ₤5 漢字 ١'", "Xxx x0 xx x"),
        ("''", ""),
        ("NULL", None),
    ],
)
def test_format_keeps_the_shape(value: str, expected: str | None, one: Session) -> None:
    assert shown(one, TEXT, value, MaskKind.FORMAT) == expected


def test_hash_is_a_keyed_hmac(one: Session) -> None:
    expected = hmac.new(KEY, b"987-65-4321", "sha256").hexdigest()
    assert shown(one, TEXT, "'987-65-4321'", MaskKind.HASH) == expected
    assert shown(one, SHORT, "'987-65-4321'", MaskKind.HASH) == expected
    assert shown(one, TEXT, "'987-65-4322'", MaskKind.HASH) != expected
    assert shown(one, TEXT, "NULL", MaskKind.HASH) is None
    digest = hmac.digest(KEY, b"5", "sha256")
    number = int.from_bytes(digest[:8], "big", signed=True)
    assert shown(one, column("pg_catalog.int8", "N"), "5", MaskKind.HASH) == str(number)
    assert shown(one, column("pg_catalog.int4", "N"), "5", MaskKind.HASH) == str(
        int.from_bytes(digest[:4], "big", signed=True)
    )
    raw = shown(one, column("pg_catalog.bytea", "U"), r"'\x35'", MaskKind.HASH)
    assert raw == "\\x" + digest.hex()


def test_equal_values_have_equal_hashes(one: Session) -> None:
    number = column('pg_catalog."numeric"', "N")
    assert shown(one, number, "1.0", MaskKind.HASH) == shown(one, number, "1.00", MaskKind.HASH)
    any_case = column("public.citext")
    assert shown(one, any_case, "'AbC'", MaskKind.HASH) == shown(one, any_case, "'aBc'", MaskKind.HASH)
    uuid = column("pg_catalog.uuid", "U")
    same = shown(one, uuid, "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", MaskKind.HASH)
    assert same == shown(one, uuid, "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", MaskKind.HASH)


def test_a_hash_of_a_type_without_one_is_redacted(one: Session) -> None:
    assert shown(one, column("pg_catalog.date", "D"), "'2001-01-01'", MaskKind.HASH) == "1970-01-01"
    assert shown(one, column("pg_catalog.int2", "N"), "7", MaskKind.HASH) == "0"


def test_a_collation_stays() -> None:
    assert redacted(column("pg_catalog.text")) == "CAST('***' AS pg_catalog.text)"
    other = column("pg_catalog.text", collation='pg_catalog."C"')
    assert masked(other, None, KEY) == "(CAST('***' AS pg_catalog.text)) COLLATE pg_catalog.\"C\""


def test_each_target_has_its_own_key() -> None:
    assert len(KEY) == 32
    assert derive_key(b"k" * 32, "orders") == KEY
    assert derive_key(b"k" * 32, "other") != KEY
    assert derive_key(b"l" * 32, "orders") != KEY
    with pytest.raises(ValueError, match="32 bytes"):
        derive_key(b"short", "orders")
