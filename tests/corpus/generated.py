"""Queries made at random over the relations of the noninterference corpus: all of them read, some of them fail."""

from __future__ import annotations

from hypothesis import strategies as st

TEXTS = ("name", "city", "ssn", "email", "card", "phone", "ssn_end")
NUMBERS = ("id", "department", "pin", "salary")
OTHERS = ("born", "token", "profile", "tags", "blocked")
COLUMNS = (*TEXTS, *NUMBERS, *OTHERS)


def _joined(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(p) if isinstance(p, str) else p for p in parts)).map("".join)


def _texts(a: str) -> st.SearchStrategy[str]:
    column = st.sampled_from([f"{a}.{c}" for c in TEXTS])
    literal = st.sampled_from(["'900-00-0001'", "'900%'", "'a1@one.test'", "'0'", "''", "'Bern'"])
    return st.recursive(
        column | literal,
        lambda inner: st.one_of(
            _joined("lower(", inner, ")"), _joined("(", inner, " || ", inner, ")"), _joined("left(", inner, ", 3)"),
            _joined("coalesce(", inner, ", ", inner, ")"), _joined("md5(", inner, ")"), _joined("reverse(", inner, ")"),
            _joined("CASE WHEN ", inner, " LIKE '9%' THEN ", inner, " END"),
            _joined("replace(", inner, ", '0', ", inner, ")"),
            _joined("(", inner, ")::varchar(4)"), _joined(inner, ' COLLATE "C"'),
            _joined("split_part(", inner, ", '-', 1)"),
        ),
        max_leaves=4,
    )  # fmt: skip


def _numbers(a: str) -> st.SearchStrategy[str]:
    column = st.sampled_from([f"{a}.{c}" for c in NUMBERS] + [f"length({a}.ssn)", f"extract(year FROM {a}.born)"])
    literal = st.sampled_from(["0", "1", "7", "1001", "77", "NULL"])
    return st.recursive(
        column | literal,
        lambda inner: st.one_of(
            _joined("(", inner, " + ", inner, ")"), _joined("(", inner, " / nullif(", inner, ", 0))"),
            _joined("(", inner, " / ", inner, ")"), _joined("abs(", inner, ")"),
            _joined("greatest(", inner, ", ", inner, ")"),
            _joined("(SELECT max(i.pin) FROM app.users i WHERE i.id = ", inner, ")"), _joined("(", _texts(a), ")::int"),
        ),
        max_leaves=4,
    )  # fmt: skip


def _values(a: str) -> st.SearchStrategy[str]:
    others = st.sampled_from([
        *(f"{a}.{c}" for c in OTHERS), f"to_jsonb({a}) ->> 'ssn'", f"{a}", f"row_to_json({a})", f"{a}.profile -> 'ssn'",
        f"{a}.tags[1]", f"row({a}.ssn, {a}.pin)",
        f"(SELECT string_agg(ssn, ',' ORDER BY id) FROM app.users WHERE city = {a}.city)",
        f"array(SELECT pin FROM app.users WHERE id < {a}.id)", f"{a}.born + 1", f"encode({a}.token, 'hex')",
    ])  # fmt: skip
    return st.one_of(_texts(a), _numbers(a), others)


def _conditions(a: str) -> st.SearchStrategy[str]:
    compared = st.one_of(
        _joined(_texts(a), st.sampled_from([" = ", " < ", " LIKE ", " ~ ", " <> "]), _texts(a)),
        _joined(_numbers(a), st.sampled_from([" = ", " > ", " <= ", " IS DISTINCT FROM "]), _numbers(a)),
        st.sampled_from([
            f"{a}.ssn IS NULL", f"{a}.blocked", f"{a}.tags @> '{{red}}'", f"{a}.profile ? 'vip'",
            f"{a}.born > '1980-01-01'",
            f"{a}.salary BETWEEN 1000 AND 2000", f"{a}.email IN ('a1@one.test', 'a2@one.test')", f"{a}.id < 9",
            f"EXISTS (SELECT FROM app.users x WHERE x.ssn = {a}.ssn AND x.id <> {a}.id)",
            f"{a}.pin = ANY (SELECT pin FROM app.users)",
        ]),
    )  # fmt: skip
    return st.recursive(
        compared,
        lambda i: _joined("(", i, st.sampled_from([" AND ", " OR "]), i, ")") | _joined("NOT ", i),
        max_leaves=3,
    )


_ORDER = st.sampled_from(
    ["", " ORDER BY 1", " ORDER BY u.id", " ORDER BY u.ssn, u.id", " ORDER BY u.salary DESC NULLS LAST, u.id"]
)
_LIMIT = st.sampled_from(["", "", " LIMIT 3", " OFFSET 2 LIMIT 4"])
_WHERE = st.just("") | _joined(" WHERE ", _conditions("u"))
_FROM = st.sampled_from([
    "app.users u", "(SELECT * FROM app.users) u", "app.users u JOIN app.users v ON v.ssn = u.ssn AND v.id < 5",
    "app.users u LEFT JOIN app.orders o ON o.user_id = u.id AND o.paid_with LIKE 'v%'",
    "app.users u NATURAL JOIN app.v_safe",
    "app.users u, LATERAL (SELECT u.pin AS p) l", "app.v_safe s JOIN app.users u USING (id)", "ONLY app.users u",
])  # fmt: skip
_AGGREGATES = st.sampled_from([
    "count(*)", "count(DISTINCT u.ssn)", "min(u.ssn)", "max(u.pin)", "sum(u.salary)",
    "string_agg(u.name, ',' ORDER BY u.ssn, u.id)",
    "bool_and(u.blocked)", "array_agg(u.id ORDER BY u.pin, u.id)", "json_agg(u.ssn ORDER BY u.id)", "avg(u.pin)",
    "count(*) FILTER (WHERE u.ssn LIKE '900%')", "percentile_disc(0.5) WITHIN GROUP (ORDER BY u.pin)",
])  # fmt: skip
_WINDOWS = st.sampled_from([
    "rank() OVER (ORDER BY u.ssn, u.id)", "lag(u.pin) OVER (ORDER BY u.id)", "count(*) OVER (PARTITION BY u.ssn)",
    "sum(u.id) OVER (ORDER BY u.salary, u.id ROWS 2 PRECEDING)",
    "first_value(u.email) OVER (PARTITION BY u.city ORDER BY u.id)",
])  # fmt: skip


def _plain() -> st.SearchStrategy[str]:
    items = st.lists(_values("u") | _WINDOWS, min_size=1, max_size=3).map(", ".join)
    return _joined("SELECT ", items, " FROM ", _FROM, _WHERE, " ORDER BY u.id", _LIMIT)


def _ordered() -> st.SearchStrategy[str]:
    return _joined("SELECT u.id FROM ", _FROM, _WHERE, _ORDER, _LIMIT)


def _grouped() -> st.SearchStrategy[str]:
    by = st.sampled_from(["u.city", "u.ssn", "u.pin", "left(u.ssn, 3)", "u.blocked", "u.salary IS NULL"])
    having = st.sampled_from(["", " HAVING count(*) > 1", " HAVING min(u.pin) > 500"])
    return st.tuples(by, _AGGREGATES, _WHERE, having).map(
        lambda t: f"SELECT {t[0]}, {t[1]} FROM app.users u{t[2]} GROUP BY {t[0]}{t[3]} ORDER BY 1, 2::text"
    )


def queries() -> st.SearchStrategy[str]:
    """A query that changes nothing."""
    single = st.one_of(_plain(), _ordered(), _grouped())
    texts = _joined("SELECT (", _texts("u"), ")::text FROM app.users u", _WHERE)
    sets = _joined(texts, st.sampled_from([" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT "]), texts, " ORDER BY 1")
    nested = _joined(
        "WITH q AS ", st.sampled_from(["", "MATERIALIZED "]), "(", single, ") SELECT q, count(*) OVER () FROM q"
    )
    counted = _joined("SELECT count(*), min(q::text), max(q::text) FROM (", single, ") q")
    return st.one_of(single, single, sets, nested, counted)
