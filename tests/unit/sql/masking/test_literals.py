"""What is remembered by template is what a whole rewrite gives, for the statements of the corpora and any literals."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostagent.sql.masking.catalog import Catalog, decode
from hostagent.sql.masking.query import catalog_query
from hostagent.sql.masking.rewrite import rewrite
from hostagent.sql.masking.values import NeedsMore, Rewritten
from hostagent.sql.template import filled, literal_spans, literals, template
from tests.unit.sql.masking.test_rewrite import CATALOG, HASHED, SSN
from tests.unit.sql.masking.world import MASKS, Session, cases

STRINGS = st.text(st.characters(exclude_characters="'\\\0", exclude_categories=("Cs",)), max_size=12).map("'{}'".format)
NUMBERS = st.one_of(
    st.integers(0, 4).map(str),
    st.integers(0, 1 << 70).map(str),
    st.tuples(st.integers(0, 99), st.integers(0, 99)).map("{0[0]}.{0[1]}".format),
)
TEXTS = [
    text
    for file in ("evasions.sql", "everyday.sql")
    for case in cases(file)
    for text in case.texts
    if template(text) is not None and literals(text)
]


def other(text: str, data: st.DataObject) -> str:
    """The text with other literals of the same kinds."""
    pieces, at = [], 0
    for start, end in literal_spans(text):
        pieces += [text[at:start], data.draw(STRINGS if text[start] == "'" else NUMBERS)]
        at = end
    return "".join((*pieces, text[at:]))


@pytest.fixture(scope="module")
def catalogs(one: Session) -> dict[str, Catalog]:
    """For each text, what this session's server says to it."""
    one.reset(begin=False)
    found = {}
    for text in TEXTS:
        catalog = Catalog()
        for _ in range(4):
            result = rewrite(text, catalog, MASKS)
            if isinstance(result, NeedsMore):
                answer = one.send(catalog_query(result.needs)).results[0]
                catalog = decode(answer[2][0][0].decode())  # type: ignore[index]
        found[text] = catalog
    return found


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.sampled_from(TEXTS), data=st.data())
def test_filled_pieces_are_the_whole_rewrite(text: str, data: st.DataObject, catalogs: dict[str, Catalog]) -> None:
    known = rewrite(text, catalogs[text], MASKS)
    changed = other(text, data)
    if not isinstance(known, Rewritten) or not known.pieces or template(changed) != template(text):
        return
    whole = rewrite(changed, catalogs[text], MASKS)
    assert isinstance(whole, Rewritten), whole
    assert filled(known.pieces, changed) == whole.text
    assert (whole.pieces, whole.masked, whole.forbidden, whole.shape, whole.lasting) == (
        known.pieces,
        known.masked,
        known.forbidden,
        known.shape,
        known.lasting,
    )


def test_most_statements_have_pieces(catalogs: dict[str, Catalog]) -> None:
    results = [rewrite(text, catalogs[text], MASKS) for text in TEXTS]
    rewritten = [result for result in results if isinstance(result, Rewritten)]
    assert len(rewritten) > 60
    assert sum(bool(result.pieces) for result in rewritten) > 0.7 * len(rewritten)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (
            "SELECT a FROM plain WHERE a = 'é' AND 2 < 3.5",
            ('SELECT a FROM "app"."plain" WHERE a = ', " AND ", " < ", ""),
        ),
        ("SELECT lower('x')", ('SELECT "pg_catalog".lower(', ")")),
        (
            "SELECT 'a', count(*) FROM plain GROUP BY a",
            ("SELECT ", ', "pg_catalog".count(*) FROM "app"."plain" GROUP BY a'),
        ),
        ("SELECT 'a', count(*) FROM plain GROUP BY 1", ()),
        ("SELECT current_setting('work_mem')", ()),
        ("SELECT set_config('work_mem', '1MB', false)", ()),
        ("SELECT a::varchar(3) FROM plain", ()),
        ("SELECT a FROM plain WHERE a = 'it''s'", ()),
        ("SELECT a FROM plain -- 1", ()),
        ("COPY plain TO STDOUT", ()),
    ],
)
def test_which_texts_have_pieces(text: str, pieces: tuple[str, ...]) -> None:
    result = rewrite(text, KNOWN, SSN)
    assert isinstance(result, Rewritten), result
    assert result.pieces == pieces


KNOWN = Catalog(
    schemas=CATALOG.schemas,
    found=CATALOG.found,
    relations=CATALOG.relations,
    functions=CATALOG.functions | dict.fromkeys(("current_setting", "set_config"), ()),
    operators=CATALOG.operators,
    answered=True,
)


def test_a_key_is_in_the_pieces_and_the_type_of_a_mask_does_not_count() -> None:
    result = rewrite("SELECT ssn FROM users WHERE id = 'x'", CATALOG, HASHED)
    assert isinstance(result, Rewritten) and len(result.pieces) == 2
    assert "sha256" in result.pieces[0]


def test_a_long_text_is_not_kept() -> None:
    text = f"SELECT id FROM users WHERE {' OR '.join(['id = (SELECT max FROM users u)'] * 200)} OR id = 'x'"
    result = rewrite(text.replace("max", "ssn"), CATALOG, HASHED)
    assert isinstance(result, Rewritten) and len(result.text) > 64 << 10 and result.pieces == ()
