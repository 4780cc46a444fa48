"""What is sent: the exact text, what must be known first, and what a mask says of functions and hashes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hostagent.sql.analysis import Name
from hostagent.sql.masking.catalog import Catalog, Column, Relation
from hostagent.sql.masking.expression import derive_key
from hostagent.sql.masking.rewrite import MAX_SENT, MAX_TEXT, rewrite
from hostagent.sql.masking.values import Mask, MaskKind, Masks, Needs, NeedsMore, Rewritten, Unsafe
from tests.unit.sql.masking.world import MASKS, Session

SSN = Masks((Mask("ssn", MaskKind.REDACT, ("app.users.ssn",)),))
HASHED = Masks(
    (Mask("ssn", MaskKind.HASH, ("app.users.ssn", "app.ssn_notes.ssn")),), key=derive_key(b"k" * 32, "orders")
)


def text_column(number: int, name: str) -> Column:
    return Column(number, name, "pg_catalog.text", "pg_catalog.text", "S", False, "", False)


USERS = Relation(1, "app", "users", "r", (text_column(1, "id"), text_column(2, "ssn")))
CATALOG = Catalog(
    schemas=("pg_catalog", "app"),
    found={Name("", "users"): 1, Name("app", "users"): 1, Name("", "plain"): 2, Name("", "gone"): None},
    relations={1: USERS, 2: Relation(2, "app", "plain", "r", (text_column(1, "a"),))},
    functions=dict.fromkeys(("count", "lower", "a", "id", "ssn", "unnest"), ()),
    operators={"=": (), "<": (), "<=": (), ">": (), ">=": ()},
    answered=True,
)
INNER = '(SELECT "id", CAST(\'***\' AS pg_catalog.text) AS "ssn" FROM {}"app"."users")'


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT a FROM plain", 'SELECT a FROM "app"."plain"'),
        ("SELECT ssn FROM users", f'SELECT ssn FROM {INNER.format("")} AS "users"'),
        ("SELECT ssn FROM users AS u (x, y)", f"SELECT ssn FROM {INNER.format('')} AS u (x, y)"),
        ("SELECT ssn FROM ONLY ( users ) u", f"SELECT ssn FROM {INNER.format('ONLY ')} u"),
        ("SELECT ssn FROM ONLY users", f'SELECT ssn FROM {INNER.format("ONLY ")} AS "users"'),
        ("SELECT ssn FROM users * u", f"SELECT ssn FROM {INNER.format('')} u"),
        ("TABLE users", f'SELECT * FROM {INNER.format("")} AS "users"'),
        ("TABLE plain", 'TABLE "app"."plain"'),
        ("SELECT app.users.id FROM app.users", f'SELECT users.id FROM {INNER.format("")} AS "users"'),
        ("SELECT lower(a) FROM plain", 'SELECT "pg_catalog".lower(a) FROM "app"."plain"'),
        ("SELECT é, ssn -- users\nFROM users", f'SELECT é, ssn -- users\nFROM {INNER.format("")} AS "users"'),
        ("SELECT * FROM unnest(a, b)", "SELECT * FROM unnest(a, b)"),
        ("SELECT 1 FROM gone", 'SELECT 1 FROM "pg_temp"."gone"'),
        ("UPDATE users SET id = 1", 'UPDATE "app"."users" SET id = 1'),
        (
            "COPY users (ssn) TO STDOUT",
            'COPY (SELECT CAST(\'***\' AS pg_catalog.text) AS "ssn" FROM ONLY "app"."users") TO STDOUT',
        ),
        (
            "INSERT INTO plain SELECT id FROM users",
            'INSERT INTO "app"."plain" SELECT id FROM (SELECT "id" FROM "app"."users") AS "users"',
        ),
    ],
)
def test_the_text_that_is_sent(text: str, sent: str) -> None:
    result = rewrite(text, CATALOG, SSN)
    assert isinstance(result, Rewritten), result
    assert result.text == sent


def test_everything_is_asked_for_at_once() -> None:
    text = (
        "SELECT lower(u.ssn) FROM users u WHERE a IN (SELECT b FROM x.t WHERE c BETWEEN 1 AND 2) AND EXISTS (TABLE u)"
    )
    assert rewrite(text, Catalog(), SSN) == NeedsMore(
        Needs(
            frozenset({Name("", "users"), Name("x", "t"), Name("", "u")}),
            frozenset({"lower", "ssn"}),
            frozenset({"=", "<", "<=", ">", ">="}),
        )
    )
    nothing = Rewritten("SELECT 1", shape=(None,), lasting=True, pieces=("SELECT ", ""))
    assert rewrite("SELECT 1", Catalog(), SSN) == nothing


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("SELECT id, ssn AS x, count(*) FROM users", ("id", "x", None)),
        ("SELECT * FROM users", None),
        ("SELECT users.* FROM users", None),
        ("VALUES (1, 2)", ("column1", "column2")),
        ("SELECT id FROM users UNION SELECT 'x'", ("id",)),
        ("DELETE FROM plain RETURNING a", ("a",)),
        ("DELETE FROM plain", None),
        ("SELECT id INTO TEMP t FROM users", None),
        ("", None),
        ("SELECT id FROM users; SELECT id FROM users", None),
    ],
)
def test_the_shape_of_the_result(text: str, shape: tuple[str | None, ...] | None) -> None:
    result = rewrite(text, CATALOG, SSN)
    assert isinstance(result, Rewritten), result
    assert result.shape == shape


def test_what_is_masked_is_told() -> None:
    result = rewrite("SELECT id FROM users, plain", CATALOG, SSN)
    assert isinstance(result, Rewritten)
    assert result.masked == ("app.users.ssn",)
    assert result.relations == (1, 2)
    elsewhere = rewrite("SELECT a FROM plain", CATALOG, SSN)
    assert isinstance(elsewhere, Rewritten)
    assert elsewhere.masked == ()


@pytest.mark.parametrize(
    "text",
    [
        "SELEC 1",
        "SELECT '\udc80'",
        "SELECT 1".ljust(MAX_TEXT + 1),
        "SELECT " + ",".join(["(SELECT 1 FROM plain)"] * 12_000),
        "SELECT " + "(" * 5000,
        "SELECT 1 FROM db.app.users",
        "SELECT db.app.f(1)",
    ],
)
def test_what_is_not_understood_is_unsafe(text: str) -> None:
    result = rewrite(text, CATALOG, SSN)
    assert isinstance(result, Unsafe)
    assert result.reason


def test_a_text_that_grows_too_long_is_unsafe() -> None:
    wide = replace(USERS, columns=tuple(text_column(n, f"{'c' * 40}{n}") for n in range(500)) + USERS.columns)
    catalog = replace(CATALOG, relations={**CATALOG.relations, 1: wide})
    few, many = (rewrite("SELECT " + ",".join(["(SELECT id FROM users)"] * n), catalog, SSN) for n in (10, 200))
    assert isinstance(few, Rewritten)
    assert isinstance(many, Unsafe)
    assert str(MAX_SENT) in many.reason


def test_a_relation_made_in_the_same_text_keeps_its_name() -> None:
    found = {**CATALOG.found, Name("", "t"): None}
    result = rewrite("CREATE TABLE t (a int); SELECT * FROM t", replace(CATALOG, found=found), SSN)
    assert isinstance(result, Rewritten)
    assert result.text == "CREATE TABLE t (a int); SELECT * FROM t"


def test_a_function_that_the_mask_vouches_for_may_be_called(one: Session) -> None:
    one.reset(begin=False)
    text = "SELECT twice(id) FROM plain WHERE id = 1"
    refused = one.rewrite(text)
    assert isinstance(refused, Unsafe)
    assert "twice" in refused.reason
    assert "functions" in refused.fix
    trusting = Masks((Mask("m", MaskKind.REDACT, ("app.users.ssn",), functions=("app.tw*",)),))
    allowed = one.rewrite(text, trusting)
    assert isinstance(allowed, Rewritten)
    assert allowed.text == 'SELECT "app".twice(id) FROM "app"."plain" WHERE id = 1'
    every = Masks((*trusting.entries, Mask("other", MaskKind.NULL, ("app.users.card",))))
    assert isinstance(one.rewrite(text, every), Unsafe), "every mask has to"


def test_a_listed_function_that_could_be_another_is_refused(one: Session) -> None:
    one.reset(begin=True)
    text = "SELECT upper(a) FROM plain WHERE id = 1"
    assert isinstance(one.rewrite(text), Rewritten)
    one.send("CREATE FUNCTION app.upper(text) RETURNS text LANGUAGE sql AS 'SELECT max(ssn) FROM app.users'")
    refused = one.rewrite(text)
    assert isinstance(refused, Unsafe)
    assert refused.fix == "write pg_catalog.upper"
    assert isinstance(one.rewrite(text.replace("upper", "pg_catalog.upper")), Rewritten)


def test_joins_on_a_hash_survive_and_guesses_do_not(one: Session) -> None:
    one.reset(begin=True)
    one.send(
        "ALTER TABLE ssn_notes DROP CONSTRAINT ssn_notes_ssn_fkey; ALTER TABLE users DROP CONSTRAINT users_ssn_key"
    )
    one.send("INSERT INTO ssn_notes SELECT ssn, 'note ' || id FROM users WHERE id <= 3")
    text = "SELECT u.id, n.note FROM users u JOIN ssn_notes n USING (ssn) ORDER BY u.id"
    direct = one.send(text)
    result = one.rewrite(text, HASHED)
    assert isinstance(result, Rewritten)
    assert one.send(result.text) == direct
    guess = one.rewrite("SELECT id FROM users WHERE ssn = '007-65-4001'", HASHED)
    assert isinstance(guess, Rewritten)
    assert one.send(guess.text).results[0][0] == b"SELECT 0"
    for planted in (
        "INSERT INTO ssn_notes VALUES ('007-65-4001', 'mine')",
        "UPDATE ssn_notes SET ssn = '007-65-4001'",
        "COPY ssn_notes FROM STDIN",
    ):
        refused = one.rewrite(planted, HASHED)
        assert isinstance(refused, Unsafe), planted
        assert "hash" in refused.reason
    assert isinstance(one.rewrite("UPDATE ssn_notes SET note = 'x' WHERE note = 'y'", HASHED), Rewritten)


def test_a_parameter_keeps_its_number_and_type(one: Session) -> None:
    one.reset(begin=False)
    result = one.rewrite("SELECT id FROM users WHERE ssn = $2 AND id = $1 AND born < $3")
    assert isinstance(result, Rewritten)
    one.connection.prepare(b"", result.text.encode())
    described = one.connection.describe_prepared(b"")
    assert [described.param_type(n) for n in range(3)] == [23, 25, 1082]  # int4, text, date
    direct = one.connection
    direct.prepare(b"", b"SELECT id FROM users WHERE ssn = $2 AND id = $1 AND born < $3")
    assert [direct.describe_prepared(b"").param_type(n) for n in range(3)] == [23, 25, 1082]


def test_masks_cross_the_socket() -> None:
    for masks in (MASKS, HASHED):
        assert Masks.from_json(masks.to_json()) == masks
    with pytest.raises(ValueError, match="key"):
        Masks.from_json({"entries": MASKS.to_json()["entries"], "key": "00"})
    with pytest.raises(ValueError, match="entry"):
        Masks.from_json({"entries": [], "key": "00" * 32})


def test_a_text_lasts_where_every_name_was_found_and_says_whether_any_could_be_temporary() -> None:
    known = rewrite("SELECT id FROM users", CATALOG, SSN)
    assert isinstance(known, Rewritten) and known.lasting and not known.temporary and known.forbidden == ((1, 2),)
    unknown = rewrite("SELECT id FROM gone", CATALOG, SSN)
    assert isinstance(unknown, Rewritten) and not unknown.lasting
    temporary = rewrite("SELECT id FROM users", replace(CATALOG, schemas=("pg_temp_3", *CATALOG.schemas)), SSN)
    assert isinstance(temporary, Rewritten) and temporary.lasting and temporary.temporary
